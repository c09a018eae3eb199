"""Missing points given the labelled ones: hand-computed cases, invariants, files, and accepting."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training.assist.filling.accept import accept
from training.assist.filling.fill_of_run import make_fill, run_fill, usable_fill
from training.assist.filling.model import FillModel, expected_error, fit_fill, given_labels
from training.cli import main
from training.errors import UserError
from training.faces.labels.labels import Labels, Origin, PointState
from training.storage.project.edits.unset_accepted import unset_accepted
from training.storage.project.project import Project
from training.storage.project.tables.predictions import Predictions
from training.storage.runs.model.prediction_stamp import model_stamp, note_predicted
from training.storage.runs.new_run import create_run
from training.storage.runs.run import Run
from training.storage.runs.settings.config import RunConfig

SIZE = (100.0, 50.0)


def two_points() -> FillModel:
    """In px of an image of 100 x 50: variances 1; the points' x correlate by 0.5, their y by -0.8."""
    x, y = np.array([[1, 0.5], [0.5, 1]]), np.array([[1, -0.8], [-0.8, 1]])
    covariance = np.zeros((4, 4))
    covariance[::2, ::2], covariance[1::2, 1::2] = x / SIZE[0] ** 2, y / SIZE[1] ** 2
    return FillModel(covariance, 100)


def shifted(count: int, *, keypoints: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels [N, K, 2]: errors are a shift per face (3 px) plus 1 px per point."""
    random = np.random.default_rng(seed)
    shape = random.uniform(20, 80, (keypoints, 2))
    points = shape + random.normal(0, 4, (count, 1, 2))
    return points, points + random.normal(0, 3, (count, 1, 2)) + random.normal(0, 1, (count, keypoints, 2))


def sizes(count: int) -> np.ndarray:
    return np.full((count, 2), 100.0)


def test_two_points_by_hand() -> None:
    predicted, label = np.array([[10.0, 10.0], [30.0, 20.0]]), np.array([[12.0, 9.0], [np.nan, np.nan]])
    points, covariances = two_points().condition(predicted, label, np.array([True, False]), size=SIZE)
    # x is off by 2, so the other by 0.5 * 2; y by -1, so the other by -0.8 * -1
    assert points == pytest.approx(np.array([[12, 9], [31, 20.8]]))
    assert covariances[0] == pytest.approx(np.zeros((2, 2)))
    assert covariances[1] == pytest.approx(np.diag([1 - 0.5**2, 1 - 0.8**2]))


def test_a_slip_of_the_hand_hardly_moves_the_others() -> None:
    predicted, label = np.array([[10.0, 10.0], [30.0, 20.0]]), np.array([[90.0, 10.0], [np.nan, np.nan]])
    square = FillModel(two_points().covariance * np.outer([1, 0.5, 1, 0.5], [1, 0.5, 1, 0.5]), 100)
    points, covariances = square.condition(predicted, label, np.array([True, False]), size=(100, 100))
    # 80 px off: a variance of 80^2 / 20 = 320 brings that to the limit of 20, and 0.5 / 320 of it moves the other
    assert points[1, 0] == pytest.approx(30 + 80 * 0.5 / 320)
    assert covariances[1, 0, 0] == pytest.approx(1 - 0.5**2 / 320)
    assert points[0].tolist() == [90, 10]


def test_two_labels_that_agree_are_no_slip() -> None:
    points, labels = shifted(200)
    fill = fit_fill(points, labels, sizes(200))
    assert fill is not None
    face, off = points[0], np.array([25.0, 0.0])  # eight deviations: the network was at another face
    alone, _ = fill.condition(face, face + off, np.arange(5) < 1, size=(100, 100))
    both, _ = fill.condition(face, face + off, np.arange(5) < 2, size=(100, 100))
    assert 0 < (alone - face)[4, 0] < 12 < (both - face)[4, 0]


def test_nothing_known_is_the_plain_prediction_and_a_confirmed_one_moves_nothing() -> None:
    predicted = np.array([[10.0, 10.0], [30.0, 20.0]])
    fill, nothing = two_points(), np.full((2, 2), np.nan)
    for label, known in ((nothing, [False, False]), (predicted, [True, False]), (nothing, [True, True])):
        points, covariances = fill.condition(predicted, label, np.array(known), size=SIZE)
        assert np.array_equal(points, predicted)
    assert covariances == pytest.approx(
        np.broadcast_to(np.eye(2), (2, 2, 2))
    )  # a known point without a position is unknown


def test_each_label_makes_the_others_surer() -> None:
    points, labels = shifted(80)
    fill = fit_fill(points, labels, sizes(80))
    assert fill is not None
    before = np.full(5, np.inf)
    for count in range(5):
        _, covariances = fill.condition(points[0], labels[0], np.arange(5) < count, size=(100, 100))
        doubts = expected_error(covariances)
        assert (doubts[count:] < before[count:]).all()
        assert doubts[:count].tolist() == [0] * count
        before = doubts


@pytest.mark.parametrize("hidden", [0.0, 0.6])
def test_what_is_common_to_a_face_is_learnt_also_where_labels_are_missing(hidden: float) -> None:
    points, labels = shifted(300)
    labels[np.random.default_rng(1).random((300, 5)) < hidden] = np.nan
    fill = fit_fill(points, labels, sizes(300))
    assert fill is not None
    across = fill.covariance * 100**2
    assert np.diag(across) == pytest.approx(np.full(10, 10), rel=0.25)  # 3^2 + 1^2
    assert across[0, 2::2] == pytest.approx(np.full(4, 9), rel=0.3)
    assert np.abs(across[0, 1::2]).max() < 2
    fresh, truth = shifted(200, seed=0)
    filled, _ = fill.condition_all(fresh, truth, np.broadcast_to(np.arange(5) < 2, (200, 5)), sizes=sizes(200))
    plain, given = (np.hypot(*(p - truth)[:, 2:].T).mean() for p in (fresh, filled))
    assert given < 0.5 * plain


def test_few_faces_give_no_model_and_a_few_more_a_cautious_one() -> None:
    points, labels = shifted(8)
    assert fit_fill(points[:4], labels[:4], sizes(4)) is None
    alone = np.where(np.arange(5)[:, None] < 1, labels, np.nan)
    assert fit_fill(points, alone, sizes(8)) is None  # one label per face carries no information on two points
    fill = fit_fill(points, labels, sizes(8))
    assert fill is not None
    assert fill.faces == 8
    assert np.linalg.eigvalsh(fill.covariance).min() > 0


def test_a_keypoint_that_nobody_labelled_is_predicted_plainly_or_with_its_face() -> None:
    points, labels = shifted(60)
    labels[:, 4] = np.nan
    fill = fit_fill(points, labels, sizes(60))
    assert fill is not None
    found, _ = fill.condition(points[0], points[0] + 3, np.arange(5) < 2, size=(100, 100))
    assert np.isfinite(found).all()
    assert (found[4] >= points[0, 4]).all()


def test_a_model_that_is_saved_comes_back(tmp_path: Path) -> None:
    fill = two_points()
    fill.save(tmp_path / "fill.npz")
    again = FillModel.load(tmp_path / "fill.npz")
    assert np.array_equal(again.covariance, fill.covariance)
    assert again.faces == 100
    assert [p.name for p in tmp_path.glob("*fill*")] == ["fill.npz"]
    assert usable_fill(Run(tmp_path), keypoints=2) is not None
    assert usable_fill(Run(tmp_path), keypoints=15) is None
    assert Run(tmp_path / "face-15.safetensors").fill == tmp_path / "face-15.fill.npz"


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _huge() -> bytes:
    """A header that declares 8 TB."""
    file, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("covariance.npy", array.getvalue())
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        _npz(covariance=np.eye(4), faces=np.array(9))[:200],
        _npz(faces=np.array(9)),
        _npz(covariance=np.eye(3), faces=np.array(9)),
        _npz(covariance=np.zeros((4, 4)), faces=np.array(9)),
        _npz(covariance=np.full((4, 4), np.nan), faces=np.array(9)),
        _npz(covariance=np.array([["a"]]), faces=np.array(9)),
        _npz(covariance=np.array([{}], object), faces=np.array(9)),
        _huge(),
    ],
)
def test_a_damaged_file_is_told_and_predictions_are_plain(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fill.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged .*plain predictions are used"):
        run_fill(Run(tmp_path))
    assert usable_fill(Run(tmp_path), keypoints=2) is None


def test_only_what_somebody_vouches_for_is_taken_as_given() -> None:
    labels = Labels.from_points(np.array([[[12.0, 9.0], [np.nan, np.nan]]] * 2))
    labels.origins[1, 0] = Origin.MODEL
    says = Predictions(np.array([[[10, 10], [30, 20]]] * 2, np.float32), np.full((2, 2), 0.6, np.float32))
    found, _ = given_labels(two_points(), labels, says, np.array([SIZE, SIZE]))
    assert found.points[0] == pytest.approx(
        np.array([[10, 10], [31, 20.8]]), abs=1e-5
    )  # at a label: the run's own confidence
    assert np.array_equal(found.points[1], says.points[1])
    # of the variances 1 and 1 (in fractions: 1/100^2 and 1/50^2) 0.75 and 0.36 are left
    left = (0.75 / 100**2 + 0.36 / 50**2) / (1 / 100**2 + 1 / 50**2)
    assert found.confidences[0] == pytest.approx([0.6, 1 - 0.4 ** (left**-0.9)])
    assert found.confidences[1] == pytest.approx([0.6, 0.6])


def predicted_run(project: Project) -> Run:
    """A run whose predictions are off by one shift per face, and a stand-in for its model."""
    run = create_run(project, RunConfig())
    run.model.write_bytes(b"not read")
    ids = project.ids()
    labels = project.labels(ids)
    truth = np.where(labels.mask[..., None], labels.points, 48)
    random = np.random.default_rng(0)
    off = random.normal(0, 3, (len(ids), 1, 2)) + random.normal(0, 0.3, (len(ids), 15, 2))
    project.write_predictions(run.name, ids, truth - off, np.full((len(ids), 15), 0.5))
    note_predicted(run, model_stamp(run))
    return run


def spread_splits(project: Project) -> None:
    """Move half of the faces to val."""
    project.set_splits(project.ids(), (np.arange(len(project)) % 2).astype(np.uint8))


def test_accepting_fills_given_the_labels_or_plainly_when_told(project_path: Path) -> None:
    with Project.open(project_path) as project:
        spread_splits(project)
        run = predicted_run(project)
        fill = make_fill(project, run)
        assert fill is not None
        assert fill.faces == 12
        ids = project.ids()
        before, says = project.labels(ids), project.predictions(run.name, ids)
        assert before.missing.any()
        accept(project, run.name)
        after = project.labels(ids)
        assert np.array_equal(after.points[before.mask], before.points[before.mask])
        given = np.abs(after.points - 48)[before.missing].mean()
        plain = np.abs(says.points - 48)[before.missing].mean()
        assert given < 0.5 * plain
        assert (after.confidences[before.missing] > 0.5).all()
        unset_accepted(project, run.name)
        accept(project, run.name, plain=True)
        assert after.states[before.missing].tolist() == [PointState.VISIBLE] * int(before.missing.sum())
        assert np.array_equal(project.labels(ids).points[before.missing], says.points[before.missing].astype(float))


def test_the_command_makes_the_fill_model_of_a_run_of_before(
    project_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Project.open(project_path) as project:
        spread_splits(project)
        run = predicted_run(project)
    assert main(["fill", str(project_path), "--run", "1", "--plain"]) == 0
    assert "plain predictions" in capsys.readouterr().out
    assert not run.fill.exists()
    with Project.open(project_path) as project:
        unset_accepted(project, run.name)
    assert main(["fill", str(project_path), "--run", "1"]) == 0
    assert "conditioned on their labels" in capsys.readouterr().out
    assert run.fill.is_file()
    with Project.open(project_path) as project:
        unset_accepted(project, run.name)
    run.fill.write_bytes(b"torn")
    assert main(["fill", str(project_path), "--run", "1"]) == 0
    said = capsys.readouterr()
    assert "is damaged" in said.err
    assert "plain predictions" in said.out
