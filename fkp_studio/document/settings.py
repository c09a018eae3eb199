"""What the user chose and what the window remembers, in one INI file; and where the program keeps its own files."""

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
    """One choice of the settings dialog. Its type is that of `default`; numbers lie in low..high."""

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
    Setting("theme", "Theme", "system", "Light, dark, or as the system is set", "Appearance",
            choices=(("system", "As the system"), ("light", "Light"), ("dark", "Dark"))),
    Setting("point_size", "Point size", 9, "Diameter of a point on the face, whatever the zoom", "Appearance", 3, 20, " px"),
    Setting("thumbnail_size", "Thumbnails", "M", "How large faces are in the gallery", "Appearance",
            choices=(("S", "Small"), ("M", "Medium"), ("L", "Large"))),
    Setting("minutes", "Training time", 6.0, "How long a run trains unless you say otherwise", "Training", 0.1, 600, " min"),
    Setting("device", "Device", "auto", "Where training and prediction run; automatic takes a GPU where there is one", "Training",
            choices=(("auto", "Automatic"), ("cpu", "CPU"), ("cuda", "NVIDIA GPU (cuda)"), ("mps", "Apple GPU (mps)"))),
)  # fmt: skip
BY_KEY: dict[str, Setting] = {s.key: s for s in SETTINGS}


class Settings(QObject):
    """Typed values over QSettings. A value that is not valid (edited by hand, or of another version) reads as the default."""

    changed = Signal(str)  # the key

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, NAME, NAME)

    def get(self, key: str) -> Any:
        """The value of a Setting, in its type."""
        setting = BY_KEY[key]
        try:
            stored: Any = self._file.value(f"settings/{key}", setting.default)
            value = type(setting.default)(stored)
        except (TypeError, ValueError):
            return setting.default
        return value if _valid(setting, value) else setting.default

    def set(self, key: str, value: Any) -> None:
        """Keep a value. Raises ValueError when it is not one the setting can have."""
        if not _valid(BY_KEY[key], value):
            raise ValueError(f"{key} can't be {value!r}")
        if value != self.get(key):
            self._file.setValue(f"settings/{key}", value)
            self.changed.emit(key)

    def recent(self) -> list[Path]:
        """Projects opened lately, the last first; those that are gone are left out."""
        kept = self._file.value("recent", [])
        texts = [kept] if isinstance(kept, str) else list(kept) if isinstance(kept, Sequence) else []
        return [Path(text) for text in texts if text and (Path(text) / "project.db").is_file()]

    def add_recent(self, path: Path) -> None:
        """Put a project first."""
        others = [p for p in self.recent() if p != path]
        self._file.setValue("recent", [str(p) for p in (path, *others)][:RECENT])

    def last_project(self) -> Path | None:
        """The project that was open when the program was last left; None when it was the start page."""
        text = str(self._file.value("last_project", ""))
        return Path(text) if text else None

    def set_last_project(self, path: Path | None) -> None:
        """Remember what to open at the next start."""
        self._file.setValue("last_project", str(path) if path else "")

    def first_start(self) -> bool:
        """Whether no project was ever opened with these settings."""
        return not self._file.contains("last_project")

    def state(self, key: str) -> QByteArray:
        """What a window or dock layout left under `key`; empty when nothing."""
        value = self._file.value(f"state/{key}", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_state(self, key: str, value: QByteArray) -> None:
        """Keep the state of a window; an empty one forgets it."""
        if value.isEmpty():
            self._file.remove(f"state/{key}")
        else:
            self._file.setValue(f"state/{key}", value)

    def text(self, key: str, default: str = "") -> str:
        """A word the window remembers, such as the workspace."""
        return str(self._file.value(f"state/{key}", default))

    def set_text(self, key: str, value: str) -> None:
        """Remember a word."""
        self._file.setValue(f"state/{key}", value)


def _valid(setting: Setting, value: Any) -> bool:
    if setting.choices:
        return value in [choice for choice, _ in setting.choices]
    return isinstance(value, int | float) and setting.low <= value <= setting.high


def data_folder() -> Path:
    """Where the demo project lies, such as ~/.local/share/fkp-studio."""
    return _folder(QStandardPaths.StandardLocation.GenericDataLocation)


def state_folder() -> Path:
    """Where the log lies, such as ~/.local/state/fkp-studio."""
    return _folder(QStandardPaths.StandardLocation.GenericStateLocation)


def _folder(location: QStandardPaths.StandardLocation) -> Path:
    folder = Path(QStandardPaths.writableLocation(location)) / NAME
    folder.mkdir(parents=True, exist_ok=True)
    return folder
