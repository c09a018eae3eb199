"""Export of plots to SVG and PNG, and saving of files in the background."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pyqtgraph as pg
from PySide6.QtCore import QBuffer, QIODevice, QObject, QPointF, QRectF, QSize, QSizeF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

from fkp_studio.background.tasks import run_task
from training.files.replacing import replacing
from training.storage.destination import Result, check_destination
from training.storage.project.project import Project

PNG_SCALE = 2  # for papers and slides


def svg(item: pg.PlotItem, *, background: str) -> bytes:
    """The plot as SVG."""
    return svg_of(partial(_paint, item=item, background=background), QSizeF(item.size()).toSize())


def png(item: pg.PlotItem, *, background: str) -> bytes:
    """The plot as PNG, at PNG_SCALE times its size on the screen."""
    return png_of(partial(_paint, item=item, background=background), QSizeF(item.size()).toSize())


def svg_of(draw: Callable[[QPainter], object], size: QSize) -> bytes:
    """The output of `draw` on a surface of this size, as SVG."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(size)
    generator.setViewBox(QRectF(QPointF(0, 0), QSizeF(size)))
    painter = QPainter(generator)
    draw(painter)
    painter.end()
    return bytes(buffer.data().data())


def png_of(draw: Callable[[QPainter], object], size: QSize) -> bytes:
    """The output of `draw` on a surface of this size, as PNG at PNG_SCALE times that."""
    image = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(PNG_SCALE, PNG_SCALE)
    draw(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stub knows only bytes here, Qt takes text too
    return bytes(buffer.data().data())


def _paint(painter: QPainter, *, item: pg.PlotItem, background: str) -> None:
    target = QRectF(QPointF(0, 0), QSizeF(item.size()))
    painter.fillRect(target, QColor(background))
    item.scene().render(painter, target, item.sceneBoundingRect())


def save(
    path: Path, data: bytes, *, tell: Callable[[str], object], owner: QObject, project: Path | None = None
) -> None:
    """Write the file atomically in the background, then pass the result to `tell`, unless the owner is gone.

    project: the open one, whose sources are not overwritten.
    """

    def write() -> None:
        result = Result.TABLE if path.suffix.lower() == ".csv" else Result.IMAGE
        with ExitStack() as stack:
            opened = stack.enter_context(Project.open(project, read_only=True)) if project is not None else None
            check_destination(path, result, project=opened)
        with replacing(path) as file:
            file.write(data)

    run_task(write, done=lambda _none: tell(f"Saved {path}"), failed=lambda error: tell(str(error)), owner=owner)
