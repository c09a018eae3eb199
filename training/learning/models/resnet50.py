"""ResNet-50 (Deep Residual Learning for Image Recognition, CVPR 2016, Table 1), with points instead of classes.

Weight names match the published ImageNet state dicts, so that these can be loaded. As in those, a block that halves the
resolution does so in its 3x3 convolution ("v1.5").
"""

from __future__ import annotations

from torch import Tensor, nn

from training.learning.models.layers import conv3

_WIDTHS, _BLOCKS = (64, 128, 256, 512), (3, 4, 6, 3)
_EXPANSION = 4
_STEM = 64


class Bottleneck(nn.Module):
    """1x1 to `width`, 3x3 (/ stride), 1x1 to 4 * width, each with batch norm; plus the input, projected if sizes
    differ.
    """

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        out = width * _EXPANSION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3(width, width, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))
            if stride > 1 or channels != out
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))  # [B, width, S, S]
        y = self.relu(self.bn2(self.conv2(y)))  # [B, width, S/stride, S/stride]
        y = self.bn3(self.conv3(y))  # [B, 4 * width, S/stride, S/stride]
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """[B, C, S, S] -> [B, 2K]. Without the output 23,508,032 parameters with three channels."""

    def __init__(
        self,
        *,
        input_size: int,  # noqa: ARG002  - all networks are made with the same words
        channels: int,
        outputs: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, _STEM, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(_STEM, 0)
        self.layer2 = _layer(_WIDTHS[0] * _EXPANSION, 1)
        self.layer3 = _layer(_WIDTHS[1] * _EXPANSION, 2)
        self.layer4 = _layer(_WIDTHS[2] * _EXPANSION, 3)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(_WIDTHS[-1] * _EXPANSION, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # [B, 64, 56, 56] of 224x224
        x = self.layer2(self.layer1(x))  # [B, 512, 28, 28]
        x = self.layer4(self.layer3(x))  # [B, 2048, 7, 7]
        return self.output(self.dropout(x.mean(dim=(2, 3))))


def _layer(channels: int, level: int) -> nn.Sequential:
    """The blocks of one resolution; the first block of every level except the first halves it."""
    width = _WIDTHS[level]
    first = Bottleneck(channels, width, stride=1 if level == 0 else 2)
    others = (Bottleneck(width * _EXPANSION, width, stride=1) for _ in range(_BLOCKS[level] - 1))
    return nn.Sequential(first, *others)


def resnet50_parameters(
    *,
    input_size: int,  # noqa: ARG001  - all networks are counted with the same words
    channels: int,
    outputs: int,
) -> int:
    """The same for every input size."""
    total, inputs = 49 * channels * _STEM + 2 * _STEM, _STEM
    for width, blocks in zip(_WIDTHS, _BLOCKS, strict=True):
        out = width * _EXPANSION
        total += inputs * out + 2 * out  # the projection
        for _ in range(blocks):
            total += inputs * width + 9 * width * width + width * out + 2 * (2 * width + out)
            inputs = out
    return total + (inputs + 1) * outputs
