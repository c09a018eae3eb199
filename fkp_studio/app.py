"""Entry point of the app: parses arguments, starts the log and crash handling, then shows the window."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_studio.window.platforms import has_display
from training import __version__

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication


def main(argv: Sequence[str] | None = None) -> int:
    """Run the window (or the tour) and return the exit code. argv: without the program's name, None for sys.argv."""
    arguments = parse(argv)
    if arguments.tour is not None:
        from fkp_studio.tour.tour import main as tour

        return tour(arguments.tour, minutes=arguments.tour_minutes)
    if not has_display() and "QT_QPA_PLATFORM" not in os.environ:
        print("No display available. `fkp-studio --tour OUT` runs without one.", file=sys.stderr)
        return 2
    return run(arguments.what)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; an invalid one exits with code 2 and an error message."""
    parser = argparse.ArgumentParser(prog="fkp-studio", description="A workbench for facial keypoints.")
    parser.add_argument(
        "what", nargs="?", type=Path, metavar="PROJECT|SOURCE", help="a project (NAME.fkp), or data to import"
    )
    parser.add_argument(
        "--tour", type=Path, metavar="OUT", help="run the demo from labels to results; write images and a report to OUT"
    )
    parser.add_argument(
        "--tour-minutes", type=float, default=0.5, metavar="M", help="training time per recipe in the tour"
    )
    parser.add_argument("--version", action="version", version=f"FKP Studio {__version__}")
    return parser.parse_args(argv)


def run(what: Path | None = None) -> int:
    """Show the window and open `what` or the last project. Returns the exit code once the window is closed."""
    from PySide6.QtCore import QTimer

    from fkp_studio.document.settings import Settings
    from fkp_studio.look.widgets.error_handling import CrashReporter, start_log
    from fkp_studio.window.application import make_application
    from training.files.private import state_folder

    app = make_application()
    with start_log(state_folder()):
        CrashReporter(app)
        settings = Settings(app)

        from fkp_studio.look.style import theme

        theme.current().set_mode(settings.get("theme"))

        from fkp_studio.window.main_window import MainWindow

        window = MainWindow(settings)
        window.restore()
        window.show()
        QTimer.singleShot(0, window, lambda: window.open_at_start(what))
        _quit_on_signal(app)
        return app.exec()


def _quit_on_signal(app: QApplication) -> None:
    """Close the window on Ctrl-C in the terminal. Python handles signals only while it runs, hence the timer."""
    from PySide6.QtCore import QTimer

    signal.signal(signal.SIGINT, lambda *_: app.closeAllWindows())
    timer = QTimer(app, interval=500)
    timer.timeout.connect(lambda: None)
    timer.start()
