"""The plots show the events' values: numbers are read back from the drawn items."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.jobs.training_words import epoch_text
from fkp_studio.views.plots.ced import CedPlot
from fkp_studio.views.plots.loss import LossPlot, scale_to_unit, smooth
from fkp_studio.views.plots.per_keypoint import KeypointPlot
from fkp_studio.views.plots.value_axis import log_ticks
from tests.helpers.fakes.training import Writer, an_epoch, epoch_done, started
from tests.helpers.windows import in_window
from training.faces.measures.metrics import CED_AXIS
from training.storage.runs.new_run import create_run
from training.storage.runs.settings.recipes import recipe_config

FIRST, SECOND = "0001-ml-resnet", "0002-cnn-6"


@pytest.fixture
def jobs(session: Session, qtbot: QtBot) -> Iterator[Jobs]:
    """Two finished runs of 4 epochs; the second is worse by 1 px."""
    for recipe, offset in (("ml-resnet", 0.0), ("cnn-6", 1.0)):
        with Writer(create_run(session.store.project, recipe_config(recipe))) as writer:
            writer.write(started())
            for epoch in range(1, 5):
                writer.write(*an_epoch(epoch)[:-2], epoch_done(epoch, offset=offset, best=epoch < 4))
    made = Jobs(session)
    qtbot.waitUntil(lambda: all(len(made.book.history(name).epochs) == 4 for name in (FIRST, SECOND)))
    yield made
    made.close()


def test_loss_of_train_and_val_and_batches_are_drawn(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    plot.log_button.click()
    curves = plot._curves[FIRST]
    assert curves.val.getData()[1].tolist() == [epoch_done(i).val_loss for i in range(1, 5)]
    assert curves.train.getData()[1].tolist() == [epoch_done(i).train_loss for i in range(1, 5)]
    assert len(curves.dots.places) == 16
    assert curves.best.getData()[0].tolist() == [3.0]
    assert curves.val.opts["pen"].color().name().upper() == jobs.book.colour(FIRST)


def test_log_rmse_smooth_and_the_papers_view(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    np.testing.assert_allclose(
        plot._curves[FIRST].val.getData()[1], np.log10([epoch_done(i).val_loss for i in range(1, 5)])
    )
    plot.log_button.click()
    plot.rmse_button.click()
    assert plot._curves[SECOND].val.getData()[1].tolist() == [epoch_done(i, offset=1).rmse for i in range(1, 5)]
    assert "px" in plot.item.getAxis("left").labelText
    plot.unit_button.click()
    assert plot._curves[FIRST].val.getData()[1][[0, -1]].tolist() == [1.0, 0.0]


def test_the_papers_view_is_never_logarithmic(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    assert plot.log_button.isChecked()
    plot.unit_button.click()
    assert plot._curves[FIRST].val.getData()[1][[0, -1]].tolist() == [1.0, 0.0]
    assert np.isfinite(plot._curves[FIRST].best.getData()[1]).all()
    assert not plot.log_button.isEnabled()
    plot.unit_button.click()
    assert plot.log_button.isEnabled() and plot.item.getAxis("left").logMode


def test_the_losses_of_two_stages_are_not_joined(session: Session, qtbot: QtBot) -> None:
    """They have different units; the error in pixels has one."""
    with Writer(create_run(session.store.project, recipe_config("cascade"))) as writer:
        writer.write(started())
        for epoch in range(1, 5):
            writer.write(*(replace(e, stage=1 + epoch // 3, stages=2) for e in an_epoch(epoch)[:-1]))  # type: ignore[type-var]
    jobs = Jobs(session)
    name = "0001-cascade"
    qtbot.waitUntil(lambda: len(jobs.book.history(name).epochs) == 4)
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    plot.log_button.click()
    losses = [epoch_done(i).val_loss for i in range(1, 5)]
    np.testing.assert_array_equal(plot._curves[name].val.getData()[1], [*losses[:2], np.nan, *losses[2:]])
    assert plot._curves[name].stage.isVisible()
    assert plot._curves[name].stage.value() == 2
    plot.unit_button.click()
    assert plot._curves[name].val.getData()[1][[0, 1, 3, 4]].tolist() == [1.0, 0.0, 1.0, 0.0]
    plot.unit_button.click()
    plot.rmse_button.click()
    assert plot._curves[name].val.getData()[1].tolist() == [epoch_done(i).rmse for i in range(1, 5)]
    assert epoch_text(jobs.book.history(name)) == "epoch 4/6 · stage 2 of 2"
    jobs.close()


def test_log_axis_has_plain_numbers_and_never_too_many() -> None:
    def shown(low: float, high: float, most: int) -> list[float]:
        return [round(10**t, 6) for t in log_ticks(np.log10(low), np.log10(high), most=most)]

    assert shown(6, 70, 6) == [10, 20, 50]
    assert shown(1, 9, 9) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert shown(1e-3, 1e3, 4) == [0.01, 1, 100]
    assert log_ticks(2.0, 2.0, most=5) == []
    assert log_ticks(float("nan"), 1.0, most=5) == []


def test_smoothing_and_scaling_by_hand() -> None:
    np.testing.assert_allclose(smooth(np.array([1.0, 2.0]), weight=0.5), [1.0, (0.5 * 0.5 + 0.5 * 2) / 0.75])
    np.testing.assert_allclose(smooth(np.array([3.0, np.nan, 3.0])), 3.0)
    assert scale_to_unit(np.array([4.0, 2.0, 3.0])).tolist() == [1.0, 0.0, 0.5]
    assert scale_to_unit(np.array([2.0, 2.0])).tolist() == [0.0, 0.0]


def test_ced_is_that_of_the_kept_epoch_with_auc_and_failures(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = CedPlot(session, jobs)
    qtbot.addWidget(plot)
    assert plot._curves[FIRST].getData()[0].tolist() == list(CED_AXIS)
    assert plot._curves[FIRST].getData()[1].tolist() == list(epoch_done(3).ced)
    assert plot.legend.getLabel(plot._curves[FIRST]).text == "ml-resnet  AUC 0.400  FR 16.7%"
    plot.latest_button.click()
    assert plot._curves[FIRST].getData()[1].tolist() == list(epoch_done(4).ced)
    assert plot.legend.getLabel(plot._curves[FIRST]).text == "ml-resnet  AUC 0.400  FR 15.0%"
    assert plot.item.getAxis("bottom").labelText == "NME (inter-ocular)"


def test_a_low_ced_says_auc_in_one_line_and_all_of_it_in_its_tip(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = CedPlot(session, jobs)
    in_window(qtbot, plot, width=200, height=160)
    assert not plot.legend.isVisible()
    assert plot.readout.whole == "AUC  ml-resnet 0.400   cnn-6 0.400"
    assert plot.readout.text().startswith("AUC  ml-") and plot.readout.text().endswith("…")
    assert plot.readout.toolTip() == plot.readout.whole


def test_a_second_run_of_a_recipe_numbers_the_first_in_every_legend(
    jobs: Jobs, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    plots = [LossPlot(session, jobs), CedPlot(session, jobs), KeypointPlot(session, jobs)]
    for plot in plots:
        qtbot.addWidget(plot)
    third = "0003-ml-resnet"
    histories, shown = jobs.book.history, jobs.book.shown
    monkeypatch.setattr(jobs.book, "history", lambda name: histories(FIRST if name == third else name))
    monkeypatch.setattr(jobs.book, "colour", lambda _name: "#009E73")
    monkeypatch.setattr(jobs.book, "shown", lambda: [*shown(), third])
    for plot in plots:
        plot.redraw()
    items = (plots[0]._curves[FIRST].val, plots[1]._curves[FIRST], plots[2]._bars[FIRST])
    for plot, item in zip(plots, items, strict=True):
        assert plot.legend.getLabel(item).text.startswith("ml-resnet 1"), plot.title


def test_a_hidden_run_leaves_every_plot(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plots = [LossPlot(session, jobs), CedPlot(session, jobs), KeypointPlot(session, jobs)]
    for plot in plots:
        qtbot.addWidget(plot)
        plot.show()
    jobs.book.set_shown(FIRST, False)
    drawn = [plots[0]._curves, plots[1]._curves, plots[2]._bars]
    qtbot.waitUntil(lambda: all(list(each) == [SECOND] for each in drawn))
    jobs.book.set_shown(SECOND, False)
    qtbot.waitUntil(lambda: all(plot.nothing.isVisible() for plot in plots))


def test_bars_are_the_errors_of_the_keypoints(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = KeypointPlot(session, jobs)
    qtbot.addWidget(plot)
    assert list(plot._bars[FIRST].opts["width"]) == list(epoch_done(3).per_keypoint)
    plot.worst_button.click()
    assert list(plot._bars[FIRST].opts["width"]) == sorted(epoch_done(3).per_keypoint, reverse=True)
    assert "nose" in plot.read(QPointF(1.0, float(plot._order.index(10))))


def test_crosshair_reads_the_values(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    assert plot.read(QPointF(2.1, 0)) == "epoch 2   ml-resnet 4.5 / 5   cnn-6 4.5 / 6"


def test_new_epochs_are_drawn_while_they_come_and_a_zoom_holds(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    plot.show()
    plot.view.setRange(xRange=(1, 2), yRange=(0.3, 0.6), padding=0)
    plot.view.sigRangeChangedManually.emit([True, True])  # as the wheel does
    before = plot.view.viewRange()
    jobs.book.history(FIRST).add(epoch_done(5))
    jobs.book.happened.emit(FIRST, epoch_done(5))
    qtbot.waitUntil(lambda: len(plot._curves[FIRST].val.getData()[0]) == 5)
    assert plot.view.viewRange() == before
    plot.fit()
    qtbot.waitUntil(lambda: plot.view.viewRange()[0][1] >= 5)


def test_many_events_are_few_redraws(
    jobs: Jobs, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot, count = LossPlot(session, jobs), []
    qtbot.addWidget(plot)
    plot.show()
    draw = plot.redraw
    monkeypatch.setattr(plot, "redraw", lambda: count.append(1) or draw())
    for _ in range(500):
        jobs.book.happened.emit(FIRST, epoch_done(5))
    qtbot.waitUntil(lambda: bool(count))
    assert len(count) == 1


@pytest.mark.parametrize("kind", ["SVG", "PNG", "CSV"])
@pytest.mark.parametrize("make", [LossPlot, CedPlot, KeypointPlot])
def test_export(jobs: Jobs, session: Session, qtbot: QtBot, tmp_path: Path, kind: str, make: type[LossPlot]) -> None:
    plot = make(session, jobs)
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show()
    path = tmp_path / f"plot.{kind.lower()}"
    with qtbot.waitSignal(jobs.message, check_params_cb=lambda text: text == f"Saved {path}"):
        plot.export(path, kind=kind)
    start = {"SVG": b"<?xml", "PNG": b"\x89PNG"}.get(kind, b"")
    assert path.read_bytes().startswith(start)
    assert path.stat().st_size > 100
    if kind == "CSV":
        rows = list(csv.reader(path.read_text().splitlines()))
        assert len({len(row) for row in rows}) == 1
    with qtbot.waitSignal(jobs.message, check_params_cb=lambda text: "the folder does not exist" in text):
        plot.export(tmp_path / "no" / "plot.svg", kind=kind)
    store = session.store
    assert store is not None
    with qtbot.waitSignal(jobs.message, check_params_cb=lambda text: "inside the project" in text):
        plot.export(store.path / "project.db", kind=kind)
    assert store.project.path.is_dir() and (store.path / "project.db").read_bytes().startswith(b"SQLite")


def test_empty_plots_say_what_comes(empty_session: Session, qtbot: QtBot) -> None:
    jobs = Jobs(empty_session)
    for make in (LossPlot, CedPlot, KeypointPlot):
        plot = make(empty_session, jobs)
        qtbot.addWidget(plot)
        plot.show()
        assert plot.nothing.isVisible()
        assert "appears here" in plot.nothing.text()
    jobs.close()


def test_plots_follow_the_theme(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    from fkp_studio.look.style import theme

    plot = LossPlot(session, jobs)
    qtbot.addWidget(plot)
    for mode in ("dark", "light"):
        theme.current().set_mode(mode)
        assert plot.plot.backgroundBrush().color().name().upper() == theme.colours().panel
    assert len(plot._curves) == 2
    theme.current().set_mode("system")
    assert plot.plot.contextMenuPolicy() == Qt.ContextMenuPolicy.NoContextMenu


def click_row(qtbot: QtBot, plot: KeypointPlot, row: float) -> None:
    """Click on a bar."""
    at = plot.plot.mapFromScene(plot.view.mapViewToScene(QPointF(0.1, row)))
    qtbot.mouseClick(plot.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_a_click_on_a_bar_asks_for_the_faces_with_the_worst_error(jobs: Jobs, session: Session, qtbot: QtBot) -> None:
    store = session.store
    assert store is not None
    ids = np.arange(1, 25)
    points = np.nan_to_num(store.labels(ids).points, nan=40.0)
    points[:, 10, 0] += np.where(ids % 8 == 0, 30 - ids, 0)  # 8, 16 and 24 of val are off by 22, 14 and 6 px
    points[2, 10, 0] += 60  # a face of train
    with qtbot.waitSignal(store.changed):
        store.columns.write(SECOND, ids, points.astype(np.float32), np.ones(points.shape[:2], np.float32))
    plot = KeypointPlot(session, jobs)
    qtbot.addWidget(plot)
    plot.resize(400, 500)
    with qtbot.waitExposed(plot):
        plot.show()
    with qtbot.waitSignal(plot.faces_wanted) as wanted:
        click_row(qtbot, plot, 10.2)  # the lower of two bars
    found, title, run, keypoint = wanted.args
    assert found[:3].tolist() == [8, 16, 24]
    assert sorted(found.tolist()) == [4, 8, 12, 16, 20, 24], "val alone, as what is drawn"
    assert (title, run, keypoint) == ("worst nose tip", SECOND, 10)
    with qtbot.waitSignal(jobs.message, check_params_cb=lambda text: "predict all faces" in text):
        click_row(qtbot, plot, 9.8)  # the upper one is of a run that has predicted nothing
