"""What a harness reports: rows of counts, and in words what it found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """One line of the table. tried: how many cases; ends: how often each came out how; found: what is wrong, each
    sentence with all that is needed to repeat its case. words: what the table says in place of `ends`."""

    what: str
    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    words: str = ""

    def ended(self) -> str:
        """How the cases came out, for the table."""
        return self.words or ", ".join(f"{count:,} {end}" for end, count in self.ends.most_common())

    def add(self, end: str, wrong: Sequence[str] = (), *, case: str = "") -> None:
        """Count one case that came out as `end`; `wrong` says in words what is wrong with it."""
        self.tried += 1
        self.ends[end] += 1
        if wrong:
            self.found.append(" ".join(f"{self.what}{', ' if case else ''}{case}: {'; '.join(wrong)}".split()))


@dataclass
class Outcome:
    """The rows of a harness. skipped: why it could not be run here, "" if it was."""

    rows: list[Row] = field(default_factory=list)
    skipped: str = ""

    @property
    def found(self) -> list[str]:
        return [sentence for row in self.rows for sentence in row.found]

    def row(self, what: str) -> Row:
        """The row of this name, made where it is not there yet."""
        for row in self.rows:
            if row.what == what:
                return row
        self.rows.append(Row(what))
        return self.rows[-1]

    def save(self, path: Path) -> None:
        path.write_text(
            json.dumps({"rows": [vars(row) for row in self.rows], "skipped": self.skipped}), encoding="utf-8"
        )

    @classmethod
    def load(cls, path: Path) -> Outcome:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = [Row(**(row | {"ends": Counter(row["ends"])})) for row in values["rows"]]
        return cls(rows, values["skipped"])


def table(outcomes: dict[str, Outcome]) -> str:
    """All rows of all harnesses in Markdown, with their sums."""
    lines = ["| harness | what | tried | came out | found |", "| --- | --- | --: | --- | --: |"]
    for name, outcome in outcomes.items():
        if outcome.skipped:
            lines.append(f"| {name} | skipped: {outcome.skipped} | 0 | | 0 |")
        for row in outcome.rows:
            lines.append(f"| {name} | {row.what} | {row.tried:,} | {row.ended()} | {len(row.found):,} |")
    tried = sum(row.tried for outcome in outcomes.values() for row in outcome.rows)
    found = sum(len(outcome.found) for outcome in outcomes.values())
    return "\n".join([*lines, f"| all | | {tried:,} | | {found:,} |"])
