"""The user's settings and the window's saved state, in one INI file, and the program's own folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QSettings, QStandardPaths, Signal

NAME = "fkp-studio"
RECENT = 8


@dataclass(frozen=True)
class Setting:
    """One entry of the settings dialog. Its type is that of `default`; numbers lie in low..high."""

    key: str
    title: str
    default: str | int | float
    help: str
    group: str
    low: float = 0
    high: float = 0
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()  # (value, text)


SETTINGS: tuple[Setting, ...] = (
    Setting("theme", "Theme", "system", "Light, dark, or follow the system", "Appearance",
            choices=(("system", "System"), ("light", "Light"), ("dark", "Dark"))),
    Setting("point_size", "Point size", 9, "Diameter of a point on the screen at any zoom", "Appearance", 3, 20, " px"),
    Setting("thumbnail_size", "Thumbnails", "M", "Size of the faces in the gallery", "Appearance",
            choices=(("S", "Small"), ("M", "Medium"), ("L", "Large"))),
    Setting("minutes", "Training time", 6.0, "Default training time of a run", "Training", 0.1, 600, " min"),
    Setting("device", "Device", "auto", "Automatic uses a GPU if there is one", "Training",
            choices=(("auto", "Automatic"), ("cpu", "CPU"), ("cuda", "NVIDIA GPU (cuda)"), ("mps", "Apple GPU (mps)"))),
)  # fmt: skip
BY_KEY: dict[str, Setting] = {s.key: s for s in SETTINGS}


class Settings(QObject):
    """Typed access to QSettings. Invalid stored values (edited by hand or of another version) read as the default."""

    changed = Signal(str)  # the key

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, NAME, NAME)

    def get(self, key: str) -> Any:
        """The value of a Setting, converted to its type."""
        setting = BY_KEY[key]
        try:
            stored: Any = self._file.value(f"settings/{key}", setting.default)
            value = type(setting.default)(stored)
        except (TypeError, ValueError):
            return setting.default
        return value if _valid(setting, value) else setting.default

    def set(self, key: str, value: Any) -> None:
        """Store a value. Raises ValueError if the setting does not allow it."""
        if not _valid(BY_KEY[key], value):
            raise ValueError(f"{key} can't be {value!r}")
        if value != self.get(key):
            self._file.setValue(f"settings/{key}", value)
            self.changed.emit(key)

    def recent(self) -> list[Path]:
        """Recently opened projects that still exist, latest first."""
        kept = self._file.value("recent", [])
        texts = [kept] if isinstance(kept, str) else list(kept) if isinstance(kept, Sequence) else []
        return [Path(text) for text in texts if text and (Path(text) / "project.db").is_file()]

    def add_recent(self, path: Path) -> None:
        """Put a project first in the recent list."""
        others = [p for p in self.recent() if p != path]
        self._file.setValue("recent", [str(p) for p in (path, *others)][:RECENT])

    def last_project(self) -> Path | None:
        """The project that was open when the program was last closed; None if it was the start page."""
        text = str(self._file.value("last_project", ""))
        return Path(text) if text else None

    def set_last_project(self, path: Path | None) -> None:
        """Remember what to open at the next start."""
        self._file.setValue("last_project", str(path) if path else "")

    def first_start(self) -> bool:
        """Whether no project has ever been opened with these settings."""
        return not self._file.contains("last_project")

    def state(self, key: str) -> QByteArray:
        """The saved state of a window or dock layout; empty if there is none."""
        value = self._file.value(f"state/{key}", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_state(self, key: str, value: QByteArray) -> None:
        """Save the state of a window or dock layout; an empty value removes it."""
        if value.isEmpty():
            self._file.remove(f"state/{key}")
        else:
            self._file.setValue(f"state/{key}", value)

    def text(self, key: str, default: str = "") -> str:
        """A saved string, such as the current workspace."""
        return str(self._file.value(f"state/{key}", default))

    def set_text(self, key: str, value: str) -> None:
        self._file.setValue(f"state/{key}", value)


def _valid(setting: Setting, value: Any) -> bool:
    if setting.choices:
        return value in [choice for choice, _ in setting.choices]
    return isinstance(value, int | float) and setting.low <= value <= setting.high


def data_folder() -> Path:
    """The folder of the demo project, such as ~/.local/share/fkp-studio."""
    folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)) / NAME
    folder.mkdir(parents=True, exist_ok=True)
    return folder
