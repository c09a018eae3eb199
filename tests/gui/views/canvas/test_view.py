"""The canvas: what it shows, zoom, tone, hover, prefetching, empty states, the contact sheet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.face.images import ImageCache, read_image, reduced
from fkp_studio.face.marks import Display
from fkp_studio.face.tone import Tone
from fkp_studio.look.style import theme
from fkp_studio.views.canvas.panel import CanvasPanel
from fkp_studio.views.canvas.view import CanvasView
from tests.helpers.canvas import drag, move, on_screen, point, predict, shown, store_of
from training.faces.labels.labels import Labels, PointState
from training.faces.labels.samples import SampleBatch
from training.faces.labels.schema import KAGGLE_15
from training.storage.project.project import Project


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[CanvasPanel]:
    made = CanvasPanel(session)
    qtbot.addWidget(made)
    made.resize(700, 640)
    with qtbot.waitExposed(made):
        made.show()
    shown(qtbot, made.view, 1)
    made.view.setFocus()
    yield made
    session.close_project()


@pytest.fixture
def view(panel: CanvasPanel) -> CanvasView:
    return panel.view


def colour_at(view: CanvasView, at: QPointF) -> QColor:
    """The colour painted at this position."""
    return view.viewport().grab().toImage().pixelColor(at.toPoint())


def near(colour: QColor, name: str) -> bool:
    wanted = QColor(name)
    parts = ("red", "green", "blue")
    return all(abs(getattr(colour, part)() - getattr(wanted, part)()) < 40 for part in parts)


def wheel(view: CanvasView, at: QPointF, steps: int) -> None:
    everywhere = QPointF(view.viewport().mapToGlobal(at.toPoint()))
    none, still = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        at, everywhere, QPoint(), QPoint(0, 120 * steps), none, Qt.KeyboardModifier.NoModifier, still, False
    )
    QApplication.sendEvent(view.viewport(), event)


def test_a_pixels_centre_is_at_whole_numbers(view: CanvasView, session: Session) -> None:
    view.set_display(Display(edges=False, point_size=4))
    image = store_of(session).project.image(1)
    for x, y in ((0, 0), (95, 95), (20, 60)):
        shade = colour_at(view, on_screen(view, (x, y))).red()
        assert abs(shade - int(image[y, x])) <= 1
    outside = colour_at(view, on_screen(view, (-0.8, 40)))
    assert near(outside, theme.colours().canvas)


def test_labels_are_orange_discs_and_predictions_blue_rings(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    view.set_display(Display(edges=False, point_size=12))
    session.set_sample(3)
    predicted = predict(qtbot, session)[0]
    shown(qtbot, view, 3)
    session.set_keypoint(-1)
    assert near(colour_at(view, on_screen(view, point(session, 3, 10))), theme.LABEL)
    ring = on_screen(view, predicted[7])
    assert near(colour_at(view, ring + QPointF(6, 0)), theme.PREDICTION)
    assert not near(colour_at(view, ring), theme.PREDICTION), "a ring is hollow"
    view.toggle("predictions")
    assert not near(colour_at(view, ring + QPointF(6, 0)), theme.PREDICTION)


def test_an_accepted_prediction_is_blue_with_an_orange_rim(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    view.set_display(Display(edges=False, point_size=16))
    session.set_sample(3)
    predicted = predict(qtbot, session)[0]
    shown(qtbot, view, 3)
    view.editor.accept_missing()
    session.set_keypoint(-1)
    at = on_screen(view, predicted[7])
    assert near(colour_at(view, at), theme.PREDICTION)
    assert near(colour_at(view, at + QPointF(7, 0)), theme.LABEL)


def test_an_occluded_point_is_hollow_with_a_bar(view: CanvasView, session: Session) -> None:
    view.set_display(Display(edges=False, point_size=16))
    session.set_keypoint(-1)
    assert store_of(session).labels([1]).states[0, 3] == PointState.OCCLUDED
    at = on_screen(view, point(session, 1, 3))
    assert near(colour_at(view, at), theme.LABEL), "the bar"
    assert not near(colour_at(view, at + QPointF(0, -5)), theme.LABEL), "hollow above it"


def test_points_keep_their_size_when_zoomed(view: CanvasView, session: Session) -> None:
    view.set_display(Display(edges=False, point_size=12))
    session.set_keypoint(-1)
    for _ in range(3):
        at = on_screen(view, point(session, 1, 10))
        assert near(colour_at(view, at + QPointF(4, 0)), theme.LABEL)
        assert not near(colour_at(view, at + QPointF(9, 0)), theme.LABEL)
        view.zoom_in()


def test_the_wheel_zooms_at_the_cursor_and_fit_shows_all(view: CanvasView) -> None:
    at = on_screen(view, (70, 30))
    fitted = view.to_screen().scale
    wheel(view, at, 3)
    assert view.to_screen().scale == pytest.approx(fitted * 1.25**3)
    assert view.to_screen().back(at.x(), at.y()) == pytest.approx((70, 30), abs=0.15)
    view.fit()
    assert view.to_screen().scale == pytest.approx(fitted)


def test_zoom_and_place_stay_on_the_next_face(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    wheel(view, on_screen(view, (70, 30)), 4)
    before = view.to_screen()
    session.next_sample(1)
    shown(qtbot, view, 2)
    assert view.to_screen() == before


def test_the_middle_button_pans(view: CanvasView) -> None:
    wheel(view, on_screen(view, (48, 48)), 4)
    start = on_screen(view, (48, 48))
    drag(view, start, start + QPointF(-60, 25), button=Qt.MouseButton.MiddleButton)
    after = on_screen(view, (48, 48))
    assert (after.x() - start.x(), after.y() - start.y()) == pytest.approx((-60, 25), abs=1.5)


def test_brightness_changes_what_is_shown_and_never_the_image(view: CanvasView, session: Session) -> None:
    before = store_of(session).project.image(1).copy()
    at = on_screen(view, (20, 60))
    dark = colour_at(view, at).red()
    view.bar.toggle_adjust()
    assert view.bar.adjust.isVisible()
    view.bar.adjust.brightness.setValue(40)
    assert colour_at(view, at).red() > dark + 20
    assert (store_of(session).project.image(1) == before).all()
    view.bar.adjust.reset.click()
    assert view.display.tone == Tone()
    assert colour_at(view, at).red() == dark


def test_a_name_appears_after_the_mouse_has_rested_on_a_point(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    session.set_keypoint(-1)
    at = on_screen(view, point(session, 1, 10))
    still = view.viewport().grab().toImage()
    move(view, at, held=Qt.MouseButton.NoButton)
    assert view.viewport().grab().toImage() == still, "not at once"
    qtbot.waitUntil(lambda: view.viewport().grab().toImage() != still)
    move(view, on_screen(view, (2, 2)), held=Qt.MouseButton.NoButton)
    assert view.viewport().grab().toImage() == still


def test_the_neighbours_are_there_before_they_are_asked_for(qtbot: QtBot, view: CanvasView, session: Session) -> None:
    cache = view.loaded._images
    qtbot.waitUntil(lambda: all(cache.get(i) is not None for i in (2, 3, 4)))
    session.next_sample(1)
    assert view.shown_face is not None and view.shown_face.sample_id == 2, "painted with the key press, no waiting"


def test_the_cache_keeps_within_its_bounds(qtbot: QtBot, project_path: Path) -> None:
    cache = ImageCache(capacity=3 * 96 * 96)
    cache.set_project(project_path)
    cache.request([1])
    qtbot.waitUntil(lambda: cache.get(1) is not None)
    cache.request([2, 3, 4, 5])
    qtbot.waitUntil(lambda: cache.get(5) is not None)
    assert cache.get(1) is None
    assert [cache.get(i) is not None for i in (3, 4, 5)] == [True] * 3
    cache.close()


def test_a_large_photo_is_also_kept_small(tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 255, (1000, 4000, 3), np.uint8)
    small = reduced(big, 1600)
    assert small.flags.owndata, "the image that it was made in is gone"
    assert small.shape == (400, 1600, 3)
    assert abs(float(small.mean()) - float(big.mean())) < 1
    assert reduced(big[:, :, 0], 100).shape == (25, 100)


def test_without_a_project_a_sentence_says_what_to_do(qtbot: QtBot, empty_session: Session) -> None:
    panel = CanvasPanel(empty_session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.view.sentence.isVisible()
    assert "Open one or import images" in panel.view.sentence.text()
    assert not panel.walk_bar.isVisible()
    for act in (
        panel.view.fit,
        panel.view.editor.accept_current,
        partial(panel.view.editor.next_point, 1),
        panel.toggle_contact_sheet,
    ):
        act()
    panel.view.editor.set_state(PointState.ABSENT)
    panel.view.editor.nudge(1, 0)
    assert panel.sheet.sentence.isVisible()


def test_an_empty_project_says_so(qtbot: QtBot, empty_session: Session, tmp_path: Path) -> None:
    Project.create(tmp_path / "empty.fkp", KAGGLE_15).close()
    panel = CanvasPanel(empty_session)
    qtbot.addWidget(panel)
    empty_session.open_project(tmp_path / "empty.fkp")
    assert "no images yet" in panel.view.sentence.text()
    empty_session.close_project()


def test_a_image_that_is_gone_is_named_and_the_others_work(
    qtbot: QtBot, empty_session: Session, tmp_path: Path
) -> None:
    from PySide6.QtGui import QImage

    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        image = QImage(64, 48, QImage.Format.Format_RGB888)
        image.fill(QColor("#446688"))
        assert image.save(str(folder / name))
    batch = SampleBatch(
        names=("a", "b"),
        sources=("a.png", "b.png"),
        labels=Labels.empty(2, 15),
        widths=np.full(2, 64, np.int32),
        heights=np.full(2, 48, np.int32),
        groups=("", ""),
        splits=np.zeros(2, np.uint8),
        paths=(folder / "a.png", folder / "b.png"),
    )
    with Project.create(tmp_path / "photos.fkp", KAGGLE_15) as project, project.importing("photos") as importing:
        importing.add_samples(batch)
    (folder / "a.png").unlink()
    panel = CanvasPanel(empty_session)
    qtbot.addWidget(panel)
    panel.show()
    empty_session.open_project(tmp_path / "photos.fkp")
    qtbot.waitUntil(lambda: "a.png" in panel.view.sentence.text())
    empty_session.next_sample(1)
    shown(qtbot, panel.view, 2)
    assert not panel.view.sentence.isVisible()
    with Project.open(tmp_path / "photos.fkp", read_only=True) as project:
        assert read_image(project, 2, 0).width == 64
    empty_session.close_project()


def test_another_project_shows_its_own_images(
    qtbot: QtBot, view: CanvasView, session: Session, tmp_path: Path, project_path: Path
) -> None:
    other = tmp_path / "other.fkp"
    store_of(session).place(1, 10, (5.0, 5.0))
    shutil.copytree(project_path, other)
    session.open_project(other)
    shown(qtbot, view, 1)
    face = view.shown_face
    assert face is not None
    assert face.points[10].tolist() == [5.0, 5.0]


def test_the_contact_sheet_pages_with_the_gallerys_order(qtbot: QtBot, panel: CanvasPanel, session: Session) -> None:
    panel.toggle_contact_sheet()
    sheet = panel.sheet
    assert panel.shows_sheet
    assert sheet.ids == list(range(1, 17))
    assert sheet.where.text() == "1–16 of 24"
    sheet.next_button.click()
    qtbot.waitUntil(lambda: sheet.ids == list(range(17, 25)))
    assert not sheet.next_button.isEnabled()
    session.set_order(np.array([24, 6, 3, 9], np.int64))
    qtbot.waitUntil(lambda: sheet.ids == [24, 6, 3, 9])
    sheet.count_buttons[0].click()
    assert sheet.where.text() == "1–4 of 4"


def test_a_click_on_a_tile_goes_to_that_face(qtbot: QtBot, panel: CanvasPanel, session: Session) -> None:
    panel.toggle_contact_sheet()
    middle = panel.sheet.grid.box(5).center()
    qtbot.mouseClick(panel.sheet.grid, Qt.MouseButton.LeftButton, pos=middle)
    assert session.sample_id == 6
    assert not panel.shows_sheet
    shown(qtbot, panel.view, 6)


def test_the_contact_sheet_by_keys(qtbot: QtBot, panel: CanvasPanel, session: Session) -> None:
    panel.toggle_contact_sheet()
    grid = panel.sheet.grid
    qtbot.waitUntil(grid.hasFocus)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClick(grid, Qt.Key.Key_Down)
    assert session.sample_id == 6
    qtbot.waitUntil(lambda: grid.accessibleDescription().startswith("face-005"))
    qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert not panel.shows_sheet


def test_tiles_show_their_images_and_errors(qtbot: QtBot, panel: CanvasPanel, session: Session) -> None:
    predict(qtbot, session)
    panel.toggle_contact_sheet()
    tiles = panel.sheet.grid._tiles
    qtbot.waitUntil(lambda: all(t.image is not None for t in panel.sheet.grid._tiles))
    expected = tiles[0].face.errors
    assert panel.sheet.grid.accessibleDescription() == f"face-000  {np.nanmean(expected):.2f} px"
