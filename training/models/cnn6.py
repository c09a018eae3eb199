"""CNN-6 (Wing Loss for Robust Facial Landmark Localisation with CNNs, CVPR 2018, Fig. 3)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class CNN6(nn.Module):
    """Five times conv 3x3, ReLU, max pool / 2, then 1024 features: [B, C, 64, 64] -> [B, 2K].

    With 68 keypoints and 3 channels 3,806,152 parameters (Table 7: 3.8 M).
    """

    # The largest of four is larger than one: with He's sqrt(2) the features grow tenfold through five pools.
    gain = 1.2

    def __init__(self, *, input_size: int, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        widths = (channels, 32, 64, 128, 256, 512)
        self.features = nn.Sequential(*(stage(i, o) for i, o in pairwise(widths)))
        side = input_size // 32
        self.hidden = nn.Sequential(nn.Linear(512 * side * side, 1024), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.output = nn.Linear(1024, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # [B, 512, 2, 2] of 64x64
        x = self.hidden(x.flatten(1))  # [B, 1024]
        return self.output(x)


def stage(channels: int, out: int) -> nn.Sequential:
    """[B, channels, S, S] -> [B, out, S/2, S/2]. ReLU after the pool: the same numbers, a quarter of the work."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True))


def cnn6_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    """The number of parameters, without making the network."""
    widths = (channels, 32, 64, 128, 256, 512)
    stages = sum((9 * i + 1) * out for i, out in pairwise(widths))
    return stages + (512 * (input_size // 32) ** 2 + 1) * 1024 + 1025 * outputs
