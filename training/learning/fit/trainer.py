"""A training under way: model, average, optimiser and position, and what can be done with it: a step, an evaluation, a save."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.assist.filling.model import FillModel, fit_fill
from training.errors import UserError
from training.faces.images.reading import resize_points
from training.faces.measures import metrics
from training.faces.measures.calibration import Calibration, face_sizes, fit_calibration
from training.learning.augment.batch import augment, prepare
from training.learning.fit.hard_points import HardPoints
from training.learning.fit.losses import make_loss
from training.learning.fit.optim import WeightAverage, make_optimizer, rate_at, set_rate
from training.learning.fit.parallel.ranks import Ranks, Step, check_device
from training.learning.fit.pretrained import load_pretrained
from training.learning.fit.self_training import SelfTraining
from training.learning.fit.stages import Stages
from training.learning.fit.streaming import StreamedPictures, on_device, take
from training.learning.fit.troubles.units import watched_units
from training.learning.fit.troubles.watch import Doctor
from training.learning.fit.warm_start import warm_start
from training.learning.inference.checkpoint import ModelInfo, load_resume, save_model, save_resume
from training.learning.inference.device import (
    choose_device,
    choose_precision,
    choose_threads,
    mixed_precision,
    to_channels_last,
)
from training.learning.inference.views import averaged_points, points_and_disagreement, points_and_spread, views_of
from training.learning.models.learnt_offsets import unlabelled
from training.learning.models.light import each_head
from training.learning.models.registry import make_model
from training.learning.models.staged import StagedNet
from training.storage.runs.events import EpochDone
from training.storage.runs.inputs.balance import row_weights
from training.storage.runs.inputs.data import RunData
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

_EVALUATION_BATCH = 128
_TRIAL = 16  # pictures
_POSITION: dict[str, Callable[[Any], Any]] = {  # what of a session is saved as plain values
    "precision": str,
    "threads": int,
    "epoch": int,
    "batch": int,
    "step_count": int,
    "elapsed": float,
    "seen": int,
    "best_rmse": float,
    "best_nme": float,
    "best_epoch": int,
}


class Session:
    """The state of a run. Each step's random numbers follow from (seed, epoch, batch) alone, so a resumed run repeats them."""

    def __init__(self, config: RunConfig, data: RunData, ranks: Ranks | None = None) -> None:
        self.config, self.data = config, data
        self.ranks = ranks or Ranks()
        self.device = choose_device(config.device)
        check_device(self.ranks, self.device)
        torch.manual_seed(config.seed)
        mean = torch.from_numpy(data.mean_shape())
        self.model = to_channels_last(
            make_model(config, len(data.schema), mean_shape=mean, schemes=len(data.scheme_names) or 1)
        ).to(self.device)
        self.average = WeightAverage(self.model, copy.deepcopy(self.model), config.ema)
        self.stages = Stages(self.model, config, data)
        self._prepare_stage()
        self._put_data_on_device()
        self.row_weights, self.balance = row_weights(data, config)
        self.hard_points = HardPoints(len(data.schema), config.hard_points, self.device) if config.hard_points else None
        self.self_training = SelfTraining.of(data, strength=config.self_training, seed=config.seed, device=self.device)
        self.precision, self.threads, self.started_from = "float32", 1, ""
        self.epoch, self.batch, self.step_count, self.elapsed = 0, 0, 0, 0.0  # epoch: whole ones done
        self.loss_sum, self.seen = torch.zeros((), device=self.device), 0  # of the epoch under way
        self.best_rmse, self.best_nme, self.best_epoch = math.inf, math.nan, 0
        self.best: dict[str, Tensor] | None = None  # weights not written yet
        val_points, sizes = self._val_labels()
        shape = np.broadcast_to(data.mean_shape(), val_points.shape)
        self.mean_shape_rmse = metrics.rmse(self._to_original(shape), val_points)
        self.doctor = Doctor(self.mean_shape_rmse)
        self._val_points, self._val_sizes = val_points, sizes
        self.fill: FillModel | None = None  # of the calibrated model, where val has faces enough

    def _prepare_stage(self) -> None:
        config = self.stages.config
        self.optimizer = make_optimizer(self.stages.trained, config)
        self.loss = make_loss(config.loss, w=config.wing_w, epsilon=config.wing_epsilon, reduction=config.reduction)

    def _put_data_on_device(self) -> None:
        data = self.data
        self.pictures = on_device(data.pictures, self.device)
        self.points = torch.from_numpy(np.nan_to_num(data.points)).to(self.device)
        self.mask = torch.from_numpy(data.mask).to(self.device)
        self.weight = None if data.weight is None else torch.from_numpy(data.weight * data.mask).to(self.device)
        self.flip = torch.tensor(data.schema.flip, device=self.device)
        schemes = np.zeros(len(data.points), np.int64) if data.schemes is None else data.schemes
        self.schemes = torch.from_numpy(schemes).to(self.device)

    def _val_labels(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self.data.val
        sizes = self.data.sizes[rows]
        return resize_points(self.data.points[rows], (self.data.side, self.data.side), sizes), sizes

    def _to_original(self, points: np.ndarray) -> np.ndarray:
        return resize_points(points, (self.data.side, self.data.side), self.data.sizes[self.data.val])

    def load_pretrained(self) -> None:
        """Begin with the weights of the config's file or of a starter, where it names one. Raises UserError."""
        config = self.config
        self.started_from = warm_start(self.model, config, self.data.schema, faces=len(self.data.train))
        if config.pretrained:
            load_pretrained(self.model, config)
        if config.pretrained or self.started_from:
            self.average = WeightAverage(self.model, self.average.average, self.config.ema)

    def settle(self) -> None:
        """Settle number format and threads, by trying them on a few pictures. Leaves the weights as they were."""
        trial = copy.deepcopy(self.model)
        if isinstance(trial, StagedNet):
            trial.begin(self.stages.count)  # the stage that costs most
        x = prepare(
            self.pictures[: min(self.config.batch_size, _TRIAL)],
            channels=self.config.channels,
            pixels=self.config.pixels,
        )

        def step(precision: str) -> None:
            trial.zero_grad()
            with mixed_precision(self.device, precision):
                points = trial(x)
            points.square().mean().backward()

        self.precision = choose_precision(self.config.precision, self.device, step)
        threads = self.ranks.threads(self.config.threads)
        self.threads = self.ranks.place.locals * choose_threads(threads, self.device, lambda: step(self.precision))

    @property
    def batches(self) -> int:
        """Steps an epoch."""
        return -(-len(self.stages.rows) // self.config.batch_size)

    def epoch_rows(self) -> list[Tensor]:
        """The rows of each batch of the epoch under way, in an order that follows from (seed, epoch).

        An epoch is as many pictures as the train split has. A picture costs the same with four labels as with fifteen, so
        with sampling "labels" rows are drawn in proportion to what they teach, and with balance "pose" to their copies;
        rows that count alike are each seen once.
        """
        generator = torch.Generator().manual_seed(_seed(self.config.seed, self.epoch, -1))
        train, weights = torch.from_numpy(self.stages.rows), torch.from_numpy(self.row_weights[self.stages.rows])
        if (weights == weights[0]).all():
            order = torch.randperm(len(train), generator=generator)
        else:
            order = torch.multinomial(weights, len(train), replacement=True, generator=generator)
        batches = list(train[order].tensor_split(self.batches))
        if isinstance(self.pictures, StreamedPictures):
            self.pictures.expect(rows[self.ranks.slice(len(rows))] for rows in batches[self.batch :])
        return batches

    def train_step(self, rows: Tensor, *, done: float) -> None:
        """One optimiser step on these rows; done: how much of the budget is used, 0..1."""
        self.ranks.announce(Step(self.epoch, self.batch, done))
        if self.self_training is not None and self.self_training.is_due(done):
            self._teach(self.self_training, done)
        count = len(rows)
        seed = _seed(self.config.seed, self.epoch, self.batch)
        torch.manual_seed(seed)  # dropout
        rows = self.ranks.take(rows).to(self.device)
        generator = self.ranks.generator(seed)
        points, mask = self._labels(rows)
        x, points, mask = augment(
            take(self.pictures, rows),
            unlabelled(self.model, points, self.schemes[rows]),
            mask,
            config=self.stages.config,
            flip=self.flip,
            generator=generator,
        )
        self.model.train()
        set_rate(self.optimizer, self.rate(done))
        with mixed_precision(self.device, self.precision):
            pred, points, mask = self.stages.lesson(x, points, mask, generator)
        pred, points, mask = each_head(*self.ranks.gather(pred, points, mask))
        weight = self._point_weights(pred, points, mask)
        loss = self.loss(pred, points, mask != 0, weight)
        loss.backward()
        self.ranks.sum_gradients(self.model)
        self.doctor.pulse.look(self.model, self.step_count - self.stages.first_step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_count += 1
        self.batch += 1
        self.average.update(self.step_count - self.stages.first_step)
        if self.self_training is not None:
            loss = self.loss(pred.detach(), points.detach(), mask > 0, weight)  # of labels alone
        self.loss_sum += loss.detach() * count
        self.seen += count

    def _labels(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Points [B, K, 2] to learn and what they count, [B, K]: 0 (or False) where there is none, below 0 the model's own."""
        points, mask = self.points[rows], (self.mask if self.weight is None else self.weight)[rows]
        return (points, mask) if self.self_training is None else self.self_training.complete(rows, points, mask)

    @torch.inference_mode()
    def _teach(self, pupil: SelfTraining, done: float) -> None:
        """Have the average model say where unlabelled points are."""
        model = self.average.ready()
        chosen = pupil.begin(done, seen=self.step_count * self.config.batch_size).to(self.device)
        for rows in chosen.split(_EVALUATION_BATCH):
            with mixed_precision(self.device, self.precision):
                pupil.take(
                    rows, *points_and_spread(model, self._input(rows), flip=self.flip, scheme=self.schemes[rows])
                )

    def _point_weights(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor | None:
        """[B, K] for the loss: what each point counts by its origin (mask, where it holds weights) and by its keypoint's error."""
        weight = mask.to(pred.dtype).abs()
        if self.hard_points is None:
            return None if self.weight is None and self.self_training is None else weight
        self.hard_points.update(pred, points, mask > 0)
        return weight * self.hard_points.weights()

    @property
    def train_loss(self) -> float:
        """Mean loss of the epoch under way."""
        return float(self.loss_sum) / max(self.seen, 1)

    def end_epoch(self) -> None:
        """Count the epoch as done and start the next at its first batch."""
        self.epoch += 1
        self.batch, self.seen = 0, 0
        self.loss_sum.zero_()

    def rate(self, done: float) -> float:
        """The learning rate when `done` of the budget is used."""
        return rate_at(self.stages.config, self.stages.done(done))

    def next_stage(self, done: float) -> None:
        """Begin the next stage with the averaged weights of the one that is over; optimiser and average start anew.

        Follows from the state alone, so that processes that share a run can do it each for itself.
        """
        self.ranks.announce(Step(self.epoch, self.batch, done, next_stage=True))
        self.model.load_state_dict(self.average.ready().state_dict())
        self.stages.advance(done, step=self.step_count, epoch=self.epoch, points_of=self._plain_points)
        self.average = WeightAverage(self.model, copy.deepcopy(self.model), self.config.ema)
        self._prepare_stage()
        self.doctor.begin_stage()

    @torch.inference_mode()
    def _plain_points(self, rows: np.ndarray) -> np.ndarray:
        """The model's points [n, K, 2] of rows as they are, px of the input."""
        self.model.eval()
        with mixed_precision(self.device, self.precision):
            return np.concatenate([self.model(x).float().cpu().numpy() for x, _ in self._inputs(rows)])

    def _inputs(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """The network's inputs [B, C, S, S] and their marking schemes [B]."""
        for part in torch.from_numpy(rows).to(self.device).split(_EVALUATION_BATCH):
            yield self._input(part), self.schemes[part]

    def _input(self, rows: Tensor) -> Tensor:
        return prepare(self.pictures[rows], channels=self.config.channels, pixels=self.config.pixels)

    @torch.inference_mode()
    def predict_val(self) -> np.ndarray:
        """The average model's points of the val rows, [V, K, 2], px of the input."""
        model, config = self.average.ready(), self.config
        parts = []
        with mixed_precision(self.device, self.precision):
            for x, scheme in self._inputs(self.data.val):
                points = averaged_points(
                    model, x, flip=self.flip, flip_average=config.flip_average, upright=config.upright, scheme=scheme
                )
                parts.append(points.float().cpu().numpy())
        return np.concatenate(parts)

    def evaluate(self, *, rate: float, speed: float) -> EpochDone:
        """Measure the average model on val; the best so far is kept in memory for the next save."""
        with watched_units(self.average.average) as self.doctor.units:
            pred = self.predict_val()
        rows = torch.from_numpy(self.data.val).to(self.device)
        target, mask = self.points[rows], self.mask[rows]
        unit = self.stages.unit
        val_loss = float(self.loss(torch.from_numpy(pred).to(self.device) * unit, target * unit, mask))
        result = metrics.evaluate(self._to_original(pred), self._val_points, self.data.schema, sizes=self._val_sizes)
        best = result.rmse < self.best_rmse
        if best:
            self.best_rmse, self.best_nme, self.best_epoch = result.rmse, result.nme, self.epoch + 1
            self.best = {name: value.clone() for name, value in self.average.average.state_dict().items()}
        self.doctor.look_at_predictions(pred, target.cpu().numpy(), mask.cpu().numpy())
        return EpochDone(
            epoch=self.epoch + 1,
            train_loss=self.train_loss,
            val_loss=val_loss,
            rmse=result.rmse,
            nme=result.nme,
            normaliser=result.normaliser,
            ced=result.ced,
            auc=result.auc,
            failure_rate=result.failure_rate,
            per_keypoint=result.per_keypoint,
            learning_rate=rate,
            images_per_second=speed,
            seconds=self.elapsed,
            best=best,
            stage=self.stages.number,
            stages=self.stages.count,
        )

    def info(self, calibration: Calibration | None = None) -> ModelInfo:
        """What the model file tells of this run."""
        values = {"rmse": self.best_rmse, "nme": self.best_nme, "epoch": float(self.best_epoch)}
        found = {name: value for name, value in values.items() if math.isfinite(value)}
        return ModelInfo(
            self.config, self.data.schema, self.precision, metrics=found, calibration=calibration,
            schemes=self.data.scheme_names,
        )  # fmt: skip

    def save_best(self, run: Run) -> None:
        """Write the best model, where it is not on the disk yet."""
        if self.best is not None:
            save_model(run.model, self.best, self.info())
            self.best = None

    def save(self, run: Run) -> None:
        """Write the best model and all that is needed to go on exactly."""
        self.save_best(run)
        state: dict[str, Any] = {name: getattr(self, name) for name in _POSITION}
        state["loss_sum"] = float(self.loss_sum)
        state["doctor"] = self.doctor.to_json()
        if self.hard_points is not None:
            state["hard_points"] = self.hard_points.errors
        if self.self_training is not None:
            state["self_training"] = self.self_training.to_json()
        state["stages"] = self.stages.to_json()
        state["model"] = self.model.state_dict()
        state["average"] = self.average.average.state_dict()
        state["optimizer"] = self.optimizer.state_dict()
        save_resume(run.resume, state)

    def restore(self, run: Run) -> None:
        """Go back to what `save` wrote. Raises UserError where it is missing, damaged or of another network."""
        state = load_resume(run.resume)
        try:
            self.model.load_state_dict(state["model"])
            self.average.average.load_state_dict(state["average"])
            if self.stages.count > 1:
                self.stages.from_json(state["stages"])
                self._prepare_stage()
            self.optimizer.load_state_dict(state["optimizer"])
            self.loss_sum.fill_(state["loss_sum"])
            self.doctor.from_json(state["doctor"])
            if self.hard_points is not None:
                self.hard_points.errors = state["hard_points"].to(self.device)
            if self.self_training is not None:
                self.self_training.from_json(state["self_training"])
            for name, kind in _POSITION.items():
                setattr(self, name, kind(state[name]))
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise UserError(
                f"The saved state of {run.name} does not fit its settings ({error}); train anew."
            ) from error

    @torch.inference_mode()
    def calibrate(self, weights: dict[str, Tensor]) -> Calibration:
        """Fit the confidence of a model with these weights on val, and `fill`: how its errors go together."""
        model = copy.deepcopy(self.average.average)
        model.load_state_dict(weights)
        points, spreads, views, config = [], [], views_of(model), self.config
        with mixed_precision(self.device, self.precision):
            for x, scheme in self._inputs(self.data.val):
                p, d = points_and_disagreement(
                    model, x, flip=self.flip, flip_average=config.flip_average, upright=config.upright, scheme=scheme, views=views,
                )  # fmt: skip
                points.append(p.float().cpu().numpy())
                spreads.append(d.float().cpu().numpy())
        found = np.concatenate(points)
        self.fill = fit_fill(self._to_original(found), self._val_points, self._val_sizes)
        sizes = face_sizes(found, self.data.schema, width=self.config.input_size)
        errors = metrics.point_errors(self._to_original(found), self._val_points)
        unit = metrics.normaliser(self._val_points, "interocular", self.data.schema, sizes=self._val_sizes)
        unit = np.where(np.isfinite(unit), unit, sizes * self._val_sizes[:, 0])  # an eye lacks its label
        return replace(fit_calibration(np.concatenate(spreads), errors / unit[:, None], sizes), views=views)


def _seed(seed: int, epoch: int, batch: int) -> int:
    """One number for each (seed, epoch, batch); batch -1 is the epoch's order."""
    return (seed * 1_000_003 + epoch) * 1_000_003 + batch + 1 & (2**63 - 1)
