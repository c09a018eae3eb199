"""What `make` runs: makes the virtual environment when it has to, then the app, the tour or the checks.

usage: python3 .ci/setup.py run | test | torture | check | fix | install | system | screenshots | bench
Standard library only. pip's own configuration decides where packages come from; constraints.txt says which versions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from changed_tests import changed_tests
from checks import CONTRACTS, PLATFORMS, STYLE, TESTS, check_one, check_together, types
from environment import ROOT, VENV, WINDOWS, prepare, program, run
from system import Missing, SetupError, has_display, provide, qt_platform, say

TOUR = ROOT / "tour"
NO_BENCHMARKS = {  # what the others share, half an hour of training on real faces, and what needs another environment
    ROOT / "benchmarks" / "window.py",
    ROOT / "benchmarks" / "faces15_results.py",
    ROOT / "benchmarks" / "comparison_data.py",
    ROOT / "benchmarks" / "compare_predictors.py",
    ROOT / "benchmarks" / "foreign_maps.py",
    ROOT / "benchmarks" / "foreign_points.py",
}


def start() -> None:
    """Start the app; without a display run its loop offscreen and leave screenshots and a report in tour/."""
    prepare("all", platform=qt_platform())
    if not has_display():
        say(f"There is no display here: running the same loop offscreen, with screenshots in {TOUR}")
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        run([str(program("python")), "-m", "fkp_studio", "--tour", str(TOUR)], "The tour ended early.")
        return
    say("Starting FKP Studio")
    app = str(program("fkp-studio"))
    if WINDOWS:  # where exec starts another process and ends this one
        run([app], "FKP Studio ended with an error.")
    else:
        os.chdir(ROOT)
        os.execv(app, [app])  # noqa: S606 - this process becomes the app


def test() -> None:
    """All checks and tests, the quick ones first; the first that fails ends it."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    missing = prepare("dev", platform=qt_platform(), x_tests=True)
    _say_skipped(missing)
    for one in STYLE:
        check_one(one)
    check_together([*map(types, PLATFORMS), CONTRACTS])
    check_one(TESTS)
    say("All checks passed")
    _say_skipped(missing)


def _say_skipped(missing: Missing) -> None:
    if missing.for_x_tests:
        say(f"Tests in a real X window are skipped; for them: sudo apt-get install {' '.join(missing.for_x_tests)}")


def torture() -> None:
    """Every harness of tests/torture/ in its long form; their short forms are part of `test`."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    prepare("dev", platform=qt_platform())
    say("Kills, faults, spoiled files and strangers, for most of an hour")
    run([str(program("python")), "-m", "tests.torture", "--long"], "Something was found.")


def check() -> None:
    """The quick checks, and the tests of what changed since the last commit."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    prepare("dev", platform=qt_platform())
    for one in STYLE:
        check_one(one)
    check_together([types(sys.platform if sys.platform in PLATFORMS else "linux"), CONTRACTS])
    tests = changed_tests(ROOT)
    if tests:
        check_one((f"tests of what changed ({len(tests)} files)", ["pytest", *tests]))
    say("All quick checks passed")


def fix() -> None:
    """Correct what ruff can, and format; ruff names what is left for a person."""
    prepare("dev")
    run([str(program("ruff")), "check", "--fix", "--exit-zero", "."], "The code could not be checked.")
    run([str(program("ruff")), "format", "."], "The code could not be formatted.")


def system() -> None:
    """Install the system's packages that `run` and `test` need; for root."""
    provide(VENV, platform="xcb", x_tests=True)


def install() -> None:
    """Only the virtual environment with the app, without its extras."""
    prepare("")


def screenshots() -> None:
    """Redraw the screenshots of the documentation."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    prepare("", platform=qt_platform())
    run([str(program("python")), "docs/make_screenshots.py"], "The screenshots were not made.")


def bench() -> None:
    """Run every benchmark; each prints its medians."""
    prepare("dev")
    for script in sorted(set((ROOT / "benchmarks").glob("*.py")) - NO_BENCHMARKS):
        say(script.name)
        run([str(program("python")), str(script)], f"Failed: benchmarks/{script.name}.")


ACTS: dict[str, Callable[[], None]] = {
    "run": start,
    "test": test,
    "torture": torture,
    "check": check,
    "fix": fix,
    "install": install,
    "system": system,
    "screenshots": screenshots,
    "bench": bench,
}


def main() -> int:
    """The exit code: 0, or 1 after a sentence on stderr."""
    if len(sys.argv) != 2 or sys.argv[1] not in ACTS:
        print(f"usage: python3 .ci/setup.py {' | '.join(ACTS)}", file=sys.stderr)
        return 2
    try:
        ACTS[sys.argv[1]]()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
