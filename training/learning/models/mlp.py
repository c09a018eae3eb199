"""The multilayer perceptron (Facial Keypoints Detection Using Convolutional Neural Network, report, 2015, Fig. 3)."""

from __future__ import annotations

from torch import Tensor, nn

HIDDEN = 500  # not given in the report


class MLP(nn.Module):
    """All pixels, one hidden layer of ReLUs with dropout, the points: [B, C, S, S] -> [B, 2K]."""

    def __init__(self, *, input_size: int, channels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        pixels = channels * input_size**2
        self.hidden = nn.Sequential(nn.Linear(pixels, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.output = nn.Linear(HIDDEN, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden(x.flatten(1))  # [B, 500]
        return self.output(x)


def mlp_parameters(*, input_size: int, channels: int, outputs: int) -> int:
    return (channels * input_size**2 + 1) * HIDDEN + (HIDDEN + 1) * outputs
