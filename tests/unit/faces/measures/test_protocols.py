"""The papers' protocols against hand-computed numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.commands.shared.evaluation_text import protocol_facts, protocol_lines
from training.errors import UserError
from training.faces.labels.schema import AFLW_19, COFW_29, IBUG_68, KAGGLE_15, SCHEMAS
from training.faces.measures.metrics import normaliser
from training.faces.measures.protocols import PROTOCOLS, chosen_rows, get_protocol, measure_rows, remarks, shown

SIZES = np.array([[100, 100]] * 4)
NO_BOXES = np.full((4, 4), np.nan)


def ibug_face() -> np.ndarray:
    """[68, 2]: all points at (50, 50) except the eyes.

    The right eye's six points have their mean at (30, 40), the left eye's at (70, 40); the outer corners (36 and 45)
    are at (20, 40) and (80, 40).
    """
    points = np.full((68, 2), 50.0)
    points[36:42] = [[20, 40], [32, 38], [32, 38], [32, 40], [32, 42], [32, 42]]
    points[42:48] = [[68, 40], [68, 38], [68, 38], [80, 40], [68, 42], [68, 42]]
    return points


def test_each_protocol_is_whole() -> None:
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name and protocol.title and protocol.reports
        assert len(set(protocol.columns)) == len(protocol.columns)
        assert set(protocol.schemas) <= set(SCHEMAS)


def test_the_normalisers_of_300_w() -> None:
    face = ibug_face()[None]
    assert normaliser(face, "interpupil", IBUG_68, sizes=SIZES[:1]) == pytest.approx(40)
    assert normaliser(face, "interocular", IBUG_68, sizes=SIZES[:1]) == pytest.approx(60)


def test_a_face_box_is_its_side_and_nan_where_the_source_gave_none() -> None:
    boxes = np.array([[3, 4, 50, 50], [0, 0, 20, 80], [np.nan] * 4])
    lengths = normaliser(np.zeros((3, 19, 2)), "face_box", AFLW_19, sizes=SIZES[:3], boxes=boxes)
    assert lengths[:2].tolist() == [50, 40] and np.isnan(lengths[2])
    assert np.isnan(normaliser(np.zeros((3, 19, 2)), "face_box", AFLW_19, sizes=SIZES[:3])).all()


def test_300_w_tells_common_challenge_and_full() -> None:
    """Every point of the faces is 2, 4, 6 and 8 px off; inter-pupil distance 40, outer eye corners 60 px apart."""
    target = np.stack([ibug_face()] * 4)
    pred = target + np.array([2.0, 4.0, 6.0, 8.0])[:, None, None] * [1, 0]
    protocol = get_protocol("300-w", IBUG_68)
    rows = chosen_rows(protocol, ["test", "test", "test", "train"], ["lfpw", "helen", "ibug", "ibug"])
    table = measure_rows(protocol, rows, pred, target, schema=IBUG_68, sizes=SIZES, boxes=NO_BOXES)
    common, challenge, full = table
    assert [(row.subset, row.n) for row in table] == [("common", 2), ("challenge", 1), ("full", 3)]
    assert common.values["nme_interpupil"] == pytest.approx((0.05 + 0.10) / 2)
    assert challenge.values["nme_interpupil"] == pytest.approx(0.15)
    assert full.values["nme_interpupil"] == pytest.approx(0.10)
    assert full.values["nme_interocular"] == pytest.approx((2 + 4 + 6) / 3 / 60)
    assert full.values["fr_interpupil@0.10"] == pytest.approx(1 / 3)  # 0.10 itself is not over 0.10
    assert full.values["fr_interocular@0.08"] == pytest.approx(1 / 3)
    # AUC to 0.10: of the errors 0.05, 0.10, 0.15 only the first leaves an area: (0.10 - 0.05) / 0.10, over 3 faces
    assert full.values["auc_interpupil@0.10"] == pytest.approx(0.5 / 3)


def test_aflw_divides_by_the_given_box() -> None:
    target = np.zeros((4, 19, 2)) + np.arange(19)[None, :, None]
    pred = target + np.array([3.0, 4.0])  # 5 px
    boxes = np.array([[0, 0, 100, 100], [0, 0, 50, 50], [np.nan] * 4, [0, 0, 25, 25]])
    protocol = get_protocol("aflw", AFLW_19)
    rows = chosen_rows(protocol, ["test", "test", "test", "val"], ["frontal", "", "", "frontal"])
    full, frontal = measure_rows(protocol, rows, pred, target, schema=AFLW_19, sizes=SIZES, boxes=boxes)
    assert full.values["nme_face_box"] == pytest.approx((0.05 + 0.10) / 2) and full.n == 3
    assert frontal.values["nme_face_box"] == pytest.approx(0.05)
    assert full.left_out == {"no face box: the source gave none": 1}
    assert remarks((full,)) == ["left out of full: 1 (no face box: the source gave none)"]


def test_kaggle_has_the_rmse_over_all_coordinates_together() -> None:
    target = np.full((4, 15, 2), np.nan)
    target[:, 0], target[:, 1] = (60, 40), (20, 40)
    target[3] = np.nan
    pred = np.zeros((4, 15, 2)) + np.nan_to_num(target)
    pred[0, 0] += (3, 4)
    pred[2] = np.nan  # an image that cannot be read
    protocol = get_protocol("kaggle", KAGGLE_15)
    rows = chosen_rows(protocol, ["val"] * 4, [""] * 4)
    val, test = measure_rows(protocol, rows, pred, target, schema=KAGGLE_15, sizes=SIZES, boxes=NO_BOXES)
    assert val.values["rmse"] == pytest.approx(np.sqrt((9 + 16) / 8)) and val.n == 2
    assert val.values["nme_interocular"] == pytest.approx((5 / 2) / 40 / 2)
    assert val.left_out == {"no label": 1, "picture cannot be read": 1}
    assert test.n == 0 and np.isnan(test.values["rmse"]) and "the project has no such faces" in test.left_out


def test_cofw_knows_its_pupils_and_corners() -> None:
    face = np.array(COFW_29.template)[None]
    assert normaliser(face, "interpupil", COFW_29, sizes=SIZES[:1]) == pytest.approx(0.38)
    assert normaliser(face, "interocular", COFW_29, sizes=SIZES[:1]) == pytest.approx(0.58)


def test_what_a_protocol_does_not_fit_is_said() -> None:
    with pytest.raises(UserError, match="no protocol 'wflw'; choose one of kaggle, 300-w"):
        get_protocol("wflw", IBUG_68)
    with pytest.raises(UserError, match="300-w is for the keypoints ibug-68; the project has kaggle-15"):
        get_protocol("300-w", KAGGLE_15)
    with pytest.raises(UserError, match="no samples in its test split that came from helen, ibug, lfpw"):
        chosen_rows(PROTOCOLS["300-w"], ["test", "train"], ["", "helen"])


def test_the_table_is_shown_in_percent_and_goes_through_json(tmp_path: Path) -> None:
    target = np.stack([ibug_face()] * 4)
    protocol = PROTOCOLS["300-w"]
    rows = measure_rows(
        protocol,
        chosen_rows(protocol, ["test"] * 4, ["lfpw"] * 4),
        target + np.array([2.0, 0.0]),
        target,
        schema=IBUG_68,
        sizes=SIZES,
        boxes=NO_BOXES,
    )
    text = "\n".join(protocol_lines(protocol, rows, "0001-cnn-6"))
    assert "common" in text and "5.00" in text and "challenge: the project has no such faces" in text
    assert "3.27 / 7.18 / 4.04" in text
    facts = json.loads(json.dumps(protocol_facts(protocol, rows, "0001-cnn-6")))
    assert facts["rows"][0]["nme_interpupil"] == pytest.approx(0.05)
    assert shown("auc_box@0.07", 0.5) == "0.5000" and shown("nme_box", float("nan")) == "-"
