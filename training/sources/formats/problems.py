"""Where in a file something is wrong, in the same words for every reader."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """One thing found while reading; `sentence` names file, row and column and stands alone."""

    sentence: str
    file: str = ""
    row: int = 0
    column: str = ""

    def __str__(self) -> str:
        return self.sentence


@dataclass
class Findings:
    """What a reader noticed without stopping: samples left out, samples flagged, and notes on the whole."""

    left_out: list[Problem] = field(default_factory=list)
    flagged: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A row (counted from 1 below the header) of a text file and the line (header = 1) an editor shows for it."""

    file: str
    row: int
    line: int

    def at(self, column: str = "") -> str:
        """`training.csv, row 5 (line 6), column nose_tip_x`."""
        text = f"{self.file}, row {self.row} (line {self.line})"
        return f"{text}, column {column}" if column else text

    def problem(self, what: str, column: str = "") -> Problem:
        """A Problem whose sentence begins with this place."""
        return Problem(f"{self.at(column)}: {what}", self.file, self.row, column)
