"""Section 5 of the cascade report: the error of each keypoint at both levels, and the label counts (Table 1)."""

from __future__ import annotations

from training.experiments.papers.definition import Arm, Claim, Experiment

# Number of labels per keypoint in Kaggle's training set, from the report's Table 1.
PAPER_LABELS = {
    "left_eye_center": 7039, "right_eye_center": 7036, "left_eye_inner_corner": 2271, "left_eye_outer_corner": 2267,
    "right_eye_inner_corner": 2268, "right_eye_outer_corner": 2268, "left_eyebrow_inner_end": 2270,
    "left_eyebrow_outer_end": 2225, "right_eyebrow_inner_end": 2270, "right_eyebrow_outer_end": 2236, "nose_tip": 7049,
    "mouth_left_corner": 2269, "mouth_right_corner": 2270, "mouth_center_top_lip": 2275,
    "mouth_center_bottom_lip": 7016,
}  # fmt: skip

CASCADE_PER_POINT = Experiment(
    name="cascade-per-point",
    title="Cascade: each keypoint after level 1 and level 2",
    source="Facial Keypoints Detection Using Convolutional Neural Network, class report, 2015, Section 5",
    about=(
        "A network that sees the whole face predicts all points; then one small network per keypoint refines it from a "
        "patch around it. What does the second level add, for which keypoints, and is a plain MLP really better?"
    ),
    paper_setting="Kaggle's faces of 96x96; RMSE of the MLP on Kaggle's server; cascade: 2.3 to 3.5 per keypoint",
    arms=(
        Arm("mlp", "MLP", "mlp", paper={"rmse_96": 3.73126}, short="the MLP"),
        Arm("cascade-level-1", "cascade, level 1 alone", "cascade", stage_of="cascade", stage=0, short="level 1 alone"),
        Arm("cascade", "cascade, both levels", "cascade", short="the cascade"),
    ),
    claims=(
        Claim("cascade", "cascade-level-1", "rmse_96", "the second level makes the points more precise"),
        Claim("mlp", "cascade", "rmse_96", "the MLP was their best submission"),
    ),
    measures=("rmse_96", "failures", "nme_interocular"),
    figures=("keypoints", "ced", "curves"),
)
