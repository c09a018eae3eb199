"""Stands in for `fkp search`: makes the search, reports one trial, and runs until it is asked to stop.

Called as `python -m tests.helpers.fakes.search PROJECT --name NAME ...`.
"""

from __future__ import annotations

import argparse
import sys
import time

from training.commands import search
from training.search.plan import STOP, TrialInfo, worker, write_trials


def main() -> int:
    parser = argparse.ArgumentParser()
    search.add_arguments(parser)
    folder = search._folder(parser.parse_args())
    (folder / STOP).unlink(missing_ok=True)
    with worker(folder, "fake"):
        write_trials(folder, [TrialInfo(0, "running", 3.0, 0.5, {"learning_rate": 1e-3}, "0001-cnn-6")])
        until = time.monotonic() + 60
        while not (folder / STOP).exists() and time.monotonic() < until:
            time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main())
