"""Files of tensors (safetensors), which hold no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors

from training.files.regular import open_regular


def open_tensors(path: Path, *, framework: str) -> Any:
    """As safetensors.safe_open, for files only. Raises OSError, and safetensors.SafetensorError where it is damaged."""
    open_regular(path).close()  # a pipe would block; a missing permission would be reported as a missing file
    return safetensors.safe_open(path, framework=framework)
