"""Initialises a run with the weights of another model: a starter, or any model file of the same network.

All tensors of the same name and shape are copied. Where the keypoints differ, the network's own weights and the
keypoints with the same names are copied; label offsets never are, since they describe other labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.learning.inference.checkpoint import load_model
from training.learning.models.registry import make_model
from training.storage.runs.model.starters import Starter, starters
from training.storage.runs.run import Run, starter_name
from training.storage.runs.settings.config import RunConfig

FEW = 1000  # labelled train faces: with fewer, "auto" starts from the starter
_ENOUGH = 0.5  # fraction of the network's values that must fit
_OFFSETS = "offsets."


def warm_start(model: nn.Module, config: RunConfig, schema: KeypointSchema, *, faces: int) -> str:
    """Give the config's model the weights that `start_from` names. faces: number of labelled train faces.

    Returns a description of their source, "" where nothing was copied. Raises UserError where the requested weights,
    other than "auto", are missing or from another network.
    """
    wanted = config.network.start_from
    if not wanted or (wanted == "auto" and faces >= FEW):
        return ""
    if wanted not in ("auto", "starter"):
        path = Path(wanted).expanduser()
        return _take(
            model, config, schema, path, name=path.parent.name if path.name == "model.safetensors" else path.name
        )
    found = closest(schema, config)
    if found is None and wanted == "auto":
        return ""
    if found is None:
        raise UserError(
            f"There is no starter of the network {config.network.model} to start from; clear the setting start_from or "
            "name a model file."
        )
    return _take(model, config, schema, found.path, name=starter_name(found.path))


def closest(schema: KeypointSchema, config: RunConfig) -> Starter | None:
    """The starter of the config's network that shares the most keypoints with the schema."""
    same = ("model", "input_size", "channels", "width")
    fitting = [s for s in starters() if all(s.config.value(n) == config.value(n) for n in same)]
    common = {s.name: len({*s.schema.keypoints} & {*schema.keypoints}) for s in fitting}
    return max(fitting, key=lambda s: common[s.name], default=None)


def _take(model: nn.Module, config: RunConfig, schema: KeypointSchema, path: Path, *, name: str) -> str:
    source, info = load_model(Run(path))
    taken = copy_weights(model, config, source.state_dict(), ours=schema.keypoints, theirs=info.schema.keypoints)
    if taken is None:
        theirs, ours = info.config.network, config.network
        raise UserError(
            f"{path} is a model of the network {theirs.model} ({theirs.input_size} px), whose weights do not fit "
            f"{ours.model} ({ours.input_size} px): correct the setting start_from or clear it."
        )
    points = f"{taken} of {len(schema)} points" if taken else "none of the points"
    return f"{name}: its network and {points}"


def copy_weights(
    model: nn.Module, config: RunConfig, source: Mapping[str, Tensor], *, ours: Sequence[str], theirs: Sequence[str]
) -> int | None:
    """Copy what fits of a state dict into the config's model; returns how many keypoints both have by name.

    None, with nothing copied, where less than half of the network's values fit.
    """
    axes = keypoint_axes(config, len(ours))
    place = {name: k for k, name in enumerate(theirs)}
    pairs = [(k, place[name]) for k, name in enumerate(ours) if name in place]
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(_OFFSETS)}
    alike = {n for n, v in state.items() if n not in axes and n in source and source[n].shape == v.shape}
    network = [value.numel() for name, value in state.items() if name not in axes]
    if sum(state[name].numel() for name in alike) < _ENOUGH * sum(network):
        return None
    with torch.no_grad():
        for name in alike:
            state[name].copy_(source[name])
        for name in axes.keys() & source.keys() & state.keys():
            _copy_points(state[name], source[name], each=axes[name], pairs=pairs, counts=(len(ours), len(theirs)))
    return len(pairs)


def _copy_points(
    value: Tensor, source: Tensor, *, each: int, pairs: list[tuple[int, int]], counts: tuple[int, int]
) -> None:
    """Copy the rows of shared keypoints: value [each * K, ...] from source [each * K', ...]."""
    if source.shape[1:] != value.shape[1:] or source.shape[0] != each * counts[1]:
        return
    into, out_of = value.unflatten(0, (counts[0], each)), source.unflatten(0, (counts[1], each))
    for k, other in pairs:
        into[k].copy_(out_of[other])


def keypoint_axes(config: RunConfig, keypoints: int) -> dict[str, int]:
    """The tensors of the config's model whose first axis counts keypoints: name -> rows per keypoint.

    Found by building the model, without memory, for one more keypoint.
    """
    plain = config.changed(label_offset=False)
    with torch.device("meta"):
        less, more = (make_model(plain, keypoints + n).state_dict() for n in (0, 1))
    return {
        name: more[name].shape[0] - value.shape[0] for name, value in less.items() if more[name].shape != value.shape
    }
