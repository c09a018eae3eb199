"""The settings of a run in sections, one per concern. Out of range: UserError naming the setting."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import UserError
from training.storage.runs.settings.setting import check, setting


@dataclass(frozen=True)
class Budget:
    """How long to train. Raises UserError where there is no limit at all."""

    epochs: int | None = setting(
        None, "Stop after this many passes over the data.", page="Training", low=1, high=1_000_000
    )
    minutes: float | None = setting(
        5.0, "Stop after this many minutes of training.", page="Training", low=0.01, high=100_000
    )

    def __post_init__(self) -> None:
        check(self)
        if self.epochs is None and self.minutes is None:
            raise UserError("A run needs a budget: set epochs or minutes.")


@dataclass(frozen=True)
class Optim:
    """How the weights are moved."""

    batch_size: int = setting(32, "Images per step.", page="Training", low=1, high=65_536)
    optimizer: str = setting(
        "adamw", "Optimiser that updates the weights.", page="Training", choices=("adamw", "adam", "sgd")
    )
    learning_rate: float = setting(1e-3, "Peak learning rate.", page="Training", low=1e-12, high=100)
    final_rate: float = setting(0.0, "Final learning rate as a fraction of the peak.", page="Training", low=0, high=1)
    schedule: str = setting(
        "cosine",
        "How the learning rate decays over the budget.",
        page="Training",
        choices=("cosine", "geometric", "constant"),
    )
    warmup: float = setting(
        0.03,
        "Fraction of the budget over which the learning rate rises to its peak.",
        page="Training",
        low=0,
        high=0.5,
    )
    weight_decay: float = setting(
        5e-4, "Weight decay: pulls the weights towards zero.", page="Training", low=0, high=10
    )
    momentum: float = setting(0.9, "Momentum of SGD.", page="Training", low=0, high=0.9999)
    ema: float = setting(
        0.995,
        "Decay of the running average of the weights, which is evaluated and saved; 0 turns it off.",
        page="Training",
        low=0,
        high=0.99999,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Machine:
    """Where it is computed, and how."""

    device: str = setting(
        "auto",
        "Where to compute; auto takes the first available of cuda, mps and cpu.",
        page="Training",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = setting(
        "auto",
        "Number format of the network; auto measures which one is faster.",
        page="Training",
        choices=("auto", "float32", "bfloat16"),
    )
    threads: int = setting(0, "CPU threads; 0 uses all cores.", page="Training", low=0, high=4096)
    processes: int = setting(
        0,
        "Processes that share each batch, with the same result as one; 0: one per GPU, or a single one without GPUs.",
        page="Training",
        low=0,
        high=1024,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Network:
    """What the model is, what goes in and what comes out."""

    model: str = setting(
        "ml-resnet",
        "The network.",
        page="Model",
        choices=("ml-resnet", "ml-cnn", "cnn-6", "cnn-7", "mlp", "resnet-50", "cnn-6-7", "cascade", "light"),
    )
    width: float = setting(1.0, "Multiplies the channel counts of the network light.", page="Model", low=0.1, high=8)
    label_offset: bool = setting(
        False,
        "Learn a constant label offset per keypoint, the same in all images (a wrong origin, rounding), separately "
        "from the network, which such an offset would confuse on mirrored images.",
        page="Model",
    )
    schemes: str = setting(
        "one",
        "With label_offset: different sources may follow different labelling rules, so each source gets its own "
        "offsets. import: each import (or part of one) is a source; pattern: rows with exactly the same few "
        "keypoints form one; auto: both.",
        page="Model",
        choices=("one", "auto", "import", "pattern"),
    )
    stage_split: float = setting(
        0.4,
        "Two-stage models: fraction of the budget spent on the first stage.",
        page="Training",
        low=0.05,
        high=0.95,
    )
    stage_rate: float = setting(
        1.0,
        "Two-stage models: learning rate of the second stage as a multiple of the first's.",
        page="Training",
        low=1e-3,
        high=100,
    )
    input_size: int = setting(96, "Side length of the network's input in pixels.", page="Model", low=16, high=1024)
    channels: int = setting(1, "1 for grayscale, 3 for colour.", page="Model", low=1, high=3)
    dropout: float = setting(
        0.1, "Fraction of features dropped before the output during training.", page="Model", low=0, high=0.95
    )
    init: str = setting(
        "he",
        "Weight initialisation: He, Xavier, or N(0, 0.02) as in the masked-loss paper.",
        page="Model",
        choices=("he", "xavier", "normal"),
    )
    pretrained: str = setting(
        "",
        "File with ImageNet weights for ResNet-50 (.pth or .safetensors) to start from.",
        page="Model",
    )
    start_from: str = setting(
        "",
        "Weights to start from: starter (the model that ships with the program), auto (the starter if fewer than 1,000 "
        "labelled faces are in train), or a model.safetensors of the same network; empty: none.",
        page="Model",
    )
    pixels: str = setting(
        "picture",
        "How pixels are normalised. picture: each image to mean 0 and standard deviation 1; unit: value / 256; "
        "imagenet: by ImageNet's mean and standard deviation, as ImageNet weights expect.",
        page="Model",
        choices=("picture", "unit", "imagenet"),
    )
    targets: str = setting(
        "offset",
        "What the network outputs: offsets from the mean shape, or the points themselves.",
        page="Model",
        choices=("offset", "points"),
    )
    flip_average: bool = setting(True, "Predict each image and its mirror image and average the two.", page="Model")
    upright: bool = setting(
        False,
        "Predict a rotated face again, in the image rotated upright (one-stage models).",
        page="Model",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.channels == 2:
            raise UserError("The setting channels must be 1 (grayscale) or 3 (colour), not 2.")


@dataclass(frozen=True)
class Objective:
    """What is minimised."""

    loss: str = setting(
        "mse", "The loss, over labelled coordinates.", page="Loss", choices=("mse", "l2", "l1", "smooth_l1", "wing")
    )
    wing_w: float = setting(
        10.0,
        "Wing: errors below this many input pixels count logarithmically.",
        page="Loss",
        low=1e-3,
        high=1000,
    )
    wing_epsilon: float = setting(
        2.0, "Wing: curvature of the logarithmic part, in pixels.", page="Loss", low=1e-3, high=1000
    )
    reduction: str = setting(
        "mean",
        "mean: over labelled coordinates; masked-eq4: over all, missing ones counting 0 (masked-loss paper, Eq. 4); "
        "wing-eq3: sum over coordinates, mean over images (Wing paper, Eq. 3).",
        page="Loss",
        choices=("mean", "masked-eq4", "wing-eq3"),
    )
    model_weight: float = setting(
        1.0,
        "Loss weight of points accepted from a model: 1 as for a person's labels, 0 to leave them out.",
        page="Loss",
        low=0,
        high=1,
    )
    self_training: float = setting(
        0.0,
        "After a third of the budget, unlabelled points are learned from the predictions of the averaged weights, "
        "with up to this loss weight depending on their confidence.",
        page="Loss",
        low=0,
        high=1,
    )
    hard_points: float = setting(
        0.0,
        "Weight keypoints by (error / mean error) to this power, so that hard ones count more; 0: all alike.",
        page="Loss",
        low=0,
        high=4,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Data:
    """Which rows are seen, and how often."""

    rows: str = setting(
        "all",
        "Train on all rows, masking missing labels, or on complete rows only.",
        page="Loss",
        choices=("all", "complete"),
    )
    sampling: str = setting(
        "labels",
        "How often a row is drawn. rows: all equally often; labels: in proportion to its number of labels.",
        page="Training",
        choices=("rows", "labels"),
    )
    balance: str = setting(
        "none",
        "pose: draw turned faces more often, until all poses are equally frequent (Wing paper, section 5).",
        page="Training",
        choices=("none", "pose"),
    )
    balance_bins: int = setting(
        9,
        "Number of pose bins for balance; the Wing paper uses 17 for AFLW and 9 for 300-W.",
        page="Training",
        low=2,
        high=100,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Augment:
    """How images are changed at each step."""

    flip: float = setting(
        0.5, "Fraction of images mirrored, with left and right points swapped.", page="Augmentation", low=0, high=1
    )
    rotation: float = setting(10.0, "Largest rotation in degrees.", page="Augmentation", low=0, high=180)
    box_corners: float = setting(
        0.0,
        "Move the crop's upper left and lower right corners, each by up to this fraction of the side (Wing paper).",
        page="Augmentation",
        low=0,
        high=0.3,
    )
    scale: float = setting(0.08, "Largest change of scale as a fraction.", page="Augmentation", low=0, high=0.9)
    shift: float = setting(0.04, "Largest shift as a fraction of the side.", page="Augmentation", low=0, high=0.9)
    brightness: float = setting(
        0.15, "Largest change of brightness, in standard deviations of the image.", page="Augmentation", low=0, high=5
    )
    contrast: float = setting(0.15, "Largest change of contrast as a fraction.", page="Augmentation", low=0, high=0.95)
    gamma: float = setting(
        0.0,
        "Largest change of gamma: 0.5 gives exponents from 1/1.5 to 1.5.",
        page="Augmentation",
        low=0,
        high=5,
    )
    noise: float = setting(
        0.0,
        "Largest Gaussian noise, in standard deviations of the image.",
        page="Augmentation",
        low=0,
        high=5,
    )
    erasing: float = setting(
        0.0, "Fraction of images with a random rectangle grayed out.", page="Augmentation", low=0, high=1
    )
    outside: str = setting(
        "keep",
        "Points that leave the augmented image: keep their labels, or mask them in that step.",
        page="Augmentation",
        choices=("keep", "mask"),
    )
    blur: float = setting(
        0.0, "Fraction of images blurred with a Gaussian of 1 pixel.", page="Augmentation", low=0, high=1
    )

    def __post_init__(self) -> None:
        check(self)
