"""The recipes, our own and the papers': a network, a loss and settings under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.errors import UserError
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.search_space import Dimension, Range, default_space

_OURS = "FKP Studio's own"
_MASKED_PAPER = "Masked Loss Residual Convolutional Neural Network for Facial Keypoint Detection, 2017"
_WING_PAPER = "Wing Loss for Robust Facial Landmark Localisation with Convolutional Neural Networks, CVPR 2018"
_CASCADE_REPORT = (
    "Facial Keypoints Detection Using Convolutional Neural Network, course report, Tsinghua University, 2015"
)


@dataclass(frozen=True)
class Recipe:
    """A named configuration. config: our values, which learn within minutes on a CPU; paper: the paper's own, if any.

    space: what a random search draws in addition to `default_space`, or in place of its entries.
    """

    name: str
    source: str
    title: str
    summary: str
    config: RunConfig
    paper: RunConfig | None = None
    space: Mapping[str, Dimension] = field(default_factory=dict)

    @property
    def variants(self) -> tuple[str, ...]:
        return ("default",) if self.paper is None else ("default", "paper")


# Table 2 of the Wing paper tries w from 4 to 14 and epsilon from 0.5 to 3.
_WING_SPACE = {"wing_w": Range(4.0, 16.0), "wing_epsilon": Range(0.5, 4.0, log=True)}

# Our values: measured on real faces, with minutes of training on two CPU cores (docs/results.md).
_BASE = RunConfig()

# Adam, 1e-4, decay 5e-4, batch 256, N(0, 0.02), 1,000 epochs, mirror images.
_MASKED = RunConfig.of(
    variant="paper", optimizer="adam", learning_rate=1e-4, weight_decay=5e-4, schedule="constant", warmup=0.0,
    batch_size=256, epochs=1000, minutes=None, ema=0.0, init="normal", targets="points", dropout=0.5, loss="mse",
    reduction="masked-eq4", flip=0.5, rotation=0.0, scale=0.0, shift=0.0, brightness=0.0, contrast=0.0,
    flip_average=False, sampling="rows",
)  # fmt: skip

# SGD, batch 8, 120k iterations (about 48 epochs of 20,000 AFLW images), 3e-5 -> 3e-7, rotation up to 30 degrees, box
# corners moved by 5 %, blur of sigma 1 on half of the images.
_WING = RunConfig.of(
    recipe="cnn-6", variant="paper", model="cnn-6", input_size=64, channels=3, optimizer="sgd", momentum=0.9,
    learning_rate=3e-5, final_rate=0.01, schedule="geometric", warmup=0.0, weight_decay=5e-4, batch_size=8, epochs=48,
    minutes=None, ema=0.0, targets="points", dropout=0.0, loss="wing", wing_w=10.0, wing_epsilon=2.0,
    reduction="wing-eq3", flip=0.5, rotation=30.0, box_corners=0.05, scale=0.0, shift=0.0, brightness=0.0,
    contrast=0.0, blur=0.5, flip_average=False, sampling="rows",
)  # fmt: skip

# Pixels / 256, points as (y - 48) / 48, Xavier, complete rows, 10,000 epochs; dropout 0.5 was worse than none. The
# report gives no optimiser, learning rate or batch size: these are ours. A rate for errors in pixels is 48^2 times
# smaller than one for (y - 48) / 48.
_MLP = RunConfig.of(
    recipe="mlp", variant="paper", model="mlp", pixels="unit", init="xavier", targets="points", dropout=0.0,
    optimizer="sgd", momentum=0.9, learning_rate=1e-5, schedule="constant", warmup=0.0, weight_decay=0.0,
    batch_size=128, epochs=10_000, minutes=None, ema=0.0, loss="mse", rows="complete", flip=0.0, rotation=0.0,
    scale=0.0, shift=0.0, brightness=0.0, contrast=0.0, flip_average=False, sampling="rows",
)  # fmt: skip

# The paper starts from ImageNet weights (`pretrained`) and gives neither rate nor w for 224 pixels: we take CNN-7's.
_RESNET: dict[str, Any] = {
    "recipe": "resnet-50", "model": "resnet-50", "input_size": 224, "channels": 3, "pixels": "imagenet",
    "loss": "wing", "wing_w": 15.0, "wing_epsilon": 3.0,
}  # fmt: skip

# Found on the val split of faces15 (docs/results.md): absolute errors of both heads, light augmentation.
_LIGHT = RunConfig.of(
    recipe="recommended",
    model="light",
    start_from="auto",
    loss="l1",
    learning_rate=2e-3,
    weight_decay=1e-2,
    warmup=0.05,
    ema=0.998,
    dropout=0.0,
    label_offset=True,
    schemes="auto",
    self_training=0.7,
    upright=True,
)

RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe(
            "recommended",
            _OURS,
            "Recommended: best accuracy for the time",
            "A light network with one heat map per keypoint and a small coordinate head; it learns a constant label "
            "offset separately.",
            _LIGHT,
        ),
        Recipe(
            "fast",
            _OURS,
            "Fast: for many faces and video",
            "Half the width and one view per image: quick to train, and the fastest at prediction.",
            _LIGHT.changed(recipe="fast", width=0.5, minutes=3.0, flip_average=False),
        ),
        Recipe(
            "best",
            _OURS,
            "Best: most accurate, takes half an hour",
            "As recommended, but wider and trained for half an hour.",
            _LIGHT.changed(recipe="best", width=1.5, minutes=30.0),
        ),
        Recipe(
            "ml-resnet",
            _MASKED_PAPER,
            "ML-ResNet, masked MSE",
            "Two residual blocks after a wide first convolution; every row counts with the labels it has.",
            _BASE.changed(recipe="ml-resnet", model="ml-resnet"),
            _MASKED.changed(recipe="ml-resnet", model="ml-resnet"),
        ),
        Recipe(
            "ml-cnn",
            _MASKED_PAPER,
            "ML-CNN, masked MSE",
            "The same six layers without residual connections; every row counts with the labels it has.",
            _BASE.changed(recipe="ml-cnn", model="ml-cnn"),
            _MASKED.changed(recipe="ml-cnn", model="ml-cnn"),
        ),
        Recipe(
            "cnn",
            _MASKED_PAPER,
            "CNN, plain MSE",
            "The same network as ML-CNN, trained on complete rows only: the baseline for the masked loss.",
            _BASE.changed(recipe="cnn", model="ml-cnn", rows="complete"),
            _MASKED.changed(recipe="cnn", model="ml-cnn", rows="complete"),
        ),
        Recipe(
            "cnn-6",
            _WING_PAPER,
            "CNN-6, masked Wing loss",
            "A small, fast network of five convolutions on 64-pixel images; Wing loss gives small errors more weight.",
            _BASE.changed(
                recipe="cnn-6",
                model="cnn-6",
                input_size=64,
                channels=3,
                loss="wing",
                wing_w=10.0,
                wing_epsilon=2.0,
            ),
            _WING,
            _WING_SPACE,
        ),
        Recipe(
            "cnn-7",
            _WING_PAPER,
            "CNN-7, masked Wing loss",
            "Six convolutions on 128-pixel images: slower and more precise than CNN-6.",
            _BASE.changed(
                recipe="cnn-7",
                model="cnn-7",
                input_size=128,
                channels=3,
                loss="wing",
                wing_w=15.0,
                wing_epsilon=3.0,
            ),
            _WING.changed(
                recipe="cnn-7",
                model="cnn-7",
                input_size=128,
                wing_w=15.0,
                wing_epsilon=3.0,
                learning_rate=1e-5,
                rotation=10.0,
            ),
            {"wing_w": Range(6.0, 24.0), "wing_epsilon": Range(0.75, 6.0, log=True)},
        ),
        Recipe(
            "cnn-6-7",
            _WING_PAPER,
            "CNN-6/7 in two stages, masked Wing loss",
            "CNN-6 finds the face's position and rotation; CNN-7 finds the points in the crop aligned to it.",
            _BASE.changed(
                recipe="cnn-6-7",
                model="cnn-6-7",
                input_size=64,
                channels=3,
                loss="wing",
                wing_w=15.0,
                wing_epsilon=3.0,
                stage_split=0.3,
                batch_size=16,
            ),
            _WING.changed(
                recipe="cnn-6-7",
                model="cnn-6-7",
                input_size=128,
                wing_w=15.0,
                wing_epsilon=3.0,
                stage_split=0.5,
                stage_rate=1 / 3,
            ),
            {"wing_w": Range(6.0, 24.0), "wing_epsilon": Range(0.75, 6.0, log=True)},
        ),
        Recipe(
            "cascade",
            _CASCADE_REPORT,
            "Two-level cascade, masked MSE",
            "Level 1 finds all points, then one small network per keypoint refines its point within a patch around it.",
            _BASE.changed(recipe="cascade", model="cascade"),
            # The report trains each small network on every row that has its keypoint; it gives no learning rate.
            _MLP.changed(recipe="cascade", model="cascade", init="he", rows="all", epochs=1000),
        ),
        Recipe(
            "mlp",
            _CASCADE_REPORT,
            "MLP, masked MSE",
            "One hidden layer, no convolution: quick to train, the baseline for every other network.",
            _BASE.changed(recipe="mlp", model="mlp"),
            _MLP,
        ),
        Recipe(
            "resnet-50",
            _WING_PAPER,
            "ResNet-50, masked Wing loss",
            "The largest network, on 224-pixel images: slow on a CPU, hours rather than minutes, unless it starts from "
            "ImageNet weights (the setting pretrained).",
            _BASE.changed(**_RESNET, batch_size=16),
            _WING.changed(**_RESNET, learning_rate=1e-5, rotation=10.0),
        ),
    )
}


def recipe_config(name: str, variant: str = "default") -> RunConfig:
    """The settings of a recipe. Raises UserError for an unknown name or variant."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise UserError(f"There is no recipe {name!r}; the recipes are {', '.join(RECIPES)}.")
    if variant not in ("default", "paper"):
        raise UserError(f"The recipe {name} has the variants default and paper, not {variant!r}.")
    if variant == "default":
        return recipe.config
    if recipe.paper is None:
        raise UserError(f"The recipe {name} is not from a paper: it has only the variant default.")
    return recipe.paper


def recipe_space(name: str, variant: str = "default") -> dict[str, Dimension]:
    """What a random search of this recipe draws by default. Raises UserError like `recipe_config`."""
    return {**default_space(recipe_config(name, variant)), **RECIPES[name].space}
