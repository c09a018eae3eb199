"""The window started with spoiled settings: each start must show it."""

from __future__ import annotations

import random
import shutil
import sys
import traceback
from pathlib import Path
from types import TracebackType

import PySide6.QtWidgets  # noqa: F401 - loaded before the forks

import fkp_studio.window.main_window  # noqa: F401
from tests.torture.forked import JudgedError, in_fork
from tests.torture.outcome import Outcome

SECONDS = 60.0
_VALUES = (
    b"@ByteArray(\\0\\0\\xff)", b"@Variant(\\0\\0\\0\\x7f)", b"@Invalid()", b"-1", b"99999999999", b"nan", b"true", b"",
    b"@Size(-1 -1)", b"@Rect(0 0 99999 99999)", b"@Point(99999 99999)", b"a, b, c", b"\\xff" * 200, b"/dev/null",
    b"../..", b"{", b"dark", b"1e400",
)  # fmt: skip
_SHOWN_MS = 400  # how long the window is left open


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many starts."""
    outcome, settings = Outcome(), Path.home()
    first = in_fork(start, seconds=SECONDS)
    found = sorted(settings.rglob("*.ini"))
    row = outcome.row("settings of the window")
    if first.kind != "ok" or not found:
        row.add(first.kind, [f"a first start: {first.words}, settings {found}"])
        return outcome
    valid = found[0].read_bytes()
    for number in range(count):
        spoiled = mangle_settings(valid, random.Random(f"{number}/{seed}"))
        found[0].write_bytes(spoiled)
        fate = in_fork(start, seconds=SECONDS)
        wrong = [] if fate.kind == "ok" else [f"{fate.kind}: {fate.words}"]
        row.add("shown" if not wrong else fate.kind, wrong, case=f"case {number} of seed {seed}")
        if wrong:
            (scratch / f"found-{number}.ini").write_bytes(spoiled)
    shutil.rmtree(settings, ignore_errors=True)
    return outcome


def mangle_settings(data: bytes, draw: random.Random) -> bytes:
    """Other values, spoiled bytes, cut or foreign lines."""
    lines = data.split(b"\n")
    for _ in range(draw.choice((1, 1, 3))):
        at = draw.randrange(len(lines))
        key, equals, value = lines[at].partition(b"=")
        how = draw.randrange(4)
        if how < 2 and equals:
            lines[at] = key + b"=" + draw.choice(_VALUES)
        elif how == 2 and value:
            spoiled = bytearray(value)
            spoiled[draw.randrange(len(spoiled))] = draw.randrange(256)
            lines[at] = key + b"=" + bytes(spoiled)
        else:
            lines[at] = draw.choice((b"", b"[", lines[at][: len(lines[at]) // 2], draw.randbytes(50)))
    return b"\n".join(lines)


def start() -> None:
    """Start the window as the program does, and close it. Raises JudgedError if it did not show, or anything was raised."""
    from PySide6.QtCore import QEventLoop, QSettings, QTimer

    from fkp_studio.document.settings import Settings
    from fkp_studio.look.style import theme
    from fkp_studio.window.application import make_application
    from fkp_studio.window.main_window import MainWindow

    raised: list[str] = []

    def note(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        raised.append(f"{kind.__name__}: {error} in {traceback.extract_tb(trace)[-1].name}")

    sys.excepthook = note
    app = make_application()
    settings = Settings(app)
    theme.current().set_mode(settings.get("theme"))
    window = MainWindow(settings)
    window.restore()
    window.show()
    window.open_at_start(None)
    loop = QEventLoop()
    QTimer.singleShot(_SHOWN_MS, loop.quit)
    loop.exec()
    shown = window.isVisible()
    window.close()
    window.jobs.close()
    app.processEvents()
    QSettings().sync()
    if raised or not shown:
        raise JudgedError("not shown" if not shown else "traceback", "; ".join(raised))
