"""Where the labels stand beside the places that pictures show: a constant a keypoint, and one a marking scheme on top of it.

Labels can be off by a constant (a wrong origin, a rounding in somebody's converter), and rows of different sources can be
marked by different rules. A mirrored picture has its labels off to the other side, so no network can learn such a constant
while pictures are mirrored; it would smear it. The network learns the places, label less offset, which turn and mirror with
the picture; the offset is learnt beside it and added to what is predicted, after mirrored views are averaged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OFFSET_RATE = (
    10.0  # learning rate of the offsets as a multiple of the network's: they count in px, its weights in hundredths
)
SCHEME_DECAY = 0.1  # pulls the others' offsets to the default scheme's, where no label says otherwise


class LabelOffsets(nn.Module):
    """common [K, 2]: of scheme 0, the default one. scheme [S - 1, K, 2] (None with one scheme): what the others add. px of the input."""

    scheme: nn.Parameter | None

    def __init__(self, keypoints: int, schemes: int = 1) -> None:
        super().__init__()
        self.common = nn.Parameter(torch.zeros(keypoints, 2))
        others = nn.Parameter(torch.zeros(schemes - 1, keypoints, 2)) if schemes > 1 else None
        self.register_parameter("scheme", others)

    def of(self, scheme: int | Tensor) -> Tensor:
        """Label less place in a scheme, [K, 2]; for int64 [B] one a picture, [B, K, 2]."""
        if self.scheme is None:
            return self.common
        return self.common + F.pad(self.scheme, (0, 0, 0, 0, 1, 0))[scheme]


def offsets_of(model: nn.Module) -> LabelOffsets | None:
    """The model's label offsets, where it has any."""
    found = getattr(model, "offsets", None)
    return found if isinstance(found, LabelOffsets) else None


def offset_parameters(keypoints: int, schemes: int = 1) -> int:
    """The number of parameters, without making them."""
    return 2 * keypoints * schemes


def labelled(model: nn.Module, places: Tensor, scheme: int | Tensor) -> Tensor:
    """Places [B, K, 2] as the labels of a scheme (one for all, or int64 [B]) would put them."""
    offsets = offsets_of(model)
    return places if offsets is None else places + offsets.of(scheme)


def unlabelled(model: nn.Module, points: Tensor, scheme: int | Tensor) -> Tensor:
    """Labels [B, K, 2] as the places the network is to find; the gradient goes to the offsets."""
    offsets = offsets_of(model)
    return points if offsets is None else points - offsets.of(scheme)
