"""Definition of an experiment: the arms to train, the paper's figures, and the paper's claims about the arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from training.errors import UserError
from training.storage.runs.settings.config import RunConfig, with_overrides
from training.storage.runs.settings.recipes import RECIPES, recipe_config
from training.words import counted


@dataclass(frozen=True)
class Arm:
    """One row of the table.

    short: its name in sentences (default: the title). overrides: settings as texts. paper: measure -> the paper's
    figure, in the measure's unit. stage_of: this arm is not trained; it is the output of an earlier stage (`stage`,
    from 0) of that arm's network. networks: how many networks the arm trains in sequence, each with the whole budget.
    """

    name: str
    title: str
    recipe: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    paper: Mapping[str, float] = field(default_factory=dict)
    stage_of: str = ""
    stage: int = 0
    short: str = ""
    networks: int = 1

    @property
    def word(self) -> str:
        return self.short or self.title


@dataclass(frozen=True)
class Claim:
    """The paper's claim, worded `says`, that `better` has a smaller `measure` than `worse`.

    faces: all, or only the turned ones.
    """

    better: str
    worse: str
    measure: str
    says: str
    faces: Literal["all", "turned"] = "all"


@dataclass(frozen=True)
class Experiment:
    """A table of a paper.

    measures: the columns, main one first. figures: names in `training.experiments.report.figures`. normaliser: for the
    x axis of the CED. about: what is compared, in a sentence or two. paper_setting: the data and training behind the
    paper's figures, which are not directly comparable.
    """

    name: str
    title: str
    source: str
    about: str
    paper_setting: str
    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...] = ()
    measures: tuple[str, ...] = ("rmse_96", "failures", "nme_interocular")
    normaliser: str = "interocular"
    figures: tuple[str, ...] = ("ced", "curves", "keypoints")
    kind: Literal["training", "speed"] = "training"

    def arm(self, name: str) -> Arm:
        return next(a for a in self.arms if a.name == name)

    @property
    def trained(self) -> tuple[Arm, ...]:
        """The arms that are trained themselves."""
        return tuple(a for a in self.arms if not a.stage_of)


@dataclass(frozen=True)
class Budget:
    """The budget of each training: minutes or epochs. seeds: the number of trainings per arm, seeded 0, 1, ..."""

    minutes: float | None = 3.0
    epochs: int | None = None
    seeds: int = 2

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.epochs is None):
            raise UserError("Give either minutes or epochs per run.")
        if not 1 <= self.seeds <= 100:
            raise UserError(f"The number of seeds must be between 1 and 100, not {self.seeds}.")

    @property
    def words(self) -> str:
        """`3 minutes` or `10 epochs`."""
        if self.epochs is not None:
            return counted(self.epochs, "epoch")
        return f"{self.minutes:g} minute{'s' if self.minutes != 1 else ''}"


def arm_config(arm: Arm, budget: Budget, *, seed: int) -> RunConfig:
    """The settings of one training: recipe, the arm's overrides, one thread, this budget and seed. Raises UserError."""
    texts = {"threads": "1", **arm.overrides, "seed": str(seed)}
    if budget.epochs is not None:
        texts["epochs"] = str(arm.networks * budget.epochs)
    else:
        texts["minutes"] = f"{arm.networks * (budget.minutes or 0):g}"
    return with_overrides(recipe_config(arm.recipe), texts)


def differ_in_rows_only(first: Arm, second: Arm) -> bool:
    """Whether two arms differ only in the rows they train on; then they are identical if every face is complete."""
    one, other = (network_config(arm).changed(recipe="", rows="all") for arm in (first, second))
    return one == other and not first.stage_of and not second.stage_of


def network_config(arm: Arm) -> RunConfig:
    """The settings that determine an arm's network, without a budget or seed."""
    return with_overrides(recipe_config(arm.recipe), arm.overrides)


def missing_recipes(experiment: Experiment) -> list[str]:
    """The recipes that an experiment needs and this version does not have."""
    return sorted({a.recipe for a in experiment.arms} - set(RECIPES))
