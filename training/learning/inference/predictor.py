"""Predicts points and confidences for images of any size with a run's best model or a model file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.errors import UserError
from training.faces.images.reading import resize_images, resize_points
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.calibration import default_calibration, face_sizes
from training.learning.augment.batch import prepare
from training.learning.inference.averaged_views import averaged_points, points_and_disagreement
from training.learning.inference.checkpoint import ModelInfo, load_model
from training.learning.inference.device import choose_device, choose_precision, mixed_precision, to_channels_last
from training.learning.inference.fused import for_inference, halve_weights
from training.storage.runs.inputs.marking_schemes import scheme_number
from training.storage.runs.inputs.snapshot import load_schemes
from training.storage.runs.model.adjustment import Adjustment, read_adjustment
from training.storage.runs.run import Run

_BATCH = 64
_PIXELS = _BATCH * 256 * 256  # of a batch, at most: what a header says of its input must not take all memory


class Predictor:
    """A loaded model. Use an instance from one thread at a time."""

    def __init__(
        self, model: nn.Module, info: ModelInfo, device: torch.device, *, adjustment: Adjustment | None = None
    ) -> None:
        self.info, self.device, self.name = info, device, ""
        self.scheme = 0  # the marking scheme to use where a sample's own is unknown
        self._run: Run | None = None  # whose samples' schemes are known
        self._known: tuple[np.ndarray, np.ndarray] | None = None  # ids and their schemes
        self.offset = np.zeros((1, 2)) if adjustment is None else adjustment.offset  # [K, 2], px of the input
        example = torch.zeros(
            2,
            info.config.network.channels,
            info.config.network.input_size,
            info.config.network.input_size,
            device=device,
        )
        self.model = for_inference(to_channels_last(model).to(device), example)
        self.flip = torch.tensor(info.schema.flip, device=device)
        self.calibration = info.calibration or default_calibration(len(info.schema))
        self.precision = "float32" if info.precision == "float32" else self._faster_precision(example)
        if self.precision == "bfloat16":
            halve_weights(self.model)

    @classmethod
    def load(cls, run: Run, device: str = "auto", *, adjusted: bool = True) -> Predictor:
        """The model of a run folder or a `.safetensors` file, with its calibration to an annotator's labels.

        adjusted: False gives the bare model. Raises UserError where a file is missing or damaged.
        """
        model, info = load_model(run)
        adjustment = read_adjustment(run, keypoints=len(info.schema)) if adjusted else None
        predictor = cls(model, info, choose_device(device), adjustment=adjustment)
        predictor.name = run.name
        if info.schemes and run.kind == "training":
            predictor._run, predictor._known = Run(run.path.absolute()), load_schemes(run, len(info.schemes))
        return predictor

    @property
    def schema(self) -> KeypointSchema:
        return self.info.schema

    def speak(self, scheme: str) -> None:
        """Place all points by the marking scheme of this name. Raises UserError where the model does not know it."""
        self.scheme, self._known = scheme_number(self.info.schemes, scheme), None

    def schemes_of(self, project: Path, ids: np.ndarray) -> np.ndarray | None:
        """int64 [B]: marking schemes of a project's samples, as the run learned them; None if it knows only one."""
        if self._known is None or self._run is None or self._run.path.parent.parent != project.absolute():
            return None
        known, schemes = self._known
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[at] == ids, schemes[at], self.scheme)

    def predict(self, images: np.ndarray, schemes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [B, H, W] or [B, H, W, 3] -> points float32 [B, K, 2], px of the images, and confidences [B, K].

        All are finite; raises UserError where the network's are not. schemes: int64 [B], from `schemes_of`; None: `speak`'s for all. A confidence is the probability that a point's
        error is at most 10 % of the inter-ocular distance; `calibration.errors` extends it to any other threshold.
        """
        found = [self._predict_batch(x, scheme) for x, scheme in self._inputs(images, schemes)]
        if not found:
            none = np.zeros((0, len(self.info.schema)), np.float32)
            return np.zeros((*none.shape, 2), np.float32), none
        points, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self._check_finite(points, spread)
        sizes = face_sizes(points, self.schema, width=self.info.config.network.input_size)
        confidences = self.calibration.probability(spread, sizes)
        self._check_finite(confidences)
        return self._to_images(points, images), confidences

    def predict_points(self, images: np.ndarray, schemes: np.ndarray | None = None) -> np.ndarray:
        """As `predict`, but the points only, for half the work."""
        parts = [self._points(x, scheme) for x, scheme in self._inputs(images, schemes)]
        return self._to_images(np.concatenate(parts), images)

    def _inputs(self, images: np.ndarray, schemes: np.ndarray | None) -> Iterator[tuple[Tensor, int | Tensor]]:
        config = self.info.config
        batch = max(1, min(_BATCH, _PIXELS // config.network.input_size**2))
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            if part.shape[1:3] != (config.network.input_size, config.network.input_size):
                part = resize_images(part, config.network.input_size)
            x = torch.from_numpy(np.ascontiguousarray(part)).to(self.device)
            scheme = (
                self.scheme if schemes is None else torch.from_numpy(schemes[start : start + batch]).to(self.device)
            )
            yield prepare(x, channels=config.network.channels, pixels=config.network.pixels), scheme

    @torch.inference_mode()
    def _predict_batch(self, x: Tensor, scheme: int | Tensor) -> tuple[np.ndarray, np.ndarray]:
        config = self.info.config
        with mixed_precision(self.device, self.precision):
            points, spread = points_and_disagreement(
                self.model,
                x,
                flip=self.flip,
                flip_average=config.network.flip_average,
                upright=config.network.upright,
                scheme=scheme,
                views=self.calibration.views,
            )
        return points.float().cpu().numpy(), spread.float().cpu().numpy()

    @torch.inference_mode()
    def _points(self, x: Tensor, scheme: int | Tensor) -> np.ndarray:
        config = self.info.config
        with mixed_precision(self.device, self.precision):
            points = averaged_points(
                self.model,
                x,
                flip=self.flip,
                flip_average=config.network.flip_average,
                upright=config.network.upright,
                scheme=scheme,
            )
        return points.float().cpu().numpy()

    def _to_images(self, points: np.ndarray, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        side = self.info.config.network.input_size
        with np.errstate(over="ignore", invalid="ignore"):
            found = resize_points(points + self.offset, (side, side), (width, height)).astype(np.float32)
        self._check_finite(found)
        return found

    def _check_finite(self, *answers: np.ndarray) -> None:
        """Raises UserError: what a network whose numbers overflow says is of no use, and must not be stored."""
        if not all(np.isfinite(values).all() for values in answers):
            raise UserError(
                f"The model{self.name and f' {self.name}'} predicts positions that are not finite: its numbers overflow. "
                "Train again with a smaller learning rate, or use another model."
            )

    def _faster_precision(self, example: Tensor) -> str:
        """A model trained in half precision may run on a machine where that is slow."""
        x = example.repeat(4, 1, 1, 1)

        @torch.inference_mode()
        def step(precision: str) -> None:
            with mixed_precision(self.device, precision):
                self.model(x)

        return choose_precision("auto", self.device, step, repeats=2)
