"""The settings of a run: one frozen dataclass whose fields carry their help, range and group. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from training.errors import UserError

GROUPS = ("Training", "Model", "Loss", "Augmentation")


def setting(
    default: Any,
    help: str,  # noqa: A002  - the word used by argparse and by Qt's forms
    *,
    group: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of RunConfig. low and high are inclusive; choices: the only texts allowed."""
    return field(default=default, metadata={"help": help, "group": group, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides how a run goes, apart from the labels and the pictures. Raises UserError when out of range."""

    recipe: str = setting("ml-resnet", "The named recipe these settings come from.", group="Training")
    variant: str = setting(
        "default", "Own values for a CPU, or the paper's.", group="Training", choices=("default", "paper")
    )
    epochs: int | None = setting(
        None, "Stop after so many passes over the data.", group="Training", low=1, high=1_000_000
    )
    minutes: float | None = setting(
        5.0, "Stop after so many minutes of training.", group="Training", low=0.01, high=100_000
    )
    batch_size: int = setting(32, "Pictures a step.", group="Training", low=1, high=65_536)
    optimizer: str = setting("adamw", "How the weights are moved.", group="Training", choices=("adamw", "adam", "sgd"))
    learning_rate: float = setting(1e-3, "Size of the steps at their largest.", group="Training", low=1e-12, high=100)
    final_rate: float = setting(
        0.0, "Learning rate at the end, as a fraction of the largest.", group="Training", low=0, high=1
    )
    schedule: str = setting(
        "cosine",
        "How the learning rate falls over the budget.",
        group="Training",
        choices=("cosine", "geometric", "constant"),
    )
    warmup: float = setting(
        0.03, "Fraction of the budget in which the learning rate rises.", group="Training", low=0, high=0.5
    )
    weight_decay: float = setting(5e-4, "Pulls weights towards zero.", group="Training", low=0, high=10)
    momentum: float = setting(0.9, "Momentum of SGD.", group="Training", low=0, high=0.9999)
    ema: float = setting(
        0.995,
        "Running average of the weights that is evaluated and kept; 0 switches it off.",
        group="Training",
        low=0,
        high=0.99999,
    )
    seed: int = setting(
        0, "Runs with the same seed see the same pictures in the same order.", group="Training", low=0, high=2**31 - 1
    )
    device: str = setting(
        "auto",
        "Where to compute: auto is cuda, then mps, then cpu.",
        group="Training",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = setting(
        "auto",
        "Number format of the network; auto measures which is faster.",
        group="Training",
        choices=("auto", "float32", "bfloat16"),
    )
    threads: int = setting(0, "Processor threads; 0 takes all cores.", group="Training", low=0, high=4096)
    processes: int = setting(
        0,
        "Processes that share each batch, with the same result; 0: one for each graphics card, or one.",
        group="Training",
        low=0,
        high=1024,
    )

    model: str = setting(
        "ml-resnet",
        "The network.",
        group="Model",
        choices=("ml-resnet", "ml-cnn", "cnn-6", "cnn-7", "mlp", "resnet-50", "cnn-6-7", "cascade", "light"),
    )
    width: float = setting(1.0, "Channels of the network light, as a multiple.", group="Model", low=0.1, high=8)
    label_offset: bool = setting(
        False,
        "Learn by how much the labels of each keypoint stand beside its place, alike in all pictures (a wrong origin, a "
        "rounding), apart from the network, which mirrored pictures would confuse.",
        group="Model",
    )
    schemes: str = setting(
        "one",
        "With label_offset: rows that come from different sources may be marked by different rules, so each gets offsets of its "
        "own. import: each import (or part of it) is a source; pattern: rows with exactly the same few keypoints are; auto: both.",
        group="Model",
        choices=("one", "auto", "import", "pattern"),
    )
    stage_split: float = setting(
        0.4,
        "Models with two stages: the fraction of the budget that trains the first.",
        group="Training",
        low=0.05,
        high=0.95,
    )
    stage_rate: float = setting(
        1.0,
        "Models with two stages: the learning rate of the second as a multiple of the first's.",
        group="Training",
        low=1e-3,
        high=100,
    )
    input_size: int = setting(96, "Side of the network's input in pixels.", group="Model", low=16, high=1024)
    channels: int = setting(1, "1 for gray, 3 for colour.", group="Model", low=1, high=3)
    dropout: float = setting(
        0.1, "Fraction of features left out before the output while training.", group="Model", low=0, high=0.95
    )
    init: str = setting(
        "he",
        "First weights: He's rule, Xavier's, or N(0, 0.02) as in the masked-loss paper.",
        group="Model",
        choices=("he", "xavier", "normal"),
    )
    pretrained: str = setting(
        "",
        "File with ImageNet weights of a ResNet-50, .pth or .safetensors, to start from.",
        group="Model",
    )
    start_from: str = setting(
        "",
        "Weights to begin with: starter (the model that came with the program), auto (the starter where fewer than 1,000 faces "
        "are labelled to train on), or a model.safetensors of the same network; empty: none.",
        group="Model",
    )
    pixels: str = setting(
        "picture",
        "What the network sees: picture: each with mean 0 and deviation 1; unit: light / 256; "
        "imagenet: less ImageNet's mean colour, by its deviation, as weights trained on it expect.",
        group="Model",
        choices=("picture", "unit", "imagenet"),
    )
    targets: str = setting(
        "offset",
        "What the output means: the offset from the mean shape, or the points themselves.",
        group="Model",
        choices=("offset", "points"),
    )

    loss: str = setting(
        "mse", "The loss, over present coordinates.", group="Loss", choices=("mse", "l2", "l1", "smooth_l1", "wing")
    )
    wing_w: float = setting(
        10.0,
        "Wing: errors below this many pixels of the input count logarithmically.",
        group="Loss",
        low=1e-3,
        high=1000,
    )
    wing_epsilon: float = setting(
        2.0, "Wing: how curved the logarithm is, in pixels.", group="Loss", low=1e-3, high=1000
    )
    reduction: str = setting(
        "mean",
        "mean: over present coordinates; masked-eq4: over all, missing ones as 0 (masked-loss paper, Eq. 4); "
        "wing-eq3: sum over coordinates, mean over pictures (Wing paper, Eq. 3).",
        group="Loss",
        choices=("mean", "masked-eq4", "wing-eq3"),
    )
    model_weight: float = setting(
        1.0,
        "Weight in the loss of points accepted from a model: 1 as a person's, 0 left out.",
        group="Loss",
        low=0,
        high=1,
    )
    self_training: float = setting(
        0.0,
        "From a third of the budget on, points that nobody has labelled are learnt from the running average of the weights, "
        "with up to this weight: as sure as it is of each.",
        group="Loss",
        low=0,
        high=1,
    )
    hard_points: float = setting(
        0.0,
        "Keypoints with a large error weigh more: (error / mean error) to this power; 0 is all alike.",
        group="Loss",
        low=0,
        high=4,
    )
    rows: str = setting(
        "all", "Train on all rows with the mask, or on complete rows only.", group="Loss", choices=("all", "complete")
    )

    sampling: str = setting(
        "labels",
        "How often a row is seen: rows alike often, or in proportion to the number of its labels.",
        group="Training",
        choices=("rows", "labels"),
    )
    balance: str = setting(
        "none",
        "pose: faces that look aside are drawn more often, until all poses are alike frequent (Wing paper, section 5).",
        group="Training",
        choices=("none", "pose"),
    )
    balance_bins: int = setting(
        9,
        "Poses told apart by balance; the Wing paper takes 17 for AFLW and 9 for 300-W.",
        group="Training",
        low=2,
        high=100,
    )

    flip: float = setting(
        0.5, "Fraction of pictures mirrored, left and right points swapped.", group="Augmentation", low=0, high=1
    )
    rotation: float = setting(10.0, "Largest rotation in degrees.", group="Augmentation", low=0, high=180)
    box_corners: float = setting(
        0.0,
        "The picture's upper left and lower right corners are moved, each by up to this fraction of the side (Wing paper).",
        group="Augmentation",
        low=0,
        high=0.3,
    )
    scale: float = setting(0.08, "Largest change of size as a fraction.", group="Augmentation", low=0, high=0.9)
    shift: float = setting(0.04, "Largest shift as a fraction of the side.", group="Augmentation", low=0, high=0.9)
    brightness: float = setting(
        0.15, "Largest change of brightness, in contrast units of the picture.", group="Augmentation", low=0, high=5
    )
    contrast: float = setting(0.15, "Largest change of contrast as a fraction.", group="Augmentation", low=0, high=0.95)
    gamma: float = setting(
        0.0,
        "Largest change of gamma: 0.5 is an exponent of the light from 1/1.5 to 1.5.",
        group="Augmentation",
        low=0,
        high=5,
    )
    noise: float = setting(
        0.0, "Largest noise (Gaussian), in contrast units of the picture.", group="Augmentation", low=0, high=5
    )
    erasing: float = setting(
        0.0, "Fraction of pictures in which a random rectangle is grayed out.", group="Augmentation", low=0, high=1
    )
    outside: str = setting(
        "keep",
        "Points that leave the augmented picture: keep their labels, or mask them in that step.",
        group="Augmentation",
        choices=("keep", "mask"),
    )
    blur: float = setting(
        0.0, "Fraction of pictures blurred with a Gaussian of 1 pixel.", group="Augmentation", low=0, high=1
    )
    flip_average: bool = setting(True, "Predict each picture and its mirror image and average.", group="Model")
    upright: bool = setting(
        False,
        "Turn a face that lies on its side upright and predict it once more (models of one stage).",
        group="Model",
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, getattr(self, f.name), f.metadata)
        if self.channels == 2:
            raise UserError("The setting channels is 1 (gray) or 3 (colour), not 2.")
        if self.epochs is None and self.minutes is None:
            raise UserError("A run needs a budget: set epochs or minutes.")

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the config back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunConfig:
        """The config of `to_json`'s values; settings that are not there keep their defaults. Raises UserError."""
        known = {f.name: str(f.type) for f in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"There is no setting {name!r}; the settings are {', '.join(known)}.")
        return cls(**{name: _typed(name, value, known[name]) for name, value in values.items()})


def with_overrides(config: RunConfig, texts: Mapping[str, str]) -> RunConfig:
    """The config with settings given as texts (`--set key=value`, a form). An empty text or `none` clears a budget.

    Setting only one of epochs and minutes clears the other. Raises UserError naming the setting, also for recipe and
    variant: they say where the settings come from.
    """
    texts = {name.strip().replace("-", "_"): text for name, text in texts.items()}
    for name in ("recipe", "variant"):
        if name in texts:
            raise UserError(f"The setting {name} names where the others come from; choose it with --{name}.")
    values = config.to_json()
    for budget, other in (("epochs", "minutes"), ("minutes", "epochs")):
        if _given(texts, budget) and not _given(texts, other):
            values[other] = None
    return RunConfig.from_json({**values, **texts})


def with_budget(config: RunConfig, *, epochs: int | None = None, minutes: float | None = None) -> RunConfig:
    """The config with this budget; with neither given it stays as it is."""
    return config if epochs is None and minutes is None else replace(config, epochs=epochs, minutes=minutes)


def _given(texts: Mapping[str, str], name: str) -> bool:
    return texts.get(name, "").strip().lower() not in ("", "none")


def _typed(name: str, value: Any, kind: str) -> Any:  # kind: the annotation as text
    """The value as the field's type; texts are read. Raises UserError."""
    if isinstance(value, str) and kind != "str":
        return _read(name, value.strip(), kind)
    if value is None and "None" in kind:
        return None
    wanted: tuple[type, ...] = (
        (int, float) if "float" in kind else (int,) if "int" in kind else (bool,) if kind == "bool" else (str,)
    )
    if type(value) not in wanted:
        raise UserError(f"The setting {name} cannot be {value!r}.")
    return float(value) if "float" in kind else value


def _read(name: str, text: str, kind: str) -> Any:
    if "None" in kind and text.lower() in ("", "none"):
        return None
    if kind == "bool":
        if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
            raise UserError(f"The setting {name} is yes or no, not {text!r}.")
        return text.lower() in ("true", "yes", "1", "on")
    try:
        return int(text) if kind.startswith("int") else float(text)
    except ValueError:
        what = "a whole number" if kind.startswith("int") else "a number"
        raise UserError(f"The setting {name} needs {what}, not {text!r}.") from None


def _check(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    if limits["choices"] and value not in limits["choices"]:
        raise UserError(f"The setting {name} is one of {', '.join(limits['choices'])}, not {value!r}.")
    if value is None or limits["low"] is None:
        return
    if not math.isfinite(value) or not limits["low"] <= value <= limits["high"]:
        raise UserError(f"The setting {name} lies between {limits['low']:g} and {limits['high']:g}, not {value:g}.")
