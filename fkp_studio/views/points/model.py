"""The table model of the current face's points: one row per keypoint."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal

from fkp_studio.face.current_face import CurrentFace
from fkp_studio.face.face import Face
from fkp_studio.face.geometry import HALF_PIXEL
from fkp_studio.face.words import STATE_WORDS, given_words, maker
from fkp_studio.look.widgets.plain_text import plain_tip
from training.faces.labels.labels import Origin, PointState
from training.faces.labels.run_names import run_title

if TYPE_CHECKING:
    from fkp_studio.document.session import Session

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
Cell = tuple[str, bool]  # text (in the state column: the mark), whether it is dim

FEW = 256  # rows that are compared to report only what changed
SAME = 0.001  # px; an accepted point lies on its own prediction, so its error is not shown


class Column(IntEnum):
    """The columns from left to right."""

    STATE = 0
    NAME = 1
    X = 2
    Y = 3
    ERROR = 4
    CONFIDENCE = 5
    MAKER = 6


TITLES = {
    Column.STATE: ("", "State of the point"),
    Column.NAME: ("point", "The keypoint"),
    Column.X: ("x", "Pixels from the left; the centre of the first pixel is 0"),
    Column.Y: ("y", "Pixels from the top; the centre of the first pixel is 0"),
    Column.ERROR: (
        "Δ px",
        "Distance in pixels from the label to the chosen run's prediction; ±: expected error where a label is missing",
    ),
    Column.CONFIDENCE: ("conf", "Confidence of the chosen run's prediction; of an accepted point, when accepted"),
    Column.MAKER: ("by", "Origin of the label"),
}
MarkRole = int(Role.UserRole)  # "label", "accepted", "occluded", "suspect", "predicted", "absent", "unset"
# plain ints: looking up a member of a Qt enum takes as long as the rest of `data`
_DISPLAY, _EDIT, _ALIGN = int(Role.DisplayRole), int(Role.EditRole), int(Role.TextAlignmentRole)
_LONG = (int(Role.ToolTipRole), int(Role.AccessibleTextRole))
_FIXED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_EDITABLE = _FIXED | Qt.ItemFlag.ItemIsEditable
_TYPED = (int(Column.X), int(Column.Y))


class PointsModel(QAbstractTableModel):
    """Follows CurrentFace. x and y are editable; an edit is one undo step, like a drag."""

    refused = Signal(str)  # why the typed value is invalid

    def __init__(self, session: Session, current: CurrentFace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._current = session, current
        self._titles: tuple[str, ...] = ()
        self._rows: dict[int, list[Cell]] = {}  # of the face, as views ask for them
        self._told: dict[int, list[Cell]] = {}  # what views have asked for and may still show
        self._repaint = QTimer(self)  # so that the canvas is painted first
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(0)
        self._repaint.timeout.connect(self._tell)
        current.changed.connect(self._on_face_changed)
        self._on_face_changed()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._titles)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return TITLES[Column(section)][0]
        if role == Role.TextAlignmentRole:
            return alignment(section)
        return TITLES[Column(section)][1] if role in (Role.ToolTipRole, Role.AccessibleTextRole) else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return _EDITABLE if index.column() in _TYPED else _FIXED

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        face, k, column = self._current.face, index.row(), index.column()
        if face is None or not 0 <= k < len(self._titles):
            return None
        if role == _DISPLAY:
            return "" if column == Column.STATE else self.cell(k, column)[0]
        if role == MarkRole:
            return self.cell(k, Column.STATE)[0]
        if role == _EDIT and column in _TYPED and face.present[k]:
            return f"{face.points[k, column - Column.X]:.3f}"
        if role == _ALIGN:
            return alignment(column)
        if role in _LONG:
            words = self._long(face, k, Column(column))
            return plain_tip(words) if role == Role.ToolTipRole and words else words
        return None

    def cell(self, k: int, column: int) -> Cell:
        """The text of a cell (in the state column: its mark) and whether it is dim."""
        face = self._current.face
        return ("", False) if face is None else self._row(face, k)[column]

    def _row(self, face: Face, k: int) -> list[Cell]:
        """The cells of a row, made once per face because every repaint asks for those in sight."""
        if k not in self._rows:
            dim = not face.present[k]
            self._rows[k] = [(self._text(face, k, column), dim) for column in Column]
        return self._rows[k]

    def setData(self, index: Index, value: Any, role: int = Role.EditRole) -> bool:
        face, store = self._current.face, self._session.store
        if face is None or store is None or role != Role.EditRole:
            return False
        k, axis = index.row(), index.column() - Column.X
        number = _number(str(value))
        size = (face.width, face.height)[axis]
        if not -HALF_PIXEL <= number <= size - HALF_PIXEL:  # also if it is NaN
            typed = str(value).strip()
            self.refused.emit(f"“{typed}” is outside the image. Type pixels from 0 to {size - 1}, such as 45.2.")
            return False
        at = face.points[k].copy() if face.present[k] else face.predicted[k].copy()
        if not np.isfinite(at).all():
            at[:] = (face.width - 1) / 2, (face.height - 1) / 2  # the other coordinate of an unplaced point
        if number == round(float(at[axis]), 3) and face.present[k]:
            return False
        at[axis] = number
        state = PointState(int(face.states[k])) if face.present[k] else PointState.VISIBLE
        store.place(face.sample_id, k, (float(at[0]), float(at[1])), state=state, source=self)
        return True

    def _text(self, face: Face, k: int, column: Column) -> str:
        if column == Column.STATE:
            return mark(face, k)
        if column == Column.NAME:
            return short_title(self._titles[k])
        if column in (Column.X, Column.Y):
            return _figure(face.points[k, column - Column.X])
        if column == Column.ERROR and np.isfinite(face.doubts[k]):
            return f"±{_figure(face.doubts[k])}"
        if column == Column.ERROR:
            return "" if mark(face, k) == "accepted" and face.errors[k] < SAME else _figure(face.errors[k])
        if column == Column.CONFIDENCE:
            return _percent(_confidence(face, k))
        if column == Column.MAKER:
            return _by(face, k)
        return ""

    def _long(self, face: Face, k: int, column: Column) -> str:
        words = _STATE_OF_MARK.get(mark(face, k), "")
        if column == Column.STATE:
            return words
        if column == Column.NAME:
            made = self._maker_in_full(face, k)
            return ", ".join(part for part in (f"{self._titles[k]}: {words}", made) if part)
        if column == Column.MAKER:
            return self._maker_in_full(face, k)
        if column in (Column.X, Column.Y) and face.present[k]:
            return f"{face.points[k, column - Column.X]:.3f}"
        if column == Column.ERROR and np.isfinite(face.doubts[k]):
            return f"Expected error of the prediction{given_words(face)}: {face.doubts[k]:.1f} px"
        return self._text(face, k, column)

    def _maker_in_full(self, face: Face, k: int) -> str:
        if face.labels.origins[0, k] != Origin.MODEL or self._session.store is None:
            words = {Origin.IMPORTED: "imported from a file", Origin.PERSON: "set by a person"}
            return words.get(Origin(int(face.labels.origins[0, k])), maker(face, k))
        number = int(face.labels.runs[0, k])
        names = sorted(p.name for p in self._session.store.project.runs_dir.glob(f"{number:04d}-*"))
        return f"accepted from {names[0] if names else run_title(number)}, confidence {_percent(_confidence(face, k))}"

    def _on_face_changed(self) -> None:
        face, store = self._current.face, self._session.store
        self._told |= self._rows
        self._rows = {}
        titles = store.schema.titles if face is not None and store is not None else ()
        if titles != self._titles:
            self.beginResetModel()
            self._titles, self._told = titles, {}
            self.endResetModel()
        elif titles:
            self._repaint.start()

    def _tell(self) -> None:
        """Emit `dataChanged` for the cells in sight that changed, which are few after a drag."""
        face = self._current.face
        if face is None or not self._titles:
            return
        before, self._told = self._told, {}
        if len(before) > FEW:  # most are out of sight, and the view knows which
            self.dataChanged.emit(self.index(min(before), 0), self.index(max(before), len(Column) - 1))
            return
        for column in Column:
            rows = [k for k, cells in before.items() if cells[column] != self._row(face, k)[column]]
            if rows:
                self.dataChanged.emit(self.index(min(rows), column), self.index(max(rows), column))


_SHORT = {"left": "L", "right": "R", "eyebrow": "brow", "center": "ctr", "centre": "ctr"}


def short_title(title: str) -> str:
    """A keypoint's name for a narrow column: `L brow inner end` for `left eyebrow inner end`."""
    return " ".join(_SHORT.get(word, word) for word in title.split())


def mark(face: Face, k: int) -> str:
    """The symbol of a point, as the canvas draws it."""
    if face.suspect[k]:
        return "suspect"
    state = PointState(int(face.states[k]))
    if state == PointState.VISIBLE:
        return "accepted" if face.labels.origins[0, k] == Origin.MODEL else "label"
    if state == PointState.UNSET:
        return "predicted" if np.isfinite(face.predicted[k]).all() else "unset"
    return STATE_WORDS[state]


_STATE_OF_MARK = {
    "label": "visible",
    "accepted": "visible",
    "occluded": "occluded: its position is an estimate",
    "absent": "absent from this image",
    "suspect": "looks wrong: swapped with its partner, or outside the image",
    "predicted": "unset, with a prediction",
    "unset": "unset: not yet decided",
}


def _confidence(face: Face, k: int) -> float:
    if face.labels.origins[0, k] == Origin.MODEL:
        return float(face.labels.confidences[0, k])
    return float(face.confidences[k])


def _by(face: Face, k: int) -> str:
    if face.labels.origins[0, k] == Origin.MODEL:
        return run_title(int(face.labels.runs[0, k])).partition("-")[0]  # the column is narrow
    short = {Origin.IMPORTED: "file", Origin.PERSON: "hand", Origin.INTERPOLATED: "interp."}
    state = PointState(int(face.states[k]))
    return STATE_WORDS[state] if not face.present[k] else short.get(Origin(int(face.labels.origins[0, k])), "")


def _figure(value: float) -> str:
    """One decimal, or none for values of at least 1000, as in large photos; "" if not finite."""
    return "" if not np.isfinite(value) else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def _percent(value: float) -> str:
    return f"{value:.0%}" if np.isfinite(value) else ""


def _number(text: str) -> float:
    """The typed number, NaN if invalid. Accepts a decimal comma."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return float("nan")


def alignment(column: int) -> Qt.AlignmentFlag:
    """Numbers are right-aligned, text left-aligned."""
    right = column in (Column.X, Column.Y, Column.ERROR, Column.CONFIDENCE)
    return (Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
