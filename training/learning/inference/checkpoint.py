"""Reads and writes a run's `model.safetensors`, which holds everything needed to predict, and `resume.pt`."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

import training
from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.calibration import Calibration
from training.files.json_values import parse_json
from training.files.replacing import default_mode, replace, replacing
from training.files.sentences import reading
from training.files.tensors import open_tensors
from training.learning.inference.device import DTYPES
from training.learning.inference.finite import is_finite
from training.learning.models.registry import make_model, recipe_parameters
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

FORMAT = 1
_LARGEST = 1e300  # of a measure
_MOST_SCHEMES = 100_000
_KEY = "fkp-studio"
_NORMALISATION = {  # described for other programs; keyed by the setting pixels
    "picture": "each image: mean 0, standard deviation 1",
    "unit": "intensity 0..255, divided by 256",
    "imagenet": "intensity 0..1, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)",
}
_MORE = 1 << 20  # bytes: with less room than that, a failed write is put down to a full disk


@dataclass(frozen=True)
class ModelInfo:
    """A model file's header. metrics: on val, as in EpochDone. precision: used in training.

    schemes: the marking schemes the model knows, the default first; () if there is only one.
    """

    config: RunConfig
    schema: KeypointSchema
    precision: str
    metrics: dict[str, float] = field(default_factory=dict)
    calibration: Calibration | None = None
    versions: dict[str, str] = field(default_factory=dict)
    schemes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """JSON for the file's header."""
        return json.dumps(
            {
                "format": FORMAT,
                "config": self.config.to_json(),
                "schema": self.schema.to_json(),
                "normalisation": _NORMALISATION[self.config.network.pixels],
                "precision": self.precision,
                "metrics": self.metrics,
                "calibration": self.calibration.to_json() if self.calibration else None,
                **({"schemes": list(self.schemes)} if self.schemes else {}),
                "versions": self.versions or {"fkp-studio": training.__version__, "torch": torch.__version__},
            }
        )

    @classmethod
    def from_text(cls, text: str) -> ModelInfo:
        """Raises UserError for an invalid header or one from a newer version."""
        try:
            values: dict[str, Any] = parse_json(text)
            if type(values["format"]) is not int or values["format"] != FORMAT:
                raise UserError(
                    f"The model file has format {str(values['format'])[:20]}, but this version reads {FORMAT}; update FKP "
                    "Studio."
                )
            schema = KeypointSchema.from_json(values["schema"])
            return cls(
                config=RunConfig.from_json(values["config"]),
                schema=schema,
                precision=_precision(values["precision"]),
                metrics={k: float(v) for k, v in values["metrics"].items() if v is not None and abs(v) < _LARGEST},
                calibration=_calibration(values["calibration"], keypoints=len(schema)),
                schemes=_schemes(values.get("schemes", [])),
                versions={k: str(v)[:80] for k, v in values["versions"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"The model file's header cannot be read ({error}).") from error


def _precision(value: Any) -> str:
    if type(value) is not str or value not in DTYPES:
        raise ValueError(f"there is no number format {str(value)[:40]!r}")
    return value


def _calibration(values: Any, *, keypoints: int) -> Calibration | None:
    if values is None:
        return None
    found = Calibration.from_json(values)
    if len(found.intercepts) != keypoints:
        raise ValueError(f"its calibration is not of {keypoints} keypoints")
    return found


def _schemes(values: Any) -> tuple[str, ...]:
    if type(values) is not list or len(values) > _MOST_SCHEMES or any(type(v) is not str for v in values):
        raise ValueError("its marking schemes are not a list of names")
    return tuple(values)


def save_model(path: Path, state: Mapping[str, Tensor], info: ModelInfo) -> None:
    """Write weights and header to a temporary file, then rename, so that the file is always complete."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    beside = path.with_name(f".{path.name}.new")
    try:
        safetensors.torch.save_file(tensors, beside, metadata={_KEY: info.to_text()})
    except safetensors.SafetensorError as error:
        raise _write_error(beside, path, error) from error
    _put(beside, path)


def load_model(run: Run) -> tuple[nn.Module, ModelInfo]:
    """The model of a run folder, a starter or a model file, on the CPU, ready to predict.

    Raises UserError where it is missing or damaged, or holds weights that are not finite.
    """
    file = run.model
    if not file.is_file():
        raise UserError(f"There is no model in {run}: a run writes it after its first epoch.")
    with reading(file):
        file.open("rb").close()  # safetensors reports a missing permission as a missing file
    try:
        with open_tensors(file, framework="pt") as stored:
            info = _header(stored, file)
            shapes = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
            model = _matching_model(info, shapes, file)
            model.load_state_dict({name: stored.get_tensor(name) for name in shapes})
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise UserError(f"The model file {file} is damaged ({error}); copy it again, or train again.") from error
    _check_finite(model.state_dict(), file)
    return model.eval(), info


def _header(stored: Any, file: Path) -> ModelInfo:
    text = (stored.metadata() or {}).get(_KEY)
    if text is None:
        raise UserError(f"{file} is not an FKP Studio model: its header lacks {_KEY!r}.")
    try:
        return ModelInfo.from_text(text)
    except UserError as error:
        raise UserError(f"{file}: {error} Copy the file again, or train again.") from error


def _check_finite(state: Mapping[str, Tensor], file: Path) -> None:
    """Raises UserError. A network with such weights predicts nothing, or nonsense."""
    broken = next((name for name, value in state.items() if not is_finite(value)), "")
    if broken:
        raise UserError(
            f"The model file {file} holds weights that are not finite ({broken}): its training diverged, or the file is "
            "damaged. Train again with a smaller learning rate, or use another model."
        )


def _matching_model(info: ModelInfo, shapes: dict[str, tuple[int, ...]], file: Path) -> nn.Module:
    """An untrained model of the header's config, after checking the file's total number of values, then each tensor."""
    held = sum(math.prod(shape) for shape in shapes.values())
    schemes = max(1, len(info.schemes))
    if held < recipe_parameters(info.config, len(info.schema), schemes=schemes):
        raise UserError(f"The model file {file} does not fit its header: it holds fewer weights than its network has.")
    model = make_model(info.config, len(info.schema), schemes=schemes)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    wrong = [name for name in wanted.keys() | shapes.keys() if wanted.get(name) != shapes.get(name)]
    if wrong:
        raise UserError(
            f"The model file {file} does not fit its header: {min(wrong)} is missing or has the wrong size."
        )
    return model


def save_resume(path: Path, state: dict[str, Any]) -> None:
    """Write a training state (tensors and plain values) to a temporary file, then rename."""
    beside = path.with_name(f".{path.name}.new")
    try:
        torch.save(state, beside)
    except RuntimeError as error:  # torch's writer reports a full disk as RuntimeError
        raise _write_error(beside, path, error) from error
    _put(beside, path)


def load_resume(path: Path) -> dict[str, Any]:
    """The state written by `save_resume`; only tensors and plain values are read. Raises UserError."""
    if not path.is_file():
        raise UserError(f"The run {path.parent.name} has no saved state to resume from; train again.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises a dozen different types
        raise UserError(f"The saved state {path} is damaged ({type(error).__name__}); train again.") from error
    return state


def _write_error(beside: Path, path: Path, error: Exception) -> OSError:
    """The system's error behind one that a writer hides, found by writing on; removes the partial file."""
    found = OSError(errno.EIO, str(error).splitlines()[0] if str(error) else os.strerror(errno.EIO), str(path))
    try:
        with beside.open("ab") as file:
            file.write(bytes(_MORE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as cause:
        found = OSError(cause.errno, cause.strerror, str(path))
    _remove(beside)
    return found


def _remove(beside: Path) -> None:
    with suppress(OSError):  # the error that matters is on its way
        beside.unlink()


def _put(beside: Path, path: Path) -> None:
    """Raises OSError, which names `path`; nothing remains beside it."""
    try:
        with beside.open("r+b") as file:  # Windows brings only files to the disk that could be written
            os.fsync(file.fileno())
        beside.chmod(default_mode())  # safetensors makes it readable by the owner only
        replace(beside, path)
    except OSError as error:
        _remove(beside)
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_compact(model: Run, out: Path) -> int:
    """Write the model of a run folder, a starter or a file to `out` with 16-bit weights, for distribution; returns the
    size in bytes.

    Half the size: `load_model` makes the weights 32-bit again, and 11 significant bits are far more than the accuracy
    of a point requires.

    Raises UserError where there is no model or the file cannot be written.
    """
    network, info = load_model(model)
    tensors = {name: _halved(value).detach().cpu().contiguous() for name, value in network.state_dict().items()}
    data = safetensors.torch.save(tensors, metadata={_KEY: info.to_text()})
    with replacing(out) as file:
        file.write(data)
    return len(data)


def _halved(value: Tensor) -> Tensor:
    """As float16, unless the tensor is not floating-point or has values too large for it."""
    if not value.is_floating_point() or not bool(value.to(torch.float16).isfinite().all()):
        return value
    return value.to(torch.float16)
