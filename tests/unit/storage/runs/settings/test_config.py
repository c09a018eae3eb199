"""Settings and recipes: ranges, texts, budgets, and consistent tables."""

from __future__ import annotations

from typing import Any

import pytest

from training.errors import UserError
from training.learning.fit.step.losses import LOSSES
from training.learning.models.registry import MODELS
from training.storage.runs.settings.config import SETTINGS, RunConfig, with_budget, with_overrides
from training.storage.runs.settings.recipes import RECIPES, recipe_config
from training.storage.runs.settings.setting import PAGES


def test_each_setting_has_help_a_group_and_limits() -> None:
    for field in SETTINGS.values():
        assert field.metadata["help"].endswith(".")
        assert field.metadata["page"] in PAGES
        if field.type not in ("str", "bool"):
            assert field.metadata["low"] < field.metadata["high"]


def test_the_choices_are_what_the_tables_hold() -> None:
    choices = {f.name: f.metadata["choices"] for f in SETTINGS.values()}
    assert set(choices["model"]) == set(MODELS)
    assert set(choices["loss"]) == set(LOSSES)


@pytest.mark.parametrize(("name", "variant"), [(r.name, v) for r in RECIPES.values() for v in r.variants])
def test_a_recipe_survives_json_and_says_where_it_comes_from(name: str, variant: str) -> None:
    config = recipe_config(name, variant)
    assert RunConfig.from_json(config.to_json()) == config
    assert (config.recipe, config.variant) == (name, variant)


def test_the_papers_values() -> None:
    masked, wing = recipe_config("ml-resnet", "paper"), recipe_config("cnn-6", "paper")
    assert (
        masked.optim.optimizer,
        masked.optim.learning_rate,
        masked.optim.batch_size,
        masked.budget.epochs,
        masked.network.init,
    ) == (
        "adam",
        1e-4,
        256,
        1000,
        "normal",
    )
    assert (
        wing.optim.optimizer,
        wing.optim.learning_rate,
        wing.optim.batch_size,
        wing.objective.wing_w,
        wing.objective.wing_epsilon,
    ) == (
        "sgd",
        3e-5,
        8,
        10,
        2,
    )
    assert recipe_config("cnn").data.rows == "complete"
    assert recipe_config("ml-cnn").data.rows == "all"


def test_texts_become_values() -> None:
    config = with_overrides(
        recipe_config("cnn-6"), {"batch-size": "16", "learning_rate": "1e-4", "flip_average": "no", "optimizer": "sgd"}
    )
    assert (
        config.optim.batch_size,
        config.optim.learning_rate,
        config.network.flip_average,
        config.optim.optimizer,
    ) == (16, 1e-4, False, "sgd")


def test_one_budget_takes_the_place_of_the_other() -> None:
    config = with_overrides(recipe_config("cnn-6"), {"epochs": "3"})
    assert (config.budget.epochs, config.budget.minutes) == (3, None)
    both = with_overrides(config, {"epochs": "3", "minutes": "2"})
    assert (both.budget.epochs, both.budget.minutes) == (3, 2.0)
    assert with_budget(config, minutes=1.5).budget.epochs is None
    assert with_budget(config) is config


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("batch_size", "many", "batch_size needs a whole number"),
        ("batch_size", "0", "batch_size must be between"),
        ("learning_rate", "nan", "learning_rate must be between"),
        ("optimizer", "magic", "optimizer must be one of"),
        ("flip_average", "perhaps", "flip_average must be yes or no"),
        ("colour", "red", "no setting 'colour'"),
        ("channels", "2", "channels must be 1"),
        ("precision", "float16", "precision must be one of auto, float32, bfloat16"),
        ("recipe", "ml-cnn", "choose it with --recipe"),
        ("variant", "paper", "choose it with --variant"),
    ],
)
def test_a_wrong_setting_is_named(key: str, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        with_overrides(recipe_config("cnn-6"), {key: text})


@pytest.mark.parametrize(
    "values", [{"batch_size": True}, {"batch_size": 1.5}, {"recipe": 3}, {"minutes": None}, {"minutes": [1]}]
)
def test_wrong_json_values_are_told(values: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        RunConfig.from_json(values)


def test_unknown_recipes_are_told() -> None:
    with pytest.raises(UserError, match="no recipe 'none'"):
        recipe_config("none")
    with pytest.raises(UserError, match="variants"):
        recipe_config("cnn", "other")


def test_groups_are_flat_in_files_and_for_changes() -> None:
    config = recipe_config("cnn-6")
    flat = config.to_json()
    assert list(flat) == list(SETTINGS)
    assert all(config.value(name) == value for name, value in flat.items())
    changed = config.changed(learning_rate=0.5, flip=0.0, seed=7)
    assert (changed.optim.learning_rate, changed.augment.flip, changed.seed) == (0.5, 0.0, 7)
    assert {n for n in SETTINGS if changed.value(n) != config.value(n)} == {"learning_rate", "flip", "seed"}
    with pytest.raises(UserError, match="There is no setting 'learning'"):
        config.changed(learning=1)
