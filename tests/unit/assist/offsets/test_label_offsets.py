"""Shifted labels: detected from images and predictions, no false alarms, corrected in one step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.helpers.mirrored_faces import FIVE, mirrored_faces
from training.assist.offsets.label_offsets import (
    KIND,
    LabelOffset,
    from_images,
    from_predictions,
    learned_offsets,
    offset_troubles,
)
from training.assist.offsets.symmetry import frontal_rows
from training.cli import main
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin
from training.faces.labels.samples import SampleBatch
from training.storage.project.edits.shift import shift_labels
from training.storage.project.edits.undo import redo, undo
from training.storage.project.journal import read_steps
from training.storage.project.project import Project


@pytest.fixture(scope="module")
def faces() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return mirrored_faces(160)


def found_in(faces: tuple[np.ndarray, np.ndarray, np.ndarray], dx: float) -> LabelOffset:
    images, points, groups = faces
    found = from_images(lambda n: images[n], points + np.array([dx, 0]), FIVE, groups)
    assert found is not None
    return found


@pytest.mark.parametrize("dx", [1.2, -0.8])
def test_a_planted_offset_is_found_in_the_images(faces: tuple[np.ndarray, np.ndarray, np.ndarray], dx: float) -> None:
    found = found_in(faces, dx)
    assert found.worth_telling
    assert found.common == pytest.approx(dx, abs=0.15)
    assert found.per_keypoint == pytest.approx(np.full(5, dx), abs=0.3)
    assert found.mend == pytest.approx(-dx, abs=0.15)
    side = "right" if dx > 0 else "left"
    assert found.sentence.startswith(
        f"The labels are shifted {abs(found.common):.1f} px to the {side} compared with mirrored faces"
    )


def test_right_labels_raise_no_alarm(faces: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    found = found_in(faces, 0.0)
    assert abs(found.common) < 0.15
    assert not found.worth_telling
    assert "agree with the mirrored faces" in found.sentence
    images, points, groups = faces
    assert offset_troubles(lambda n: images[n], points, FIVE, groups, scale=1.0, modelled=False) == []


def test_a_shift_downwards_cannot_be_told(faces: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    images, points, groups = faces
    found = from_images(lambda n: images[n], points + np.array([0, 1.5]), FIVE, groups)
    assert found is not None
    assert not found.worth_telling


def test_before_a_training_it_is_told_in_pixels_of_the_originals(
    faces: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    images, points, groups = faces
    troubles = offset_troubles(
        lambda n: images[n], points + np.array([1.2, 0]), FIVE, groups, scale=2.0, modelled=False
    )
    assert [t.kind for t in troubles] == [KIND]
    one = found_in(faces, 1.2)
    assert f"{2 * one.common:.1f} px to the right" in troubles[0].sentence
    assert "fkp labels" in troubles[0].sentence


def test_nothing_is_told_without_partners_eyes_or_faces(faces: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    images, points, groups = faces
    alone = replace(FIVE, flip=(0, 1, 2, 3, 4))
    blind = replace(FIVE, interocular=((), ()), interpupil=((), ()))
    for schema in (alone, blind):
        assert from_images(lambda n: images[n], points + 2.0, schema, groups) is None
        widths = np.full(len(points), 72.0)
        assert from_predictions(points, points + 2.0, schema, groups, widths=widths, by="run") is None
    assert from_images(lambda n: images[n], points[:20], FIVE, groups[:20]) is None


def test_large_faces_in_larger_photos_tell_the_same(faces: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Only the face of a photo is checked, scaled down: in px of the photo the offset is larger by the same factor."""
    images, points, groups = faces
    times, corner = 6, (40, 25)

    def photo(row: int) -> np.ndarray:
        large = cv2.resize(images[row], None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        return cv2.copyMakeBorder(large, corner[1], 90, corner[0], 120, cv2.BORDER_CONSTANT, value=90)

    placed = (points + np.array([1.2, 0]) + 0.5) * times - 0.5 + corner
    found = from_images(photo, placed, FIVE, groups)
    assert found is not None
    assert found.common == pytest.approx(times * 1.2, abs=times * 0.15)


def test_too_few_labels_of_every_keypoint_tell_nothing() -> None:
    _, places, groups = mirrored_faces(60)
    labels = np.full_like(places, np.nan)
    for row in range(60):
        labels[row, [(0, 1), (2,), (3, 4)][row % 3]] = places[row, [(0, 1), (2,), (3, 4)][row % 3]]
    assert from_predictions(places, labels, FIVE, groups, widths=np.full(60, 72.0), by="run") is None


def test_faces_that_look_aside_or_hang_over_are_left_out() -> None:
    ahead = np.array([(14.0, 0), (-14, 0), (0, 12), (9, 25), (-9, 25)])
    aside, lying = ahead.copy(), ahead[:, ::-1].copy()
    aside[2, 0] += 10
    assert frontal_rows(np.stack([ahead, aside, lying]), FIVE).tolist() == [0]


def test_predictions_of_a_mirror_averaged_model_tell_the_offset_though_it_draws_faces_to_the_middle() -> None:
    random = np.random.default_rng(3)
    _, places, groups = mirrored_faces(300, seed=4)
    middle = (72 - 1) / 2
    pred = places.copy()
    pred[..., 0] = middle + 0.8 * (places[..., 0] - middle)  # a weak model
    pred += random.normal(0, 0.5, pred.shape)
    labels = places + np.array([1.2, 0.7])
    found = from_predictions(pred, labels, FIVE, groups, widths=np.full(300, 72.0), by="0001-cnn")
    assert found is not None
    assert found.common == pytest.approx(1.2, abs=0.15)
    assert found.low < 1.2 < found.high
    assert found.worth_telling
    clean = from_predictions(pred, places, FIVE, groups, widths=np.full(300, 72.0), by="0001-cnn")
    assert clean is not None
    assert not clean.worth_telling


def test_partners_that_lie_apart_are_no_offset() -> None:
    """A left eye too far right and a right eye too far left are symmetrical."""
    _, places, groups = mirrored_faces(200, seed=5)
    labels = places + np.array([(1.5, 0), (-1.5, 0), (0, 0), (1.5, 0), (-1.5, 0)])
    found = from_predictions(places, labels, FIVE, groups, widths=np.full(200, 72.0), by="run")
    assert found is not None
    assert found.per_keypoint == pytest.approx(np.zeros(5), abs=1e-6)


def test_what_a_model_has_learnt_is_read_without_torch(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"network.weight": np.zeros(3, np.float32), "offsets.common": np.full((5, 2), 1.5, np.float32)}, file)
    learnt = learned_offsets(file, keypoints=5)
    assert learnt is not None
    assert learnt.tolist() == [[1.5, 1.5]] * 5
    save_file({"network.weight": np.zeros(3, np.float32)}, file)
    assert learned_offsets(file, keypoints=5) is None


@pytest.mark.parametrize("strange", [np.full((5, 2), np.nan), np.zeros((4, 2)), np.zeros(10), np.full((5, 2), np.inf)])
def test_offsets_that_are_none_are_refused(tmp_path: Path, strange: np.ndarray) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"offsets.common": strange.astype(np.float32)}, file)
    with pytest.raises(UserError, match="its offsets are not"):
        learned_offsets(file, keypoints=5)


def make_project(folder: Path, dx: float) -> Path:
    images, points, groups = mirrored_faces(120)
    count = len(images)
    labels = Labels.from_points(points + np.array([dx, 0]))
    labels.origins[0, 0], labels.origins[1, 1] = Origin.PERSON, Origin.MODEL
    with Project.create(folder / "p.fkp", FIVE) as project:
        project.add_samples(
            SampleBatch(
                names=tuple(f"face-{n}" for n in range(count)),
                sources=("drawn",) * count,
                labels=labels,
                widths=np.full(count, 72, np.int32),
                heights=np.full(count, 72, np.int32),
                groups=tuple(f"p{g}" for g in groups),
                splits=np.zeros(count, np.uint8),
                pixels=images,
            ),
            source="drawn",
        )
        return project.path


def test_mending_moves_imported_points_only_and_is_one_undo(tmp_path: Path) -> None:
    with Project.open(make_project(tmp_path, 1.0)) as project:
        before = project.labels(project.ids())
        done = shift_labels(project, -1.0)
        after = project.labels(project.ids())
        assert done.points == 120 * 5 - 2
        expected = before.points - [1.0, 0]
        expected[0, 0], expected[1, 1] = before.points[0, 0], before.points[1, 1]
        assert np.allclose(after.points, expected)
        assert np.array_equal(after.origins, before.origins)
        assert [step.text for step in read_steps(project.database)] == [
            "shift 598 points in 120 faces by -1.00 px in x"
        ]
        assert done.step is not None
        undo(project, done.step)
        assert project.labels(project.ids()).same_as(before)
        redo(project, done.step)
        assert project.labels(project.ids()).same_as(after)


def test_the_command_tells_mends_and_then_has_nothing_to_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_project(tmp_path, 1.2)
    assert main(["labels", str(path)]) == 0
    told = capsys.readouterr()
    assert "px to the right" in told.out
    assert "up or down" in told.err
    assert main(["labels", str(path), "--mend"]) == 0
    assert "imported labels" in capsys.readouterr().out
    assert main(["labels", str(path), "--mend"]) == 0
    assert "No labels were shifted" in capsys.readouterr().out
    with Project.open(path) as project:
        assert len(read_steps(project.database)) == 1
