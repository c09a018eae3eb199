"""Output helpers of the commands: text lines, tables, strict JSON, and progress bars on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from training.files.json_values import strict

Report = Callable[[float, str], None]
ESCAPE_HELP = "put ' before cells that a spreadsheet would run as formulas"  # of --escape-formulas


def say(text: str = "") -> None:
    print(text)


def note(text: str) -> None:
    """Print a line on stderr, apart from the output that scripts read."""
    print(text, file=sys.stderr)


def say_json(value: Any) -> None:
    """Print one JSON object on one line; non-finite numbers become null."""
    say(json.dumps(strict(value), allow_nan=False, ensure_ascii=False))


def table(rows: Sequence[Sequence[object]], *, head: Sequence[str]) -> list[str]:
    """The lines of a text table; numeric columns are right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    right = [
        bool(rows) and all(isinstance(row[i], (int, float)) or _number(cells[n][i]) for n, row in enumerate(rows))
        for i in range(len(head))
    ]
    return [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [list(head), *cells]
    ]


def _number(text: str) -> bool:
    return text in ("", "-") or text.replace(",", "").replace(".", "").replace("%", "").replace(" ", "").isdigit()


def _silent(done: float, text: str = "") -> None:
    """Ignores progress where there is no terminal."""


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on stderr if that is a terminal. The report takes (fraction done 0..1, current item)."""
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(total=1.0, desc=title, bar_format=layout, leave=False, file=sys.stderr) as bar:

        def report(done: float, text: str = "") -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(max(done - bar.n, 0.0))

        yield report
