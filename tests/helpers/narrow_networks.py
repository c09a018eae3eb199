"""Two-stage networks that are fast to train, for tests: of the same depth, with few channels."""

from __future__ import annotations

import pytest

from training.learning.models import plain_cnn
from training.learning.models.plain_cnn import CNN6, CNN7
from training.learning.models.staged import cascade, patches


def make_narrow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CNN6, "widths", (4, 8, 8, 8, 8))
    patch.setattr(CNN7, "widths", (4, 8, 8, 8, 8, 8))
    patch.setattr(cascade.Level1, "widths", (4, 8, 8, 8))
    patch.setattr(cascade, "PATCH", 16)
    patch.setattr(patches, "_WIDTHS", (4, 8, 8))
    patch.setattr(plain_cnn, "_HIDDEN", 32)
