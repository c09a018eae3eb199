"""The Ctrl+K dialog: finds an action, a run, or a face by its name or number; Enter goes there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from fkp_studio.actions import ACTIONS, key_text
from fkp_studio.background.tasks import run_task
from fkp_studio.document.session import Session
from fkp_studio.look.style import assets
from fkp_studio.window.bars.menus import Menus
from training.storage.project.identity import Place

SHOWN = 12  # entries per kind at most
PAUSE_MS = 80  # from the last key to the search for faces
NEEDS = {
    "project": "needs a project",
    "face": "needs a face",
    "run": "choose a run first",
}  # why an action is unavailable now


@dataclass(frozen=True)
class Entry:
    """A result. remark: shown in grey. act: called when it is chosen, or None if it is unavailable now."""

    text: str
    remark: str
    icon: str
    act: Callable[[], object] | None


def matches(words: str, text: str) -> bool:
    """Whether every word is a prefix of a word in the text: `op fo` finds `Open a folder of photos`."""
    parts = text.lower().replace("_", " ").replace("-", " ").split()
    return all(any(part.startswith(word) for part in parts) for word in words.lower().split())


def find_faces(path: Place, text: str) -> list[tuple[int, str]]:
    """(id, name) of samples whose name contains the text or whose number it is. For a background thread."""
    from training.storage.project.project import Project
    from training.storage.project.tables.samples import find_samples

    with Project.open(path, read_only=True) as project:
        return find_samples(project.database, text, most=SHOWN)


class SearchDialog(QDialog):
    """A search field with its results; arrows choose, Enter goes, Esc closes."""

    def __init__(self, session: Session, menus: Menus, runs: list[str], *, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Search")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self._session, self._menus, self._runs = session, menus, runs
        self.field = QLineEdit(placeholderText="Action, face or run")
        self.field.setAccessibleName("Search for an action, a face or a run")
        self.field.setProperty("role", "large")
        self.list = QListWidget()
        self.list.setAccessibleName("Search results")
        self.list.setIconSize(QSize(20, 20))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._empty = QLabel("No matches.")
        self._empty.setProperty("role", "dim")
        self._empty.setContentsMargins(12, 8, 12, 8)
        self._empty.hide()
        self._entries: list[Entry] = []
        self._soon = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._soon.timeout.connect(self._look_for_faces)
        frame = QFrame()
        frame.setObjectName("overlay")
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(8, 8, 8, 8)
        for widget in (self.field, self.list, self._empty):
            inner.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.field.textChanged.connect(self._on_text)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda _item: self._choose())
        self.resize(560, 400)
        self.move(
            parent.mapToGlobal(parent.rect().center()).x() - 280, parent.mapToGlobal(parent.rect().topLeft()).y() + 48
        )
        self._on_text("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys and Enter in the field act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()), 0)
            if step and self.list.count():
                self.list.setCurrentRow((self.list.currentRow() + step) % self.list.count())
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose()
                return True
        return super().eventFilter(watched, event)

    def _on_text(self, text: str) -> None:
        text = text.strip()
        self._show([*self._actions(text), *self._found_runs(text)])
        if text:
            self._soon.start()

    def _actions(self, text: str) -> list[Entry]:
        known = [a for a in ACTIONS if a.id != "search" and a.scope == "window"]
        found = [a for a in known if matches(text, f"{a.text} {a.group}")]
        found += [a for a in known if a not in found and matches(text, f"{a.text} {a.tip}")]
        usable = [a for a in found if self._menus.actions[a.id].isEnabled()]
        later = [a for a in found if a not in usable and text and a.when in NEEDS]
        entries = [
            Entry(a.text.rstrip("…"), key_text(a.keys[0]) if a.keys else "", a.icon, self._menus.actions[a.id].trigger)
            for a in usable
        ] + [Entry(a.text.rstrip("…"), NEEDS[a.when], a.icon, None) for a in later]
        return entries[: SHOWN if text else len(entries)]

    def _found_runs(self, text: str) -> list[Entry]:
        found = [run for run in self._runs if text and matches(text, run)]
        return [
            Entry(run, "show its predictions", "train", partial(self._session.set_run, run)) for run in found[:SHOWN]
        ]

    def _look_for_faces(self) -> None:
        text, store = self.field.text().strip(), self._session.store
        if text and store is not None:
            run_task(
                find_faces, store.project.address, text, done=lambda found: self._add_faces(text, found), owner=self
            )

    def _add_faces(self, text: str, found: list[tuple[int, str]]) -> None:
        if text == self.field.text().strip():
            faces = [Entry(name, f"face {i:,}", "face", partial(self._session.set_sample, i)) for i, name in found]
            self._show([*self._actions(text), *self._found_runs(text), *faces])

    def _show(self, entries: list[Entry]) -> None:
        self._entries = entries
        self.list.clear()
        for entry in entries:
            item = QListWidgetItem(assets.icon(entry.icon), entry.text)
            item.setSizeHint(QSize(0, 30))
            self.list.addItem(item)
            if entry.remark:
                remark = QLabel(entry.remark)
                remark.setProperty("role", "dim")
                remark.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                remark.setContentsMargins(0, 0, 12, 0)
                remark.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
                self.list.setItemWidget(item, remark)
        self.list.setCurrentRow(0)
        self.list.setVisible(bool(entries))
        self._empty.setVisible(not entries)

    def _choose(self) -> None:
        row = self.list.currentRow()
        if 0 <= row < len(self._entries):
            act = self._entries[row].act
            if act is not None:
                self.accept()
                act()
