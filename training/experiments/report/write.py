"""Writes a report to a folder: table.csv, table.json, table.md, the figures as SVG and PNG, and report.html."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from training.experiments.report.drawing import as_files
from training.experiments.report.page import page
from training.experiments.report.report import Report, Table, verdict_words
from training.experiments.report.saved_table import CSV, JSON, MARKDOWN, PAGE
from training.files.json_values import strict
from training.files.replacing import replacing
from training.files.sentences import writing


def write_report(report: Report, folder: Path) -> Path:
    """Write all files and put them in place once all are complete; returns the HTML page.

    Raises UserError, and leaves an earlier report as it was, if the folder is not writable.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        for name, content in _contents(report).items():
            file = files.enter_context(replacing(folder / name))
            file.write(content)
            file.flush()
            with writing(folder / name):
                os.fsync(file.fileno())  # a full disk shows before the first file is in place
    return folder / PAGE


def _contents(report: Report) -> dict[str, bytes]:
    drawn = {figure.name: as_files(figure.figure) for figure in report.figures}
    values = {**report.values, "sentences": report.sentences, "facts": dict(report.facts)}
    return {
        **{f"{name}.svg": svg.encode() for name, (svg, _) in drawn.items()},
        **{f"{name}.png": png for name, (_, png) in drawn.items()},
        CSV: _csv(report.table).encode(),
        MARKDOWN: markdown(report).encode(),
        JSON: json.dumps(strict(values), indent=1, ensure_ascii=False, allow_nan=False).encode(),
        PAGE: page(report, {name: svg for name, (svg, _) in drawn.items()}).encode(),
    }


def _csv(table: Table) -> str:
    text: str = pd.DataFrame(table.rows, columns=list(table.head)).to_csv(index=False, lineterminator="\n")
    return text


def markdown(report: Report) -> str:
    """A section for a results page: setting, table, conclusions, notes and per-keypoint tables."""
    experiment, facts = report.experiment, report.facts
    done = "; ".join(
        f"{name}: {facts[name]}"
        for name in ("measured on", "hidden labels", "budget of each network", "seeds", "intervals")
        if name in facts
    )
    lines = [f"## {experiment.title}", "", experiment.about, "", *([f"{_sentence(done)}", ""] if done else [])]
    lines += [f"The paper's figures: {experiment.paper_setting} ({experiment.source}).", "", *_table(report.table), ""]
    if report.said:
        lines += [f"**{report.summary}**", ""]
        lines += [f"- *{verdict_words(s.verdict)}*: {s.sentence} {s.paper}" for s in report.said] + [""]
    if report.notes:
        lines += ["Notes:", "", *(f"- {note}" for note in report.notes), ""]
    for table in report.more:
        lines += [f"{table.title}:", "", *_table(table), ""]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _table(table: Table) -> list[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    rule = ["---", *("---:" for _ in table.head[1:])]
    return [f"| {' | '.join(row)} |" for row in (table.head, rule, *cells)]
