"""Detects when a training run goes wrong and reports each problem once, in a plain sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.learning.fit.resuming.saved_values import SavedValues
from training.learning.fit.troubles.steps import HIGH, LOW, Pulse
from training.learning.fit.troubles.units import Units
from training.storage.runs.events import EpochDone, Trouble

_PATIENCE = 5  # epochs before a verdict
_EARLY = 0.1  # of the budget: before that only NaN and exploding gradients are reported
_ALIKE = 0.1  # spread of the points relative to the labels' below which they are the same for every image
_DEAD = 0.98  # of a layer's units; wide layers of networks that do well have up to 96 %
_SECOND = "second."  # prefix of the second stage's layer names
_FAINT = 0.1  # output of the last units, for inputs of size 1
_SETTLED = 150  # steps, or half of the budget: before that a run has not settled
_CAUSES = ("dead-units", "faint-signal", "learning-rate-low", "learning-rate-high")
_RISE = 2.0  # times the lowest training loss


class TroubleWatch:
    """Checks each epoch of one run.

    nan: the training loss is not a number. exploding: the gradients grow by orders of magnitude. overfitting: val gets
    worse while train gets better. dead-units: a layer's ReLUs output zero for every image. faint-signal: the initial
    weights let hardly any signal through. learning-rate-low, learning-rate-high: the weights hardly move, or jump
    about. Where no such cause is found, the symptom. constant: the points hardly differ between images; mean-shape:
    after some epochs the run is no better than predicting the mean shape.
    """

    def __init__(self, mean_shape_rmse: float) -> None:
        self.mean_shape_rmse = mean_shape_rmse
        self.said: list[str] = []
        self.best_val, self.train_at_best, self.epochs_since = math.inf, math.inf, 0
        self.liveliness = math.nan
        self.lowest_train = math.inf
        self.pulse, self.units = Pulse(), Units()

    def look_at_predictions(self, pred: np.ndarray, target: np.ndarray, mask: np.ndarray) -> None:
        """Compare how much predictions and labels [N, K, 2] vary between images. mask: [N, K], True where labelled."""
        spread = target[mask].reshape(-1, 2) - _keypoint_means(target, mask)[np.nonzero(mask)[1]]
        ours = pred[mask].reshape(-1, 2) - _keypoint_means(pred, mask)[np.nonzero(mask)[1]]
        labels = float(np.sqrt(np.square(spread).mean())) if spread.size else 0.0
        self.liveliness = float(np.sqrt(np.square(ours).mean())) / labels if labels > 0 else math.nan

    def check(self, epoch: EpochDone, *, done: float) -> list[Trouble]:
        """Problems found after this epoch and not reported before. done: fraction of the budget used, 0..1."""
        self._follow(epoch)
        if epoch.epoch < _PATIENCE or done < _EARLY or (0 < self.pulse.steps < _SETTLED and done < 0.5):
            return []
        found = [
            t
            for t in (self._cause(epoch) or self._symptom(epoch), self._overfitting(epoch))
            if t and t.kind not in self.said
        ]
        self.said += [t.kind for t in found]
        return found

    def alarm(self) -> list[Trouble]:
        """Problems that can't wait for the end of the epoch; each is reported once."""
        times = self.pulse.exploded()
        if not times or "exploding" in self.said:
            return []
        self.said.append("exploding")
        grown = f"are {times:,.0f} times larger than at the start" if math.isfinite(times) else "are no longer finite"
        return [
            Trouble(
                "exploding",
                f"The gradients {grown}: the training is about to diverge. Train again with a learning rate three to "
                "ten times smaller, a longer warm-up, or AdamW in place of SGD, and check for labels far outside "
                "their images.",
            )
        ]

    def _follow(self, epoch: EpochDone) -> None:
        if epoch.val_loss < self.best_val:
            self.best_val, self.train_at_best, self.epochs_since = epoch.val_loss, epoch.train_loss, 0
        else:
            self.epochs_since += 1
        self.lowest_train = min(self.lowest_train, epoch.train_loss)

    def _cause(self, epoch: EpochDone) -> Trouble | None:
        """Why nothing is learned, if units or steps show it; for a run that learns, only whether it became unstable."""
        if not (self.liveliness < _ALIKE or epoch.rmse > 0.95 * self.mean_shape_rmse):
            second = self._dead_units(within=_SECOND) if epoch.stage > 1 else None  # masked by the first stage's points
            return second or self._unsteady(epoch)
        return self._dead_units() or self._faint() or self._slow(epoch) or self._unsteady(epoch)

    def _symptom(self, epoch: EpochDone) -> Trouble | None:
        if any(kind in self.said for kind in _CAUSES):
            return None
        return self._constant() or self._mean_shape(epoch)

    def _dead_units(self, *, within: str = "") -> Trouble | None:
        worst = self.units.worst(within=within)
        if worst is None or worst[1].dead < _DEAD:
            return None
        name, layer = worst
        of = "" if layer.groups == 1 else " in one keypoint's network"
        many = f"{round(layer.dead * layer.size):,} of the {layer.size:,} units of {name.removeprefix('network.')}{of}"
        if self.liveliness < _ALIKE:
            return Trouble(
                "dead-units",
                f"The network outputs the same points for every image: {many} are dead (0 for every image), so only "
                "the output's bias is left, which holds the mean shape. The first steps were too large: train again "
                "with a learning rate ten times smaller, or a longer warm-up.",
            )
        return Trouble(
            "dead-units",
            f"{many} are dead: they output 0 for every image and no longer learn. Train again with a smaller learning "
            "rate or a longer warm-up.",
        )

    def _faint(self) -> Trouble | None:
        last = self.units.last()
        if last is None or not self.liveliness < _ALIKE or last.strength > _FAINT:
            return None
        return Trouble(
            "faint-signal",
            "The network outputs nearly the same points for every image: its last units reach only "
            f"{last.strength:.2g}, so the output's bias, which holds the mean shape, outweighs the signal. The initial "
            "weights were too small: train again with init he and targets offset.",
        )

    def _slow(self, epoch: EpochDone) -> Trouble | None:
        if not self.pulse.largest_ratio() < LOW:
            return None
        return Trouble(
            "learning-rate-low",
            f"The learning rate is far too low: after {epoch.epoch} epochs no step has moved the weights by more than "
            f"{self.pulse.largest_ratio():.1g} of their size, and nothing was learned. Train again with one ten to a "
            "hundred times larger.",
        )

    def _unsteady(self, epoch: EpochDone) -> Trouble | None:
        rises = epoch.train_loss > _RISE * self.lowest_train
        learnt = epoch.rmse < 0.95 * self.mean_shape_rmse
        if not self.pulse.usual_ratio() > HIGH or (learnt and not rises):
            return None
        return Trouble(
            "learning-rate-high",
            f"The learning rate is far too high: each step moves the weights by {self.pulse.usual_ratio():.0%} of "
            "their size, and the loss is unstable. Train again with one ten times smaller.",
        )

    def _constant(self) -> Trouble | None:
        if not self.liveliness < _ALIKE:
            return None
        return Trouble(
            "constant",
            f"The network outputs nearly the same points for every image: they vary {self.liveliness:.0%} as much as "
            "the labels. Try a smaller learning rate or He initialisation, and check that images and labels belong "
            "together.",
        )

    def _mean_shape(self, epoch: EpochDone) -> Trouble | None:
        if not epoch.rmse > 0.95 * self.mean_shape_rmse or "constant" in self.said:
            return None
        return Trouble(
            "mean-shape",
            f"After {epoch.epoch} epochs the error on val is {epoch.rmse:.2f} px; always predicting the mean shape "
            f"gives {self.mean_shape_rmse:.2f} px. Try another learning rate or a longer run, or check the labels.",
        )

    def _overfitting(self, epoch: EpochDone) -> Trouble | None:
        worse = epoch.val_loss > 1.1 * self.best_val and epoch.train_loss < 0.9 * self.train_at_best
        if self.epochs_since < _PATIENCE or not worse or any(kind in self.said for kind in _CAUSES):
            return None
        return Trouble(
            "overfitting",
            f"The network is overfitting: the loss on val has not improved for {self.epochs_since} epochs while the "
            "loss on train still falls. The best model is kept; more faces, more augmentation or a shorter run help.",
        )

    def begin_stage(self) -> None:
        """Forget the losses so far: those of another stage can't be compared with them."""
        self.best_val, self.train_at_best, self.epochs_since = math.inf, math.inf, 0
        self.lowest_train, self.pulse = math.inf, Pulse()

    def to_json(self) -> dict[str, Any]:
        return {
            "said": self.said,
            "best_val": self.best_val,
            "train_at_best": self.train_at_best,
            "epochs_since": self.epochs_since,
        }

    def from_json(self, saved: SavedValues) -> None:
        """Restore `to_json`'s values. Raises ValueError where they do not fit."""
        self.said = saved.texts("said")
        self.best_val = saved.number("best_val", or_nan=True)
        self.train_at_best = saved.number("train_at_best", or_nan=True)
        self.epochs_since = saved.whole("epochs_since")


def not_a_number(epoch: int, *, best_epoch: int) -> Trouble:
    """The training loss is not a number. best_epoch: of the model that is kept, 0 if there is none."""
    kept = (
        f"The best model so far, from epoch {best_epoch}, is kept." if best_epoch else "There is no model to keep yet."
    )
    return Trouble(
        "nan",
        f"The loss became NaN in epoch {epoch}: the steps are too large. {kept}",
    )


def no_val_split(count: int) -> Trouble:
    return Trouble(
        "no-val",
        f"The project has no faces in its val split, so errors are measured on {count} training faces and look better "
        "than they are. Move some people to val to see real errors.",
    )


def stage_2_no_better(share: float) -> Trouble:
    """The second of two stages improved nothing. share: the first stage's fraction of the budget."""
    return Trouble(
        "stage-2",
        "Stage 2 did not improve on stage 1, so the model that is kept uses stage 1 alone. Give the run more time, or "
        f"stage 1 a smaller share of it (stage_split, now {share:g}).",
    )


def unreadable_images(sentences: tuple[str, ...]) -> Trouble:
    """Some samples were skipped. sentences: why, one per sample; the first is quoted."""
    if len(sentences) == 1:
        return Trouble("unreadable", f"1 image was skipped because it cannot be read: {sentences[0]}")
    return Trouble(
        "unreadable", f"{len(sentences):,} images were skipped because they cannot be read; the first: {sentences[0]}"
    )


def _keypoint_means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[K, 2]: the mean of values [N, K, 2] where mask [N, K] is set."""
    total = np.where(mask[..., None], values, 0).sum(axis=0)
    return total / np.maximum(mask.sum(axis=0), 1)[:, None]
