"""How the commands speak: lines, tables, strict JSON, progress bars on a terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Report = Callable[[float, str], None]


def say(text: str = "") -> None:
    """A line on stdout."""
    print(text)


def note(text: str) -> None:
    """A line on stderr: what a script that reads stdout does not want."""
    print(text, file=sys.stderr)


def say_json(value: Any) -> None:
    """One JSON object on one line; numbers that are not finite become null."""
    say(json.dumps(strict(value), allow_nan=False, ensure_ascii=False))


def strict(value: Any) -> Any:
    """The value with NaN and infinity as None, tuples as lists, NumPy numbers as Python's."""
    if isinstance(value, dict):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(rows: Sequence[Sequence[object]], *, head: Sequence[str]) -> list[str]:
    """Lines of a table; columns of numbers to the right."""
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
    """Where nobody looks at a bar."""


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Report]:
    """A bar on stderr where that is a terminal, else nothing. The report takes (done 0..1, what is being done)."""
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
