"""Names are never markup: the helpers, and the source of the window, which may not pass them by."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as Guess
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

import fkp_studio
from fkp_studio.look.widgets.plain_text import (
    PlainLabel,
    menu_text,
    plain_box,
    plain_tip,
    plot_text,
    set_informative,
)

MARKUP = "<h1>mark</h1><img src=file:///etc/hostname>"
HOME = Path(fkp_studio.__file__).parent
HELPERS = HOME / "look" / "widgets" / "plain_text.py"
TIPS = ("setToolTip", "setStatusTip", "setWhatsThis")
PLOTTED = ("plot", "PlotDataItem", "BarGraphItem", "PlotCurveItem", "ScatterPlotItem")
PLOTTED = ("plot", "PlotDataItem", "BarGraphItem", "PlotCurveItem", "ScatterPlotItem")
SAFE = ("plain_tip", "own_markup", "plot_text")
OWN_MARKUP = {"dialogs.py", "dialog.py"}  # the About box, and the legend of the poses


def test_labels_and_boxes_show_names_as_they_are(qtbot: QtBot) -> None:
    label = PlainLabel(MARKUP)
    box = plain_box(None, MARKUP)
    set_informative(box, MARKUP)
    for widget in (label, box):
        qtbot.addWidget(widget)
    assert box.text() == box.informativeText() == label.text() == MARKUP
    for shown in (label, *[made for made in box.findChildren(QLabel) if made.text()]):
        assert shown.textFormat() == Qt.TextFormat.PlainText
    assert box.textFormat() == Qt.TextFormat.PlainText


@pytest.mark.parametrize("text", [MARKUP, "<b>", "a & b <i>c</i>\nd"])
def test_a_tip_holds_no_tag_of_a_name(text: str) -> None:
    shown = plain_tip(text)
    assert "<h1" not in shown and "<img" not in shown and "<i>" not in shown and "<b>" not in shown
    assert plain_tip("a plain <name> & more") == "a plain <name> & more" or Guess.mightBeRichText("a plain <name>")


def test_menus_and_plots() -> None:
    assert menu_text("R&D.fkp") == "R&&D.fkp"
    assert plot_text("<h1>") == "&lt;h1&gt;" and plot_text("it's") == "it's"


def literal(node: ast.expr) -> bool:
    """Whether a text is written in the source, or made by a helper."""
    if isinstance(node, ast.IfExp):
        return literal(node.body) and literal(node.orelse)
    if isinstance(node, ast.BoolOp):
        return all(map(literal, node.values))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in SAFE
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.lstrip("_").isupper())


def faults(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    """Where a text could be taken for markup: line and what to use instead."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(b) in ("QLabel", "QMessageBox") for b in node.bases):
            yield node.lineno, "derive from PlainLabel"
        if isinstance(node, ast.Attribute) and node.attr == "RichText" and file not in OWN_MARKUP:
            yield node.lineno, "no rich text"
        if isinstance(node, ast.Call) and (advice := of_call(node)):
            yield node.lineno, advice


def of_call(node: ast.Call) -> str:
    """What to use instead of a call; "" if it is all right."""
    name = ast.unparse(node.func)
    method = name.rsplit(".", 1)[-1]
    if name == "QLabel":
        return "use PlainLabel"
    if name == "QMessageBox" or name.startswith("QMessageBox."):
        return "use plain_box"
    if method in ("setInformativeText", "setHtml", "setDetailedText"):
        return "use set_informative, or plain text"
    if method in TIPS:
        return "" if all(map(literal, node.args[-1:])) else "use plain_tip"
    named = [k.value for k in node.keywords if k.arg == "name"] if method in PLOTTED else []
    if method == "setLabel":
        named = node.args[1:2]
    return "" if all(map(literal, named)) else "use plot_text"


@pytest.mark.parametrize("path", sorted(HOME.rglob("*.py")), ids=lambda path: str(path.relative_to(HOME)))
def test_no_text_passes_the_helpers_by(path: Path) -> None:
    if path != HELPERS:
        assert list(faults(ast.parse(path.read_text("utf-8")), path.name)) == []


@pytest.mark.parametrize(
    "line",
    [
        "QLabel(name)",
        "class Title(QLabel): pass",
        "QMessageBox(icon, 'a', name)",
        "QMessageBox.warning(self, 'a', name)",
        "w.setToolTip(name)",
        "w.setToolTip(f'{name}')",
        "w.setToolTip(name if name else '')",
        "box.setInformativeText(name)",
        "item.setLabel('left', name)",
        "item.plot(x, y, name=name)",
    ],
)
def test_the_scan_finds_what_it_looks_for(line: str) -> None:
    assert len(list(faults(ast.parse(line), "x.py"))) == 1
