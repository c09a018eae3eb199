"""One harness in a process of its own: `python -m tests.torture.single NAME COUNT SEED SCRATCH`.

Its outcome is written to SCRATCH/outcome.json. Nothing of the user's own settings or data is read or changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.torture.catalogue import BY_NAME, Harness, unavailable
from tests.torture.outcome import Outcome
from training.storage.runs.run import STARTERS

ROOT = Path(__file__).resolve().parents[2]


def run_single(harness: Harness, scratch: Path, *, count: int, seed: int) -> Outcome:
    """Run a harness in a child process with a home folder of its own."""
    scratch.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.torture.single", harness.name, str(count), str(seed), str(scratch)]
    ended = subprocess.run(command, cwd=ROOT, env=_environment(harness, scratch), check=False)
    result = scratch / "outcome.json"
    if not result.exists():
        outcome = Outcome()
        outcome.row("the harness").add("died", [f"it ended with exit code {ended.returncode} without an outcome"])
        return outcome
    return Outcome.load(result)


def _environment(harness: Harness, scratch: Path) -> dict[str, str]:
    home = scratch / "home"
    home.mkdir()
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    values = {
        **os.environ,
        **folders,
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": "1",
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    values.pop(STARTERS, None)  # the program's own
    if harness.shim and not unavailable(harness):
        from tests.torture.places.shim import preloaded

        values |= preloaded(scratch)
    return values


def main(name: str, count: str, seed: str, scratch: str) -> int:
    work = Path(scratch) / "work"
    work.mkdir()
    BY_NAME[name].run(work, count=int(count), seed=int(seed)).save(Path(scratch) / "outcome.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
