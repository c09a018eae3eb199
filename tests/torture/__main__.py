"""Kills, faults, mangled files and strangers, and a table of what they found: `python -m tests.torture --help`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.torture.catalogue import BY_NAME, HARNESSES, Harness
from tests.torture.outcome import Outcome, table
from tests.torture.single import run_single


def main() -> int:
    """The exit code: 0, or 1 if anything was found."""
    args = _parser().parse_args()
    chosen = [BY_NAME[name] for name in args.only] if args.only else list(HARNESSES)
    scratch = args.scratch or Path(tempfile.mkdtemp(prefix="fkp-torture-"))
    os.nice(args.nice)
    outcomes: dict[str, Outcome] = {}

    def work(harness: Harness) -> Outcome:
        count = args.count or (harness.short if args.short else harness.count)
        began = time.monotonic()
        outcome = run_single(harness, scratch / harness.name, count=count, seed=args.seed)
        print(f"{harness.name}: {_words(outcome)}, {time.monotonic() - began:.0f} s", flush=True)
        for sentence in outcome.found:
            print(f"  FOUND {sentence}", flush=True)
        return outcome

    with ThreadPoolExecutor(max_workers=args.jobs) as pool:
        outcomes.update(zip([h.name for h in chosen], pool.map(work, chosen), strict=True))
    print(f"\n{table(outcomes)}")
    if any(outcome.found for outcome in outcomes.values()):
        print(f"\nWhat was found is kept in {scratch}; the same --seed repeats it.")
        return 1
    if args.scratch is None:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _words(outcome: Outcome) -> str:
    if outcome.skipped:
        return f"skipped, because {outcome.skipped}"
    return f"{sum(row.tried for row in outcome.rows):,} tried, {len(outcome.found):,} found"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__.splitlines()[0])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--long", action="store_true", help="the full counts, under an hour on two cores (the default)")
    form.add_argument("--short", action="store_true", help="a minute: what `make test` runs")
    names = ", ".join(BY_NAME)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(BY_NAME), help=f"of {names}")
    parser.add_argument("--count", type=int, metavar="N", help="another count, of whatever each harness counts")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all random draws (0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many harnesses run side by side (2)")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="lower the priority by this much")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="a new folder for all that is made, kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
