"""The settings of a run: one frozen dataclass whose fields carry their help text, range and group."""

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
    """A field of RunConfig. low and high are inclusive; choices: the only values allowed."""
    return field(default=default, metadata={"help": help, "group": group, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run apart from its labels and images.

    Raises UserError when a value is out of range.
    """

    recipe: str = setting("ml-resnet", "Recipe that these settings come from.", group="Training")
    variant: str = setting(
        "default", "Our values, tuned for a CPU, or the paper's.", group="Training", choices=("default", "paper")
    )
    epochs: int | None = setting(
        None, "Stop after this many passes over the data.", group="Training", low=1, high=1_000_000
    )
    minutes: float | None = setting(
        5.0, "Stop after this many minutes of training.", group="Training", low=0.01, high=100_000
    )
    batch_size: int = setting(32, "Images per step.", group="Training", low=1, high=65_536)
    optimizer: str = setting(
        "adamw", "Optimiser that updates the weights.", group="Training", choices=("adamw", "adam", "sgd")
    )
    learning_rate: float = setting(1e-3, "Peak learning rate.", group="Training", low=1e-12, high=100)
    final_rate: float = setting(0.0, "Final learning rate as a fraction of the peak.", group="Training", low=0, high=1)
    schedule: str = setting(
        "cosine",
        "How the learning rate decays over the budget.",
        group="Training",
        choices=("cosine", "geometric", "constant"),
    )
    warmup: float = setting(
        0.03,
        "Fraction of the budget over which the learning rate rises to its peak.",
        group="Training",
        low=0,
        high=0.5,
    )
    weight_decay: float = setting(
        5e-4, "Weight decay: pulls the weights towards zero.", group="Training", low=0, high=10
    )
    momentum: float = setting(0.9, "Momentum of SGD.", group="Training", low=0, high=0.9999)
    ema: float = setting(
        0.995,
        "Decay of the running average of the weights, which is evaluated and saved; 0 turns it off.",
        group="Training",
        low=0,
        high=0.99999,
    )
    seed: int = setting(
        0, "Runs with the same seed see the same images in the same order.", group="Training", low=0, high=2**31 - 1
    )
    device: str = setting(
        "auto",
        "Where to compute; auto takes the first available of cuda, mps and cpu.",
        group="Training",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = setting(
        "auto",
        "Number format of the network; auto measures which one is faster.",
        group="Training",
        choices=("auto", "float32", "bfloat16"),
    )
    threads: int = setting(0, "CPU threads; 0 uses all cores.", group="Training", low=0, high=4096)
    processes: int = setting(
        0,
        "Processes that share each batch, with the same result as one; 0: one per GPU, or a single one without GPUs.",
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
    width: float = setting(1.0, "Multiplies the channel counts of the network light.", group="Model", low=0.1, high=8)
    label_offset: bool = setting(
        False,
        "Learn a constant label offset per keypoint, the same in all images (a wrong origin, rounding), separately "
        "from the network, which such an offset would confuse on mirrored images.",
        group="Model",
    )
    schemes: str = setting(
        "one",
        "With label_offset: different sources may follow different labelling rules, so each source gets its own "
        "offsets. import: each import (or part of one) is a source; pattern: rows with exactly the same few "
        "keypoints form one; auto: both.",
        group="Model",
        choices=("one", "auto", "import", "pattern"),
    )
    stage_split: float = setting(
        0.4,
        "Two-stage models: fraction of the budget spent on the first stage.",
        group="Training",
        low=0.05,
        high=0.95,
    )
    stage_rate: float = setting(
        1.0,
        "Two-stage models: learning rate of the second stage as a multiple of the first's.",
        group="Training",
        low=1e-3,
        high=100,
    )
    input_size: int = setting(96, "Side length of the network's input in pixels.", group="Model", low=16, high=1024)
    channels: int = setting(1, "1 for grayscale, 3 for colour.", group="Model", low=1, high=3)
    dropout: float = setting(
        0.1, "Fraction of features dropped before the output during training.", group="Model", low=0, high=0.95
    )
    init: str = setting(
        "he",
        "Weight initialisation: He, Xavier, or N(0, 0.02) as in the masked-loss paper.",
        group="Model",
        choices=("he", "xavier", "normal"),
    )
    pretrained: str = setting(
        "",
        "File with ImageNet weights for ResNet-50 (.pth or .safetensors) to start from.",
        group="Model",
    )
    start_from: str = setting(
        "",
        "Weights to start from: starter (the model that ships with the program), auto (the starter if fewer than 1,000 "
        "labelled faces are in train), or a model.safetensors of the same network; empty: none.",
        group="Model",
    )
    pixels: str = setting(
        "picture",
        "How pixels are normalised. picture: each image to mean 0 and standard deviation 1; unit: value / 256; "
        "imagenet: by ImageNet's mean and standard deviation, as ImageNet weights expect.",
        group="Model",
        choices=("picture", "unit", "imagenet"),
    )
    targets: str = setting(
        "offset",
        "What the network outputs: offsets from the mean shape, or the points themselves.",
        group="Model",
        choices=("offset", "points"),
    )

    loss: str = setting(
        "mse", "The loss, over labelled coordinates.", group="Loss", choices=("mse", "l2", "l1", "smooth_l1", "wing")
    )
    wing_w: float = setting(
        10.0,
        "Wing: errors below this many input pixels count logarithmically.",
        group="Loss",
        low=1e-3,
        high=1000,
    )
    wing_epsilon: float = setting(
        2.0, "Wing: curvature of the logarithmic part, in pixels.", group="Loss", low=1e-3, high=1000
    )
    reduction: str = setting(
        "mean",
        "mean: over labelled coordinates; masked-eq4: over all, missing ones counting 0 (masked-loss paper, Eq. 4); "
        "wing-eq3: sum over coordinates, mean over images (Wing paper, Eq. 3).",
        group="Loss",
        choices=("mean", "masked-eq4", "wing-eq3"),
    )
    model_weight: float = setting(
        1.0,
        "Loss weight of points accepted from a model: 1 as for a person's labels, 0 to leave them out.",
        group="Loss",
        low=0,
        high=1,
    )
    self_training: float = setting(
        0.0,
        "After a third of the budget, unlabelled points are learned from the predictions of the averaged weights, "
        "with up to this loss weight depending on their confidence.",
        group="Loss",
        low=0,
        high=1,
    )
    hard_points: float = setting(
        0.0,
        "Weight keypoints by (error / mean error) to this power, so that hard ones count more; 0: all alike.",
        group="Loss",
        low=0,
        high=4,
    )
    rows: str = setting(
        "all",
        "Train on all rows, masking missing labels, or on complete rows only.",
        group="Loss",
        choices=("all", "complete"),
    )

    sampling: str = setting(
        "labels",
        "How often a row is drawn. rows: all equally often; labels: in proportion to its number of labels.",
        group="Training",
        choices=("rows", "labels"),
    )
    balance: str = setting(
        "none",
        "pose: draw turned faces more often, until all poses are equally frequent (Wing paper, section 5).",
        group="Training",
        choices=("none", "pose"),
    )
    balance_bins: int = setting(
        9,
        "Number of pose bins for balance; the Wing paper uses 17 for AFLW and 9 for 300-W.",
        group="Training",
        low=2,
        high=100,
    )

    flip: float = setting(
        0.5, "Fraction of images mirrored, with left and right points swapped.", group="Augmentation", low=0, high=1
    )
    rotation: float = setting(10.0, "Largest rotation in degrees.", group="Augmentation", low=0, high=180)
    box_corners: float = setting(
        0.0,
        "Move the crop's upper left and lower right corners, each by up to this fraction of the side (Wing paper).",
        group="Augmentation",
        low=0,
        high=0.3,
    )
    scale: float = setting(0.08, "Largest change of scale as a fraction.", group="Augmentation", low=0, high=0.9)
    shift: float = setting(0.04, "Largest shift as a fraction of the side.", group="Augmentation", low=0, high=0.9)
    brightness: float = setting(
        0.15, "Largest change of brightness, in standard deviations of the image.", group="Augmentation", low=0, high=5
    )
    contrast: float = setting(0.15, "Largest change of contrast as a fraction.", group="Augmentation", low=0, high=0.95)
    gamma: float = setting(
        0.0,
        "Largest change of gamma: 0.5 gives exponents from 1/1.5 to 1.5.",
        group="Augmentation",
        low=0,
        high=5,
    )
    noise: float = setting(
        0.0,
        "Largest Gaussian noise, in standard deviations of the image.",
        group="Augmentation",
        low=0,
        high=5,
    )
    erasing: float = setting(
        0.0, "Fraction of images with a random rectangle grayed out.", group="Augmentation", low=0, high=1
    )
    outside: str = setting(
        "keep",
        "Points that leave the augmented image: keep their labels, or mask them in that step.",
        group="Augmentation",
        choices=("keep", "mask"),
    )
    blur: float = setting(
        0.0, "Fraction of images blurred with a Gaussian of 1 pixel.", group="Augmentation", low=0, high=1
    )
    flip_average: bool = setting(True, "Predict each image and its mirror image and average the two.", group="Model")
    upright: bool = setting(
        False,
        "Rotate a face that lies on its side upright and predict it again (one-stage models).",
        group="Model",
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, getattr(self, f.name), f.metadata)
        if self.channels == 2:
            raise UserError("The setting channels must be 1 (grayscale) or 3 (colour), not 2.")
        if self.epochs is None and self.minutes is None:
            raise UserError("A run needs a budget: set epochs or minutes.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunConfig:
        """The config from `to_json`'s values; missing settings keep their defaults. Raises UserError."""
        known = {f.name: str(f.type) for f in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"There is no setting {name!r}; the settings are {', '.join(known)}.")
        return cls(**{name: _typed(name, value, known[name]) for name, value in values.items()})


def with_overrides(config: RunConfig, texts: Mapping[str, str]) -> RunConfig:
    """The config with settings given as text (`--set key=value`, a form). An empty text or `none` clears a budget.

    Setting only one of epochs and minutes clears the other. Raises UserError naming the setting, also for recipe and
    variant, which have options of their own.
    """
    texts = {name.strip().replace("-", "_"): text for name, text in texts.items()}
    for name in ("recipe", "variant"):
        if name in texts:
            raise UserError(f"The setting {name} says where the others come from; choose it with --{name}.")
    values = config.to_json()
    for budget, other in (("epochs", "minutes"), ("minutes", "epochs")):
        if _given(texts, budget) and not _given(texts, other):
            values[other] = None
    return RunConfig.from_json({**values, **texts})


def with_budget(config: RunConfig, *, epochs: int | None = None, minutes: float | None = None) -> RunConfig:
    """The config with this budget; unchanged where neither is given."""
    return config if epochs is None and minutes is None else replace(config, epochs=epochs, minutes=minutes)


def _given(texts: Mapping[str, str], name: str) -> bool:
    return texts.get(name, "").strip().lower() not in ("", "none")


def _typed(name: str, value: Any, kind: str) -> Any:  # kind: the annotation as text
    """The value as the field's type, parsed if it is text. Raises UserError."""
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
            raise UserError(f"The setting {name} must be yes or no, not {text!r}.")
        return text.lower() in ("true", "yes", "1", "on")
    try:
        return int(text) if kind.startswith("int") else float(text)
    except ValueError:
        what = "a whole number" if kind.startswith("int") else "a number"
        raise UserError(f"The setting {name} needs {what}, not {text!r}.") from None


def _check(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    if limits["choices"] and value not in limits["choices"]:
        raise UserError(f"The setting {name} must be one of {', '.join(limits['choices'])}, not {value!r}.")
    if value is None or limits["low"] is None:
        return
    if not math.isfinite(value) or not limits["low"] <= value <= limits["high"]:
        raise UserError(f"The setting {name} must be between {limits['low']:g} and {limits['high']:g}, not {value:g}.")
