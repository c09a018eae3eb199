"""Label offsets: how far labels are from the positions visible in images, as constants per keypoint and marking scheme.

Labels can be shifted by a constant (a wrong origin, rounding in a converter), and sources can follow different marking
rules. In a mirrored image the shift is reversed, so a network trained on mirrored images cannot learn it and would blur
it. The network learns positions (label - offset), which rotate and mirror with the image; the offset is learned
separately and added to the prediction, after mirrored views are averaged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OFFSET_RATE = (
    10.0  # learning rate of the offsets as a multiple of the network's: offsets are in px, weights in hundredths
)
SCHEME_DECAY = 0.1  # pulls the other schemes' offsets to the default scheme's in the absence of labels


class LabelOffsets(nn.Module):
    """px of the input. common [K, 2]: of scheme 0, the default. scheme [S - 1, K, 2]: what the others add; None for S =
    1.
    """

    scheme: nn.Parameter | None

    def __init__(self, keypoints: int, schemes: int = 1) -> None:
        super().__init__()
        self.common = nn.Parameter(torch.zeros(keypoints, 2))
        others = nn.Parameter(torch.zeros(schemes - 1, keypoints, 2)) if schemes > 1 else None
        self.register_parameter("scheme", others)

    def of(self, scheme: int | Tensor) -> Tensor:
        """Label - position in a scheme: [K, 2], or [B, K, 2] for schemes int64 [B], one per image."""
        if self.scheme is None:
            return self.common
        return self.common + F.pad(self.scheme, (0, 0, 0, 0, 1, 0))[scheme]


def offsets_of(model: nn.Module) -> LabelOffsets | None:
    """The model's label offsets, if it has any."""
    found = getattr(model, "offsets", None)
    return found if isinstance(found, LabelOffsets) else None


def offset_parameters(keypoints: int, schemes: int = 1) -> int:
    return 2 * keypoints * schemes


def labelled(model: nn.Module, places: Tensor, scheme: int | Tensor) -> Tensor:
    """Positions [B, K, 2] shifted like the labels of a scheme (one for all, or int64 [B])."""
    offsets = offsets_of(model)
    return places if offsets is None else places + offsets.of(scheme)


def unlabelled(model: nn.Module, points: Tensor, scheme: int | Tensor) -> Tensor:
    """Labels [B, K, 2] as positions for the network to find; the gradient goes to the offsets."""
    offsets = offsets_of(model)
    return points if offsets is None else points - offsets.of(scheme)
