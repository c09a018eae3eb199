"""How often a run sees each row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.training_data import make_data, tiny_config
from training.learning.fit.step.trainer import Trainer


def seen(sampling: str, *, rows: str = "all", epochs: int = 1) -> tuple[np.ndarray, Trainer]:
    """The rows drawn in a number of epochs, and the trainer."""
    data, _ = make_data(rows=rows)
    trainer = Trainer(tiny_config(sampling=sampling, rows=rows), data)
    drawn = []
    for _ in range(epochs):
        drawn += trainer.epoch_rows()
        trainer.end_epoch()
    return torch.cat(drawn).numpy(), trainer


def test_rows_alike_often_are_each_seen_once_an_epoch() -> None:
    drawn, trainer = seen("rows")
    assert sorted(drawn) == sorted(trainer.data.train)


def test_rows_in_proportion_to_their_labels_are_seen_as_often_as_they_have_labels() -> None:
    """Half of the rows have one label, half have three: three quarters of the drawn rows are complete."""
    drawn, trainer = seen("labels", epochs=100)
    assert len(drawn) == 100 * len(trainer.data.train)
    complete = trainer.data.mask[drawn].all(axis=1)
    assert complete.mean() == pytest.approx(0.75, abs=0.03)
    assert set(drawn) == set(trainer.data.train)


def test_rows_with_equally_many_labels_are_each_seen_once_an_epoch() -> None:
    drawn, trainer = seen("labels", rows="complete")
    assert sorted(drawn) == sorted(trainer.data.train)


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    first, trainer = seen("labels", epochs=2)
    again, _ = seen("labels", epochs=2)
    assert (first == again).all()
    half = len(trainer.data.train)
    assert (first[:half] != first[half:]).any()
