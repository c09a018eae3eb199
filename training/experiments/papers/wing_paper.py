"""Tables 1, 2, 3 and 7 of the Wing loss paper."""

from __future__ import annotations

from training.experiments.papers.definition import Arm, Claim, Experiment

_SOURCE = "Wing Loss for Robust Facial Landmark Localisation with Convolutional Neural Networks, CVPR 2018"
_AFLW = "AFLW, 20,000 training faces with 19 points, 120,000 steps on a GPU; NME by face size"
_MEASURES = ("nme_box", "nme_interocular", "rmse_96")

# The learning rate at which each loss did best in trials (docs/experiments.md). AdamW's steps do not depend on the
# scale of the loss, so the rates differ less than with the paper's SGD, where l2 had a tenth of the others' rate.
_RATES = {"l2": "1e-3", "l1": "1e-3", "smooth_l1": "1e-3", "wing": "1e-3"}
_LOSSES = (("l2", "L2", 0.0241), ("l1", "L1", 0.0200), ("smooth_l1", "smooth L1", 0.0202), ("wing", "Wing", 0.0188))

TABLE_1_LOSSES = Experiment(
    name="table-1-losses",
    title="Losses: L2, L1, smooth L1, Wing",
    source=f"{_SOURCE}, Table 1 and Fig. 4",
    about="The same network, CNN-6, trained with four losses, each at its best learning rate.",
    paper_setting=_AFLW,
    arms=tuple(
        Arm(
            name,
            f"CNN-6, {title}",
            "cnn-6",
            {"loss": name, "learning_rate": _RATES[name]},
            {"nme_box": figure},
            short=title if title == "Wing" else f"{title[:1].upper()}{title[1:]}",
        )
        for name, title, figure in _LOSSES
    ),
    claims=(
        Claim("wing", "l2", "nme_box", "Wing beats L2 clearly"),
        Claim("l1", "l2", "nme_box", "L1 beats L2 clearly"),
        Claim("smooth_l1", "l2", "nme_box", "smooth L1 beats L2 clearly"),
        Claim("wing", "l1", "nme_box", "Wing beats L1 by 6 %"),
        Claim("wing", "smooth_l1", "nme_box", "Wing beats smooth L1"),
    ),
    measures=_MEASURES,
    normaliser="box",
    figures=("ced", "curves", "keypoints"),
)

GRID_W = (4, 6, 8, 10, 12, 14)
GRID_EPSILON = (0.5, 1.0, 2.0, 3.0)
_GRID = (
    (1.95, 1.92, 1.92, 1.94, 1.97, 1.94),
    (1.95, 1.91, 1.91, 1.90, 1.90, 1.95),
    (1.98, 1.92, 1.91, 1.88, 1.90, 1.98),
    (2.02, 1.96, 1.93, 1.91, 1.89, 2.02),
)  # 100 * NME; rows: epsilon, columns: w


def grid_name(w: float, epsilon: float) -> str:
    """The name of the arm of this cell."""
    return f"w{w:g}-e{epsilon:g}"


TABLE_2_WING_GRID = Experiment(
    name="table-2-wing-grid",
    title="Wing loss: w and epsilon",
    source=f"{_SOURCE}, Table 2",
    about=(
        "CNN-6 trained with 24 settings of the Wing loss. The paper's best is w = 10, epsilon = 2; how flat is the "
        "minimum?"
    ),
    paper_setting=_AFLW,
    arms=tuple(
        Arm(
            grid_name(w, epsilon),
            f"w = {w:g}, epsilon = {epsilon:g}",
            "cnn-6",
            {"loss": "wing", "learning_rate": _RATES["wing"], "wing_w": f"{w:g}", "wing_epsilon": f"{epsilon:g}"},
            {"nme_box": round(figure / 100, 6)},
        )
        for epsilon, row in zip(GRID_EPSILON, _GRID, strict=True)
        for w, figure in zip(GRID_W, row, strict=True)
    ),
    claims=(
        Claim(grid_name(10, 2), grid_name(4, 3), "nme_box", "the best setting beats a narrow one (w = 4, epsilon = 3)"),
        Claim(grid_name(10, 2), grid_name(14, 3), "nme_box", "the best setting beats a wide one (w = 14, epsilon = 3)"),
        Claim(grid_name(10, 2), grid_name(4, 0.5), "nme_box", "the best setting beats the smallest w and epsilon"),
    ),
    measures=_MEASURES,
    normaliser="box",
    figures=("grid",),
)

_PDB = {"balance": "pose"}
# As in the paper, each network gets a full training: CNN-6/7 gets twice the budget, half for each of its two networks.
_TWO = {"stage_split": "0.5"}

TABLE_3_PDB_TWO_STAGE = Experiment(
    name="table-3-pdb-two-stage",
    title="Pose-based data balancing and two stages",
    source=f"{_SOURCE}, Table 3 (column Wing)",
    about=(
        "CNN-6 and the two-stage CNN-6/7, each trained on the original faces and on a set where rare head poses are "
        "repeated (PDB). Each network gets the whole budget, so CNN-6/7 gets it twice. Do two stages help, and does "
        "PDB, especially on profile views?"
    ),
    paper_setting=_AFLW,
    arms=(
        Arm("cnn-6", "CNN-6", "cnn-6", paper={"nme_box": 0.0188}),
        Arm("cnn-6-pdb", "CNN-6 + PDB", "cnn-6", _PDB, {"nme_box": 0.0183}),
        Arm("cnn-6-7", "CNN-6/7", "cnn-6-7", _TWO, {"nme_box": 0.0171}, networks=2),
        Arm("cnn-6-7-pdb", "CNN-6/7 + PDB", "cnn-6-7", _TWO | _PDB, {"nme_box": 0.0165}, networks=2),
    ),
    claims=(
        Claim("cnn-6-7", "cnn-6", "nme_box", "two stages beat one"),
        Claim("cnn-6-7-pdb", "cnn-6-pdb", "nme_box", "two stages beat one, with PDB too"),
        Claim("cnn-6-pdb", "cnn-6", "nme_box", "PDB improves CNN-6"),
        Claim("cnn-6-7-pdb", "cnn-6-7", "nme_box", "PDB improves CNN-6/7"),
        Claim("cnn-6-pdb", "cnn-6", "nme_box", "PDB improves CNN-6 on profile views", faces="turned"),
        Claim("cnn-6-7-pdb", "cnn-6-7", "nme_box", "PDB improves CNN-6/7 on profile views", faces="turned"),
    ),
    measures=_MEASURES,
    normaliser="box",
    figures=("pose", "ced", "curves", "keypoints"),
)

TABLE_7_SPEED = Experiment(
    name="table-7-speed",
    title="Size and speed of the networks",
    source=f"{_SOURCE}, Table 7",
    about=(
        "Parameters, size and speed of each network on this machine, with the project's number of keypoints. Nothing "
        "is trained."
    ),
    paper_setting="68 points; CPU model not given, faces one at a time",
    arms=(
        Arm("cnn-6", "CNN-6", "cnn-6", paper={"parameters": 3.8e6, "megabytes": 14, "one_by_one": 150}),
        Arm("cnn-7", "CNN-7", "cnn-7"),
        Arm(
            "cnn-6-7",
            "CNN-6/7",
            "cnn-6-7",
            {"input_size": "128"},
            {"parameters": 12.3e6, "megabytes": 46, "one_by_one": 20},
        ),
        Arm("resnet-50", "ResNet-50", "resnet-50", paper={"parameters": 25e6, "megabytes": 99, "one_by_one": 8}),
        Arm("ml-cnn", "ML-CNN", "ml-cnn"),
        Arm("ml-resnet", "ML-ResNet", "ml-resnet"),
        Arm("mlp", "MLP", "mlp"),
        Arm("cascade", "cascade", "cascade"),
    ),
    claims=(
        Claim("cnn-6", "cnn-6-7", "one_by_one", "CNN-6 is faster than CNN-6/7"),
        Claim("cnn-6-7", "resnet-50", "one_by_one", "CNN-6/7 is faster than ResNet-50"),
    ),
    measures=("parameters", "megabytes", "one_by_one", "batched"),
    figures=("speed",),
    kind="speed",
)
