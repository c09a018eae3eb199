"""CNN-6 and CNN-7 (Wing Loss for Robust Facial Landmark Localisation with CNNs, CVPR 2018, Fig. 3 and section 6)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

_HIDDEN = 1024


class PlainCNN(nn.Module):
    """Per width conv 3x3, ReLU, max pool / 2, then 1024 features: [B, C, S, S] -> [B, 2K]."""

    # The maximum of four exceeds the mean: with He's sqrt(2) the features would grow tenfold through five pools.
    gain = 1.2
    widths: tuple[int, ...]

    def __init__(self, *, input_size: int, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(*(stage(i, o) for i, o in pairwise((channels, *self.widths))))
        inputs = _features(self.widths, input_size)
        self.hidden = nn.Sequential(nn.Linear(inputs, _HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.output = nn.Linear(_HIDDEN, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)  # [B, 512, 2, 2] of 64x64 (CNN-6) and of 128x128 (CNN-7)
        x = self.hidden(x.flatten(1))  # [B, 1024]
        return self.output(x)


class CNN6(PlainCNN):
    """For 64x64. With 68 keypoints and 3 channels 3,806,152 parameters (Table 7: 3.8 M)."""

    widths = (32, 64, 128, 256, 512)


def stage(channels: int, out: int) -> nn.Sequential:
    """[B, channels, S, S] -> [B, out, S/2, S/2]. ReLU after the pool: the same result for a quarter of the work."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True))


def plain_cnn_parameters(widths: tuple[int, ...], *, input_size: int, channels: int, outputs: int) -> int:
    stages = sum((9 * i + 1) * out for i, out in pairwise((channels, *widths)))
    return stages + (_features(widths, input_size) + 1) * _HIDDEN + (_HIDDEN + 1) * outputs


def cnn6_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    return plain_cnn_parameters(CNN6.widths, input_size=input_size, channels=channels, outputs=outputs)


def _features(widths: tuple[int, ...], input_size: int) -> int:
    """The number of features before the hidden layer."""
    return int(widths[-1] * (input_size // 2 ** len(widths)) ** 2)


class CNN7(PlainCNN):
    """For 128x128. With 68 keypoints and 3 channels 8,508,168 parameters; with CNN-6 12.3 M, as in Table 7."""

    widths = (64, 128, 256, 512, 512, 512)


def cnn7_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    return plain_cnn_parameters(CNN7.widths, input_size=input_size, channels=channels, outputs=outputs)
