"""Maps the vertices of other predictors to keypoints.

Each keypoint has several candidates, groups of vertices whose mean is the point. The candidate that fits a set's train
faces best is used, so that no predictor is penalised for our definition of, say, an eye's centre.
"""

from __future__ import annotations

import numpy as np

Candidates = tuple[tuple[int, ...], ...]

# 68 points as in 300-W. 'Left' is the subject's left, so on the right in the image.
DLIB_15: dict[str, Candidates] = {
    "left_eye_center": (tuple(range(42, 48)), (42, 45), (43, 44, 46, 47)),
    "right_eye_center": (tuple(range(36, 42)), (36, 39), (37, 38, 40, 41)),
    "left_eye_inner_corner": ((42,),),
    "left_eye_outer_corner": ((45,),),
    "right_eye_inner_corner": ((39,),),
    "right_eye_outer_corner": ((36,),),
    "left_eyebrow_inner_end": ((22,),),
    "left_eyebrow_outer_end": ((26,), (25, 26)),
    "right_eyebrow_inner_end": ((21,),),
    "right_eyebrow_outer_end": ((17,), (17, 18)),
    "nose_tip": ((30,), (30, 33), (33,)),
    "mouth_left_corner": ((54,), (54, 64), (64,)),
    "mouth_right_corner": ((48,), (48, 60), (60,)),
    "mouth_center_top_lip": ((51,), (51, 62), (62,)),
    "mouth_center_bottom_lip": ((57,), (57, 66), (66,)),
}

# The face mesh: 468 vertices, and 468 and 473 are the irises' centres (right and left).
MEDIAPIPE_15: dict[str, Candidates] = {
    "left_eye_center": ((473,), (362, 385, 387, 263, 373, 380), (362, 263)),
    "right_eye_center": ((468,), (133, 158, 160, 33, 144, 153), (133, 33)),
    "left_eye_inner_corner": ((362,), (463,), (398, 382)),
    "left_eye_outer_corner": ((263,), (359,), (466, 249)),
    "right_eye_inner_corner": ((133,), (243,), (173, 155)),
    "right_eye_outer_corner": ((33,), (130,), (246, 7)),
    "left_eyebrow_inner_end": ((336,), (285,), (336, 285), (296,), (9, 336)),
    "left_eyebrow_outer_end": ((300,), (276,), (300, 276), (293, 283), (383,)),
    "right_eyebrow_inner_end": ((107,), (55,), (107, 55), (66,), (9, 107)),
    "right_eyebrow_outer_end": ((70,), (46,), (70, 46), (63, 53), (156,)),
    "nose_tip": ((1,), (4,), (1, 4), (5,), (2,), (19,)),
    "mouth_left_corner": ((291,), (308,), (291, 308)),
    "mouth_right_corner": ((61,), (78,), (61, 78)),
    "mouth_center_top_lip": ((0,), (13,), (0, 13), (11,)),
    "mouth_center_bottom_lip": ((17,), (14,), (17, 14), (16,)),
}

# The mesh's vertices nearest to the 68 points, as commonly listed
_MESH_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip


def candidates(vertices: int, keypoints: tuple[str, ...]) -> list[Candidates]:
    """The candidates of each keypoint, for a predictor with this number of vertices (68 or 478)."""
    if len(keypoints) == 68:
        single = range(68) if vertices == 68 else _MESH_68
        return [((v,),) for v in single]
    table = DLIB_15 if vertices == 68 else MEDIAPIPE_15
    return [table[name] for name in keypoints]


def mapped(
    points: np.ndarray, truth: np.ndarray, train: np.ndarray, *, names: tuple[str, ...], shifted: bool
) -> np.ndarray:
    """Keypoints [N, K, 2] from vertices [N, V, 2]: per keypoint, the candidate with the least error on `train` rows.

    shifted: ignore a constant shift, so choose the candidate whose errors scatter least.
    """
    chosen = []
    for k, options in enumerate(candidates(points.shape[1], names)):
        places = [points[:, list(group)].mean(axis=1) for group in options]
        chosen.append(min(places, key=lambda p, k=k: _error(p[train] - truth[train, k], shifted=shifted)))
    return np.stack(chosen, axis=1)


def _error(difference: np.ndarray, *, shifted: bool) -> float:
    centre = np.nanmean(difference, axis=0) if shifted else 0.0
    return float(np.nanmean(np.square(difference - centre)))
