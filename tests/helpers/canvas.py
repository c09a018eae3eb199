"""Helpers for tests of the canvas: screen positions, raw mouse events for drags, predictions."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from fkp_studio.document.session import Session
from fkp_studio.document.store import ProjectStore
from fkp_studio.views.canvas.view import CanvasView

RUN = "0001-ml-resnet"
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


def store_of(session: Session) -> ProjectStore:
    assert session.store is not None
    return session.store


def point(session: Session, sample_id: int, keypoint: int) -> list[float]:
    """The label's position as stored on disk."""
    return [float(v) for v in store_of(session).labels([sample_id]).points[0, keypoint]]


def state(session: Session, sample_id: int, keypoint: int) -> int:
    return int(store_of(session).labels([sample_id]).states[0, keypoint])


def predict(qtbot: QtBot, session: Session, *, shift: float = 2.0) -> np.ndarray:
    """Store and show predictions of RUN for all faces: the template, shifted. float [N, K, 2]."""
    store = store_of(session)
    ids = store.ids()
    points = np.tile(np.array(store.schema.template) * 60 + 18 + shift, (len(ids), 1, 1))
    confidences = np.tile(np.linspace(0.4, 0.9, len(store.schema)), (len(ids), 1))
    with qtbot.waitSignal(store.changed):
        store.columns.write(RUN, ids, points, confidences)
    session.set_run(RUN)
    return points


def shown(qtbot: QtBot, view: CanvasView, sample_id: int) -> None:
    """Wait until the face's image is on the screen."""
    qtbot.waitUntil(lambda: view.shown_face is not None and view.shown_face.sample_id == sample_id)


def on_screen(view: CanvasView, at: tuple[float, float] | list[float] | np.ndarray) -> QPointF:
    """The window position of a place on the image."""
    x, y = view.to_screen()(np.array(at, float)).tolist()
    return QPointF(x, y)


def send(widget: QWidget, kind: QEvent.Type, at: QPointF, *, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
    """Send one mouse event as the window system would."""
    everywhere = QPointF(widget.mapToGlobal(at.toPoint()))
    event = QMouseEvent(kind, at, everywhere, button, held, Qt.KeyboardModifier.NoModifier)
    QCoreApplication.sendEvent(widget, event)


def press(view: CanvasView, at: QPointF, *, button: Qt.MouseButton = LEFT) -> None:
    send(view.viewport(), QEvent.Type.MouseButtonPress, at, button=button, held=button)


def move(view: CanvasView, at: QPointF, *, held: Qt.MouseButton = LEFT) -> None:
    send(view.viewport(), QEvent.Type.MouseMove, at, button=NONE, held=held)


def release(view: CanvasView, at: QPointF, *, button: Qt.MouseButton = LEFT) -> None:
    send(view.viewport(), QEvent.Type.MouseButtonRelease, at, button=button, held=NONE)


def click(view: CanvasView, at: QPointF) -> None:
    press(view, at)
    release(view, at)


def double_click(view: CanvasView, at: QPointF) -> None:
    click(view, at)
    send(view.viewport(), QEvent.Type.MouseButtonDblClick, at, button=LEFT, held=LEFT)
    release(view, at)


def drag(view: CanvasView, start: QPointF, end: QPointF, *, button: Qt.MouseButton = LEFT) -> None:
    press(view, start, button=button)
    for step in (0.3, 0.7, 1.0):
        move(view, start + (end - start) * step, held=button)
    release(view, end, button=button)
