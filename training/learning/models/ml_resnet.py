"""ML-ResNet and ML-CNN (Masked Loss Residual CNN for Facial Keypoint Detection, 2017, Fig. 4 and 5)."""

from __future__ import annotations

from torch import Tensor, nn

from training.learning.models.layers import WideStem, conv3


class Block(nn.Module):
    """conv 3x3, BN, ReLU, conv 3x3 / 2, BN; a residual block adds its input through a 1x1 / 2 projection."""

    def __init__(self, channels: int, out: int, *, residual: bool) -> None:
        super().__init__()
        self.conv1 = conv3(channels, out)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = conv3(out, out, stride=2)
        self.norm2 = nn.BatchNorm2d(out)
        self.project = nn.Conv2d(channels, out, 1, stride=2, bias=False) if residual else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))  # [B, out, S, S]
        y = self.norm2(self.conv2(y))  # [B, out, S/2, S/2]
        if self.project is not None:
            y = y + self.project(x)
        return self.relu(y)


class MLResNet(nn.Module):
    """Images [B, C, S, S] -> outputs [B, 2K]. With 96x96x1 and 15 keypoints 9.3 M parameters.

    residual=False gives ML-CNN: the same six weight layers without residual connections.
    """

    def __init__(self, *, input_size: int, channels: int, outputs: int, dropout: float, residual: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(WideStem(channels, 32, size=11), nn.BatchNorm2d(32), nn.ReLU(inplace=True))
        self.block1 = Block(32, 32, residual=residual)
        self.block2 = Block(32, 64, residual=residual)
        side = input_size // 8
        self.hidden = nn.Sequential(nn.Linear(64 * side * side, 1000), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.output = nn.Linear(1000, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # [B, 32, 48, 48] of 96x96
        x = self.block1(x)  # [B, 32, 24, 24]
        x = self.block2(x)  # [B, 64, 12, 12]
        x = self.hidden(x.flatten(1))  # [B, 1000]
        return self.output(x)


def ml_resnet_parameters(*, input_size: int, channels: int, outputs: int, residual: bool = True) -> int:
    stem = 121 * channels * 32 + 32 + 2 * 32
    blocks = sum(9 * out * (i + out) + 4 * out + residual * i * out for i, out in ((32, 32), (32, 64)))
    return stem + blocks + (64 * (input_size // 8) ** 2 + 1) * 1000 + 1001 * outputs
