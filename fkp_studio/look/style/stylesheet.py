"""The application's Qt style sheet."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from fkp_studio.look.style import assets

if TYPE_CHECKING:
    from fkp_studio.look.style.interface_colours import Colours

# Values of the property `role`: "heading" (a QLabel), "dim", "primary" (the one filled button of a panel), "flat" (a
# button without a border), "danger" (error text), "title".
_SHEET = Template("""
QMainWindow::separator { background: $line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QDockWidget { color: $dim; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }
QLabel[role="heading"] { color: $dim; font-weight: 600; letter-spacing: 1px; font-size: 11px; }
QLabel[role="dim"] { color: $dim; }
QLabel[role="danger"] { color: $danger; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="title"] { font-size: 20px; font-weight: 600; }

QPushButton { background: $raised; border: 1px solid $edge; border-radius: 4px; padding: 4px 12px; min-height: 18px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border-color: $link; }
QPushButton:disabled { color: $edge; border-color: $line; background: $panel; }
QPushButton[role="primary"] { background: $accent; color: $accent_text; border-color: $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { background: $accent_hover; }
QPushButton[role="primary"]:focus { border-color: $text; }
QPushButton[role="primary"]:disabled { background: $line; border-color: $line; color: $dim; }
QPushButton[role="flat"] { background: transparent; border-color: transparent; }
QPushButton[role="flat"]:hover { background: $hover; }
QPushButton[role="flat"]:focus { border-color: $link; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 3px; }
QToolButton:hover { background: $hover; }
QToolButton:checked { background: $selection; }
QToolButton:focus { border-color: $link; }
QToolButton::menu-indicator { image: none; }

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {
  background: $raised; border: 1px solid $edge; border-radius: 4px; padding: 3px 6px; min-height: 18px;
  selection-background-color: $accent; selection-color: $accent_text; }
QPlainTextEdit { padding: 4px; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus { border-color: $link; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
  color: $edge; border-color: $line; }
QComboBox { padding-right: 2px; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url("$chevron"); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $raised; border: 1px solid $line; outline: none; padding: 2px;
  selection-background-color: $selection; selection-color: $text; }
QComboBox QAbstractItemView::item { min-height: 24px; padding: 0 6px; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {
  border: none; width: 16px; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url("$chevron_up"); width: 10px; height: 10px; }
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url("$chevron"); width: 10px; height: 10px; }
QAbstractSpinBox QLineEdit { border: none; background: transparent; padding: 0 0 0 2px; min-height: 0; }
QCheckBox, QRadioButton { spacing: 8px; }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid $edge; border-radius: 8px; background: $raised; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 5px solid $link; background: $raised; }
QCheckBox::indicator, QTableWidget#space::indicator {
  width: 12px; height: 12px; border: 1px solid $edge; border-radius: 3px; background: $raised; }
QCheckBox::indicator:checked, QTableWidget#space::indicator:checked { image: url("$tick"); }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border-color: $text; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $line; }

QAbstractItemView {
  border: none; background: $panel; outline: none; selection-background-color: $selection; selection-color: $text; }
QHeaderView { background: $panel; }
QHeaderView::section {
  background: $panel; color: $dim; border: none; border-bottom: 1px solid $line; padding: 4px 6px; font-size: 12px; }
QTableCornerButton::section { background: $panel; border: none; }
QScrollArea { border: none; background: $panel; }
QScrollBar { background: transparent; border: none; }
QScrollBar:vertical { width: 10px; margin: 0; }
QScrollBar:horizontal { height: 10px; margin: 0; }
QScrollBar::handle { background: $handle; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $edge; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QFrame[role="line"] { color: $line; }
QMenuBar { background: transparent; padding: 0 4px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $raised; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; }
QMenu::item:selected { background: $selection; color: $text; }
QMenu::item:disabled { color: $edge; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 6px; }
QStatusBar { background: $window; color: $dim; border-top: 1px solid $line; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $dim; font-size: 12px; }
QProgressBar {
  background: $line; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; color: transparent; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QSlider::groove:horizontal { height: 4px; background: $line; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; background: $text; }
QSlider::handle:horizontal:hover { background: $link; }
QTabBar { background: $window; }
QTabBar::tab { color: $dim; padding: 5px 12px; border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $text; }
QTabWidget::pane { border: none; border-top: 1px solid $line; }

QPushButton[role="card"] {
  background: $panel; border: 1px solid $line; border-radius: 8px; padding: 0; text-align: left; min-height: 126px; }
QPushButton[role="card"][small="true"] { min-height: 74px; }
QPushButton[role="card"]:hover { border-color: $edge; background: $raised; }
QPushButton[role="card"]:focus { border-color: $link; }
QFrame#lost { background: $raised; border: none; border-left: 4px solid $danger; border-bottom: 1px solid $line; }
QFrame#overlay { background: $panel; border: 1px solid $edge; border-radius: 0; }
QLineEdit[role="large"] { font-size: 15px; padding: 6px 8px; }
QToolButton[role="search"] { border: 1px solid $line; padding: 3px 10px; color: $dim; }
QToolButton[role="search"]:hover { border-color: $edge; }
QToolButton[role="search"]:focus { border-color: $link; }
QListWidget::item { border-radius: 4px; padding-left: 8px; }
QListWidget::item:selected { background: $selection; color: $text; }
QListWidget[wordWrap="true"] { padding: 4px 8px; }
QListWidget[wordWrap="true"]::item { padding-left: 0; }  /* Qt ignores padding when it breaks lines */
""")


def stylesheet(c: Colours) -> str:
    """The application's style sheet in these colours."""
    more = {
        "chevron": assets.icon_path("chevron-down", colour=c.dim).as_posix(),
        "tick": assets.icon_path("accept", colour=c.text).as_posix(),
        "chevron_up": assets.icon_path("chevron-up", colour=c.dim).as_posix(),
        "accent_hover": "#1A80BA" if not c.dark else "#0A7CBD",
        "handle": "#4A4E55" if c.dark else "#C3C7CC",
    }
    return _SHEET.substitute({**vars(c), **more})
