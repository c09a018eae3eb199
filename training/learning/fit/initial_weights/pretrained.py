"""Loads initial weights from a user's state dict, `.pth` or `.safetensors`, with the names of the ImageNet files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors
import torch
from torch import Tensor, nn

from training.errors import UserError
from training.files.sentences import reading
from training.files.tensors import open_tensors
from training.learning.inference.finite import is_finite
from training.storage.runs.settings.config import RunConfig

_LARGEST = 1 << 30  # bytes; ResNet-50 with its 1,000 classes has a tenth of it
_HEADS = ("fc.", "output.")  # of the file's classes; of our points
_COUNTER = ".num_batches_tracked"  # older files lack it, and nothing depends on it
_NAMED = 3
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def load_pretrained(model: nn.Module, config: RunConfig) -> None:
    """Give the config's model the weights of the file `config.pretrained`.

    Raises UserError, also for other networks.
    """
    if config.network.model != "resnet-50":
        raise UserError(
            f"Only resnet-50 starts from pretrained weights, not {config.network.model}: clear the setting pretrained."
        )
    load_state_dict(model.get_submodule("network"), Path(config.network.pretrained).expanduser())


def load_state_dict(network: nn.Module, path: Path) -> None:
    """Load a file's weights except for the output; for gray input the first convolution's colour channels are summed.

    Sizes are checked before anything is read, shapes before tensors are read if the format allows (safetensors).
    Nothing in the file is executed. Raises UserError naming the file and the first wrong keys.
    """
    wanted = {k: v for k, v in network.state_dict().items() if not k.startswith(_HEADS)}
    found = _read(path, wanted)
    _compare(path, wanted, {k: tuple(v.shape) for k, v in found.items()})
    strange = [k for k, v in found.items() if not _is_plain(v) and not k.endswith(_COUNTER)]
    if strange:
        raise UserError(
            f"The pretrained weights {path} cannot be used: {_some(strange)} are not plain floating-point tensors "
            "(quantised, sparse or without values). Save the weights of the network in float32."
        )
    state = {k: _as_channels(v, wanted.get(k)) for k, v in found.items() if _is_plain(v)}
    broken = [k for k, v in state.items() if not is_finite(v)]
    if broken:
        raise UserError(
            f"The pretrained weights {path} cannot be used: {_some(broken)} hold values that are not finite."
        )
    network.load_state_dict(state, strict=False)  # ours: the output; theirs: compared above


def _read(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors, without the classifier. Raises UserError."""
    if not path.is_file():
        raise UserError(f"There is no file {path} with pretrained weights; correct the setting pretrained or clear it.")
    with reading(path):
        size = path.stat().st_size
        path.open("rb").close()
    if max(size, _unpacked(path)) > _LARGEST:
        raise UserError(f"The file {path} is larger than 1 GB: it is not a state dict of this network.")
    found = _read_safetensors(path, wanted) if path.suffix.lower() == ".safetensors" else _read_pickle(path)
    return {k: v for k, v in found.items() if not k.startswith(_HEADS)}


def _unpacked(path: Path) -> int:
    """Unpacked size of a zip file, as `.pth` files are; 0 for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        return 0


def _read_safetensors(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    try:
        with open_tensors(path, framework="pt") as stored:
            shapes = {k: tuple(stored.get_slice(k).get_shape()) for k in stored.keys()}  # noqa: SIM118  - not a dict
            _compare(path, wanted, {k: s for k, s in shapes.items() if not k.startswith(_HEADS)})
            return {k: stored.get_tensor(k) for k in shapes if not k.startswith(_HEADS)}
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise UserError(f"The pretrained weights {path} cannot be read: the file is damaged ({error}).") from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or malicious file raises a dozen different types
        raise UserError(
            f"The pretrained weights {path} cannot be read: the file is damaged, or holds more than tensors "
            f"({type(error).__name__}). Nothing in it was executed; save `model.state_dict()` alone, best as "
            ".safetensors."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(
            f"The file {path} is not a state dict (names with one tensor each); save `model.state_dict()` alone."
        )
    return {str(k): v for k, v in state.items()}


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor holds contiguous floating-point numbers, like a network's weights."""
    return value.layout == torch.strided and value.device.type == "cpu" and value.dtype in _FLOATS


def _as_channels(value: Tensor, wanted: Tensor | None) -> Tensor:
    """A colour convolution adapted to gray images: the same output as for the gray image in all three channels."""
    if wanted is None or value.ndim != 4 or not _is_colour_of(tuple(value.shape), tuple(wanted.shape)):
        return value
    return value.float().sum(dim=1, keepdim=True)


def _is_colour_of(shape: tuple[int, ...], gray: tuple[int, ...]) -> bool:
    return len(shape) == 4 and len(gray) == 4 and shape[1] == 3 and (shape[0], 1, *shape[2:]) == gray


def _compare(path: Path, wanted: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises UserError where keys are missing, unexpected or of another shape."""
    ours = {k: tuple(v.shape) for k, v in wanted.items()}
    missing = [k for k in ours if k not in shapes and not k.endswith(_COUNTER)]
    unexpected = [k for k in shapes if k not in ours]
    wrong = [
        f"{k} {_sides(shapes[k])} in place of {_sides(ours[k])}"
        for k in ours
        if k in shapes and shapes[k] != ours[k] and not _is_colour_of(shapes[k], ours[k])
    ]
    found = (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
    faults = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in found if keys]
    if faults:
        raise UserError(
            f"The pretrained weights {path} do not fit the network: {'; '.join(faults)}. "
            "They must be a ResNet-50 with torchvision's names (conv1, bn1, layer1.0.conv1...)."
        )


def _sides(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (", ..." if len(keys) > _NAMED else "")
