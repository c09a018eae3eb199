"""Says in plain sentences when a training goes wrong, each once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.events import EpochDone, Trouble

_PATIENCE = 5  # epochs before a verdict
_EARLY = 0.1  # of the budget: before that nothing but NaN is trouble


class Doctor:
    """Looks at each epoch of one run.

    NaN: the training loss is no number. mean-shape: after some epochs no better than predicting the mean shape.
    constant: the points hardly differ between pictures. overfitting: val gets worse while train gets better.
    """

    def __init__(self, mean_shape_rmse: float) -> None:
        self.mean_shape_rmse = mean_shape_rmse
        self.said: list[str] = []
        self.best_val, self.train_at_best, self.epochs_since = math.inf, math.inf, 0
        self.liveliness = math.nan

    def look_at_predictions(self, pred: np.ndarray, target: np.ndarray, mask: np.ndarray) -> None:
        """Compare how much predictions and labels [N, K, 2] differ between pictures; mask [N, K]: labels that are there."""
        spread = target[mask].reshape(-1, 2) - _keypoint_means(target, mask)[np.nonzero(mask)[1]]
        ours = pred[mask].reshape(-1, 2) - _keypoint_means(pred, mask)[np.nonzero(mask)[1]]
        labels = float(np.sqrt(np.square(spread).mean())) if spread.size else 0.0
        self.liveliness = float(np.sqrt(np.square(ours).mean())) / labels if labels > 0 else math.nan

    def check(self, epoch: EpochDone, *, done: float) -> list[Trouble]:
        """What is wrong after this epoch and was not said before; done: how much of the budget is used, 0..1."""
        self._follow(epoch)
        if epoch.epoch < _PATIENCE or done < _EARLY:
            return []
        found = [
            t
            for t in (self._constant(), self._mean_shape(epoch), self._overfitting(epoch))
            if t and t.kind not in self.said
        ]
        self.said += [t.kind for t in found]
        return found

    def _follow(self, epoch: EpochDone) -> None:
        if epoch.val_loss < self.best_val:
            self.best_val, self.train_at_best, self.epochs_since = epoch.val_loss, epoch.train_loss, 0
        else:
            self.epochs_since += 1

    def _constant(self) -> Trouble | None:
        if not self.liveliness < 0.1:
            return None
        return Trouble(
            "constant",
            f"The network gives nearly the same points whatever the picture: they vary {self.liveliness:.0%} as much as the labels. "
            "Try a smaller learning rate, He initialisation, or check that pictures and labels belong together.",
        )

    def _mean_shape(self, epoch: EpochDone) -> Trouble | None:
        if not epoch.rmse > 0.95 * self.mean_shape_rmse or "constant" in self.said:
            return None
        return Trouble(
            "mean-shape",
            f"After {epoch.epoch} epochs the error on val is {epoch.rmse:.2f} px; always giving the mean shape has "
            f"{self.mean_shape_rmse:.2f} px. Try another learning rate, a longer run, or look at the labels.",
        )

    def _overfitting(self, epoch: EpochDone) -> Trouble | None:
        worse = epoch.val_loss > 1.1 * self.best_val and epoch.train_loss < 0.9 * self.train_at_best
        if self.epochs_since < _PATIENCE or not worse:
            return None
        return Trouble(
            "overfitting",
            f"The network learns the training faces by heart: for {self.epochs_since} epochs the loss on val has not been better "
            "while that on train still falls. The best model is kept; more faces, more augmentation or a shorter run help.",
        )

    def begin_stage(self) -> None:
        """Losses of another stage can't be compared with those before."""
        self.best_val, self.train_at_best, self.epochs_since = math.inf, math.inf, 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for the saved state."""
        return {
            "said": self.said,
            "best_val": self.best_val,
            "train_at_best": self.train_at_best,
            "epochs_since": self.epochs_since,
        }

    def from_json(self, values: dict[str, Any]) -> None:
        """Go on from saved values. Raises KeyError or TypeError where they are not whole."""
        self.said = [str(s) for s in values["said"]]
        self.best_val, self.train_at_best = float(values["best_val"]), float(values["train_at_best"])
        self.epochs_since = int(values["epochs_since"])


def not_a_number(epoch: int) -> Trouble:
    """The training loss is no longer a number."""
    return Trouble(
        "nan",
        f"The loss stopped being a number in epoch {epoch}: the steps are too large. The best model until then is kept.",
    )


def no_val_split(count: int) -> Trouble:
    """There are no val faces to measure on."""
    return Trouble(
        "no-val",
        f"The project has no faces in its val split, so errors are measured on {count} training faces and look better than they are. "
        "Put some people into val to see real errors.",
    )


def unreadable_pictures(sentences: tuple[str, ...]) -> Trouble:
    """Some samples take no part; the first sentence says why."""
    count = "1 picture was" if len(sentences) == 1 else f"{len(sentences):,} pictures were"
    return Trouble("unreadable", f"{count} left out, since they cannot be read: {sentences[0]}")


def _keypoint_means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean [K, 2] of values [N, K, 2] where mask [N, K]."""
    total = np.where(mask[..., None], values, 0).sum(axis=0)
    return total / np.maximum(mask.sum(axis=0), 1)[:, None]
