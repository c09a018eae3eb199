"""A training under way: model, averaged model, optimiser and position, and its step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from training.errors import UserError
from training.faces.measures import metrics
from training.learning.augment.batch import augment, prepare
from training.learning.fit.initial_weights.pretrained import load_pretrained
from training.learning.fit.initial_weights.warm_start import warm_start
from training.learning.fit.parallel.ranks import Ranks, Step, check_device
from training.learning.fit.step.losses import HardPoints, divisor, make_loss
from training.learning.fit.step.optim import WeightAverage, make_optimizer, rate_at, set_rate
from training.learning.fit.step.self_training import SelfTraining
from training.learning.fit.step.stages import Stages
from training.learning.fit.step.streaming import StreamedImages, on_device, take
from training.learning.fit.troubles.watch import TroubleWatch
from training.learning.inference.averaged_views import points_and_spread
from training.learning.inference.device import (
    choose_device,
    choose_precision,
    choose_threads,
    mixed_precision,
    to_channels_last,
)
from training.learning.models.learned_offsets import unlabelled
from training.learning.models.light import each_head
from training.learning.models.registry import make_model, recipe_parameters
from training.learning.models.staged.base import Lesson, StagedNet
from training.storage.runs.inputs.balance import row_weights
from training.storage.runs.inputs.data import RunData
from training.storage.runs.inputs.memory import free_memory
from training.storage.runs.settings.config import RunConfig

_EVALUATION_BATCH = 128
_TRIAL = 16  # images


class Trainer:
    """The state of a run.

    A step's random numbers depend on (seed, epoch, batch) alone, so a resumed run repeats them.
    """

    def __init__(self, config: RunConfig, data: RunData, ranks: Ranks | None = None) -> None:
        self.config, self.data = config, data
        self.ranks = ranks or Ranks()
        self.device = choose_device(config.machine.device)
        check_device(self.ranks, self.device)
        _check_memory(config, data, self.device)
        torch.manual_seed(config.seed)
        mean = torch.from_numpy(data.mean_shape())
        self.model = to_channels_last(
            make_model(config, len(data.schema), mean_shape=mean, schemes=len(data.scheme_names) or 1)
        ).to(self.device)
        self.average = WeightAverage(self.model, copy.deepcopy(self.model), config.optim.ema)
        self.stages = Stages(self.model, config, data)
        self.lesson: Callable[..., Lesson] = self.stages.lesson
        self.prepare_stage()
        self._put_data_on_device()
        self.row_weights, self.balance = row_weights(data, config)
        self.hard_points = (
            HardPoints(len(data.schema), config.objective.hard_points, self.device)
            if config.objective.hard_points
            else None
        )
        self.self_training = SelfTraining.of(
            data, strength=config.objective.self_training, seed=config.seed, device=self.device
        )
        self.precision, self.threads, self.started_from = "float32", 1, ""
        self.epoch, self.batch, self.step_count, self.elapsed = 0, 0, 0, 0.0  # epoch: whole ones done
        self.loss_sum, self.seen = torch.zeros((), device=self.device), 0  # of the epoch under way
        self.best_rmse, self.best_nme, self.best_epoch = math.inf, math.nan, 0
        self.best: dict[str, Tensor] | None = None  # weights not written yet
        self.val_points = data.to_original(data.points[data.val], data.val)  # [V, K, 2]
        shape = np.broadcast_to(data.mean_shape(), self.val_points.shape)
        self.mean_shape_rmse = metrics.rmse(data.to_original(shape, data.val), self.val_points)
        self.watch = TroubleWatch(self.mean_shape_rmse)

    def prepare_stage(self) -> None:
        """Make optimiser and loss for the stage under way, with the weights as they are."""
        config = self.stages.config
        self.optimizer = make_optimizer(self.stages.trained, config)
        self.loss = make_loss(
            config.objective.loss,
            w=config.objective.wing_w,
            epsilon=config.objective.wing_epsilon,
            reduction=config.objective.reduction,
        )

    def _put_data_on_device(self) -> None:
        data = self.data
        self.images = on_device(data.images, self.device)
        self.points = torch.from_numpy(np.nan_to_num(data.points)).to(self.device)
        self.mask = torch.from_numpy(data.mask).to(self.device)
        self.weight = None if data.weight is None else torch.from_numpy(data.weight * data.mask).to(self.device)
        self.flip = torch.tensor(data.schema.flip, device=self.device)
        schemes = np.zeros(len(data.points), np.int64) if data.schemes is None else data.schemes
        self.schemes = torch.from_numpy(schemes).to(self.device)

    def load_pretrained(self) -> None:
        """Begin with the weights of the file or starter that the config names, if any. Raises UserError."""
        config = self.config
        self.started_from = warm_start(self.model, config, self.data.schema, faces=len(self.data.train))
        if config.network.pretrained:
            load_pretrained(self.model, config)
        if config.network.pretrained or self.started_from:
            self.average = WeightAverage(self.model, self.average.average, self.config.optim.ema)

    def settle(self) -> None:
        """Choose number format and threads by trying them on a few images. Leaves the weights as they were."""
        trial = copy.deepcopy(self.model)
        if isinstance(trial, StagedNet):
            trial.begin(self.stages.count)  # the stage that costs most
        x = prepare(
            self.images[: min(self.config.optim.batch_size, _TRIAL)],
            channels=self.config.network.channels,
            pixels=self.config.network.pixels,
        )

        def step(precision: str) -> None:
            trial.zero_grad()
            with mixed_precision(self.device, precision):
                points = trial(x)
            points.square().mean().backward()

        self.precision = choose_precision(self.config.machine.precision, self.device, step)
        threads = self.ranks.threads(self.config.machine.threads)
        self.threads = self.ranks.place.locals * choose_threads(threads, self.device, lambda: step(self.precision))

    def share(self) -> None:
        """Share the steps of the stage with the other processes; all call it."""
        self.lesson = self.ranks.shared(self.stages.lesson, self.stages.trained)

    @property
    def batches(self) -> int:
        """Steps per epoch."""
        return -(-len(self.stages.rows) // self.config.optim.batch_size)

    def epoch_rows(self) -> list[Tensor]:
        """The rows of each batch of the epoch under way, in an order that depends on (seed, epoch).

        An epoch is as many images as the train split has. An image costs the same with four labels as with fifteen, so
        rows are drawn in proportion to what they teach (sampling "labels") and to their copies (balance "pose"); if all
        rows count alike, each is seen once.
        """
        generator = torch.Generator().manual_seed(_seed(self.config.seed, self.epoch, -1))
        train, weights = torch.from_numpy(self.stages.rows), torch.from_numpy(self.row_weights[self.stages.rows])
        if (weights == weights[0]).all():
            order = torch.randperm(len(train), generator=generator)
        else:
            order = torch.multinomial(weights, len(train), replacement=True, generator=generator)
        batches = list(train[order].tensor_split(self.batches))
        if isinstance(self.images, StreamedImages):
            self.images.expect(rows[self.ranks.slice(len(rows))] for rows in batches[self.batch :])
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
            take(self.images, rows),
            unlabelled(self.model, points, self.schemes[rows]),
            mask,
            config=self.stages.config,
            flip=self.flip,
            generator=generator,
        )
        self.model.train()
        set_rate(self.optimizer, self.rate(done))
        with mixed_precision(self.device, self.precision):
            lesson = self.lesson(x, points, mask, generator)
        loss, report = self._losses(*each_head(*lesson))
        loss.backward()
        self.watch.pulse.look(self.model, self.step_count - self.stages.first_step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_count += 1
        self.batch += 1
        self.average.update(self.step_count - self.stages.first_step)
        self.loss_sum += report * count
        self.seen += count

    def _losses(self, pred: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The loss to call backward on, and the one to report: of all processes, and of real labels alone."""
        weight = self._point_weights(pred, points, mask)
        chosen = [(pred, points, mask != 0)]
        if self.self_training is not None:
            chosen.append((pred.detach(), points.detach(), mask > 0))
        return self.ranks.whole_loss(
            *(
                (self.loss(p, t, m, weight), divisor(p, m, weight, reduction=self.config.objective.reduction))
                for p, t, m in chosen
            )
        )

    def _labels(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Points [B, K, 2] to learn and their weights [B, K]: 0 (or False) for none, negative for the model's own."""
        points, mask = self.points[rows], (self.mask if self.weight is None else self.weight)[rows]
        return (points, mask) if self.self_training is None else self.self_training.complete(rows, points, mask)

    @torch.inference_mode()
    def _teach(self, pupil: SelfTraining, done: float) -> None:
        """Have the averaged model say where unlabelled points are."""
        model = self.average.ready()
        chosen = pupil.begin(done, seen=self.step_count * self.config.optim.batch_size).to(self.device)
        for rows in chosen.split(_EVALUATION_BATCH):
            with mixed_precision(self.device, self.precision):
                pupil.take(
                    rows, *points_and_spread(model, self._input(rows), flip=self.flip, scheme=self.schemes[rows])
                )

    def _point_weights(self, pred: Tensor, points: Tensor, mask: Tensor) -> Tensor | None:
        """[B, K] for the loss: each point's weight by its origin (in mask) and by its keypoint's error. None: all 1."""
        weight = mask.to(pred.dtype).abs()
        if self.hard_points is None:
            return None if self.weight is None and self.self_training is None else weight
        self.hard_points.update(pred, points, mask > 0, self.ranks.total)
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
        """Begin the next stage with the averaged weights of the one that is over; optimiser and average start afresh.

        Depends on the state alone, so that processes that share a run can do it each for itself.
        """
        self.ranks.announce(Step(self.epoch, self.batch, done, next_stage=True))
        self.model.load_state_dict(self.average.ready().state_dict())
        self.stages.advance(done, step=self.step_count, epoch=self.epoch, points_of=self._plain_points)
        self.average = WeightAverage(self.model, copy.deepcopy(self.model), self.config.optim.ema)
        self.prepare_stage()
        self.share()
        self.watch.begin_stage()

    def keep_if_best(self, rmse: float, nme: float) -> bool:
        """Keep the averaged weights in memory if no epoch was better; whether they are."""
        if not rmse < self.best_rmse:
            return False
        self.best_rmse, self.best_nme, self.best_epoch = rmse, nme, self.epoch + 1
        self.best = {name: value.clone() for name, value in self.average.average.state_dict().items()}
        return True

    @torch.inference_mode()
    def _plain_points(self, rows: np.ndarray) -> np.ndarray:
        """The model's points [n, K, 2] of rows without augmentation, px of the input."""
        self.model.eval()
        with mixed_precision(self.device, self.precision):
            return np.concatenate([self.model(x).float().cpu().numpy() for x, _ in self.inputs(rows)])

    def inputs(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """The network's inputs [B, C, S, S] of rows and their marking schemes [B], in batches."""
        for part in torch.from_numpy(rows).to(self.device).split(_EVALUATION_BATCH):
            yield self._input(part), self.schemes[part]

    def _input(self, rows: Tensor) -> Tensor:
        return prepare(self.images[rows], channels=self.config.network.channels, pixels=self.config.network.pixels)


def _check_memory(config: RunConfig, data: RunData, device: torch.device) -> None:
    """Raises UserError where the network, its average and, on a processor, its gradients and the optimiser's memory
    would not find room: the settings of a run may be a stranger's."""
    copies = 5 if device.type == "cpu" else 2
    size = 4 * copies * recipe_parameters(config, len(data.schema), schemes=len(data.scheme_names) or 1)
    if size > (free := free_memory()):
        raise UserError(
            f"The network {config.network.model} with inputs of {config.network.input_size} px needs "
            f"{size / (1 << 30):,.1f} GB of memory, and {free / (1 << 30):,.1f} GB are free: use a smaller input size or "
            "width, or close other programs."
        )


def _seed(seed: int, epoch: int, batch: int) -> int:
    """One number per (seed, epoch, batch); batch -1 is the epoch's order."""
    return (seed * 1_000_003 + epoch) * 1_000_003 + batch + 1 & (2**63 - 1)
