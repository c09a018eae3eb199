"""Rewrites a trained model for faster prediction: the same function with fewer operations, which can't be trained
further.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.learning.models.layers import WideStem


def for_inference(model: nn.Module, example: Tensor) -> nn.Module:
    """Change the model in place: fold batch normalisation into the preceding convolution, and precompute constants.

    example: an input [B, C, S, S] on the model's device, to trace which layer follows which.
    """
    model.eval().requires_grad_(requires_grad=False)
    for first, then in _pairs(model, example):
        conv, norm = model.get_submodule(first), model.get_submodule(then)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            model.set_submodule(first, fuse_conv_bn_eval(conv, norm))
            model.set_submodule(then, nn.Identity())
    for name, part in list(model.named_modules()):
        if isinstance(part, WideStem):
            model.set_submodule(name, FoldedStem(part))
    return model


def halve_weights(model: nn.Module) -> None:
    """Store convolution and linear weights in bfloat16, which autocast would otherwise convert at each call."""
    for part in model.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, FoldedStem)):
            part.to(torch.bfloat16)


class FoldedStem(nn.Module):
    """A WideStem whose folded weight is computed once."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stem: WideStem) -> None:
        super().__init__()
        self.pad = stem.weight.shape[-1] // 2
        self.register_buffer("weight", stem.folded().detach())
        self.register_buffer("bias", stem.bias.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(F.pad(x, (self.pad,) * 4), 2).contiguous(memory_format=torch.channels_last)
        a, b, c, d = F.conv2d(x, self.weight).chunk(4, dim=1)  # each [B, out, S/2, S/2]
        y = torch.maximum(torch.maximum(a, b), torch.maximum(c, d))
        return y + self.bias.to(y.dtype)


def _pairs(model: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    """(convolution, batch normalisation) by name, where one's output is the other's input and both run once."""
    made: dict[int, str] = {}  # a convolution's output -> its name
    kept: list[Tensor] = []  # outputs stay alive, so that no other tensor gets their identity
    calls: dict[str, int] = {}
    found: list[tuple[str, str]] = []

    def watch(name: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def seen(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            if isinstance(part, nn.Conv2d):
                made[id(output)] = name
                kept.append(output)
            elif id(inputs[0]) in made:
                found.append((made[id(inputs[0])], name))

        return part.register_forward_hook(seen)

    handles = [watch(n, p) for n, p in model.named_modules() if isinstance(p, (nn.Conv2d, nn.BatchNorm2d))]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return [(conv, norm) for conv, norm in found if calls[conv] == calls[norm] == 1]
