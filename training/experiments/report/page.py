"""The report as one self-contained HTML page that needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from training.experiments.report.report import Report, Said, Table, verdict_words

_CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #F6F6F7; color: #1F2328;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 8px; letter-spacing: -.01em; }
h2 { font-size: 13px; letter-spacing: .06em; text-transform: uppercase; color: #5D646D; margin: 44px 0 12px; }
p { margin: 0 0 10px; max-width: 76ch; }
.dim { color: #5D646D; }
.card { background: #fff; border: 1px solid #DCDEE1; border-radius: 8px; padding: 4px 0; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid #ECEDEF; }
tr:last-child td { border-bottom: 0; }
th { color: #5D646D; font-weight: 600; white-space: normal; vertical-align: bottom; border-bottom-color: #DCDEE1; }
th:first-child, td:first-child { text-align: left; }
td { vertical-align: top; }
td small { color: #5D646D; display: block; }
ul.said { list-style: none; margin: 0; padding: 0; }
ul.said li { background: #fff; border: 1px solid #DCDEE1; border-left: 5px solid #868C95;
  border-radius: 8px; padding: 12px 16px; margin-bottom: 8px; }
ul.said li.agrees { border-left-color: #009E73; }
ul.said li.disagrees { border-left-color: #D55E00; }
ul.said b { display: block; font-size: 12px; letter-spacing: .03em; color: #5D646D; text-transform: uppercase; }
ul.said li.agrees b { color: #00704F; }
ul.said li.disagrees b { color: #A84300; }
ul.said span { color: #5D646D; display: block; }
ul.notes { padding-left: 20px; margin: 0; }
figure { margin: 0 0 20px; background: #fff; border: 1px solid #DCDEE1; border-radius: 8px; padding: 16px; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { color: #5D646D; font-size: 13px; margin-top: 8px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; font-size: 13.5px; }
dt { color: #5D646D; } dd { margin: 0; }
details { margin-top: 12px; } summary { cursor: pointer; color: #0067A0; }
details .card { margin-top: 8px; }
@media print { body { background: #fff; } figure, .card, ul.said li { break-inside: avoid; } }
"""


def page(report: Report, svgs: Mapping[str, str]) -> str:
    """The HTML page. svgs: name of a figure -> its SVG file."""
    experiment = report.experiment
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(experiment.title)}</title><style>{_CSS}</style></head><body><main>",
        f"<h1>{escape(experiment.title)}</h1>",
        f"<p>{escape(experiment.about)}</p>",
        f'<p class="dim">{escape(experiment.source)}. The paper\'s figures: {escape(experiment.paper_setting)}.</p>',
        f"<h2>Results</h2>{_table(report.table)}",
        _said(report),
        _notes(report),
        *_figures(report, svgs),
        _facts(report.facts),
        *(
            f"<details><summary>{escape(table.title)}</summary>{_table(table)}</details>"
            for table in (*report.more, *report.details)
        ),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f'<div class="card"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(text: str) -> str:
    """A cell, with an interval in brackets in smaller type."""
    return re.sub(r"(\([^()]* to [^()]*\))$", r"<small>\1</small>", escape(text))


def _said(report: Report) -> str:
    if not report.said:
        return ""
    items = "".join(_claim(said) for said in report.said)
    return f'<h2>What agrees with the paper</h2><p>{escape(report.summary)}</p><ul class="said">{items}</ul>'


def _claim(said: Said) -> str:
    return (
        f'<li class="{escape(said.verdict)}"><b>{escape(verdict_words(said.verdict))}</b>{escape(said.sentence)}'
        f"<span>{escape(said.paper)}</span></li>"
    )


def _notes(report: Report) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f'<h2>Notes</h2><ul class="notes">{items}</ul>' if items else ""


def _figures(report: Report, svgs: Mapping[str, str]) -> list[str]:
    if not report.figures:
        return []
    return [
        "<h2>Figures</h2>",
        *(
            f'<figure role="img" aria-label="{escape(f.caption)}">{inline(svgs[f.name], f.name)}'
            f"<figcaption>{escape(f.caption)}</figcaption></figure>"
            for f in report.figures
        ),
    ]


def inline(svg: str, name: str) -> str:
    """An SVG file as an HTML element: without declarations, and with ids made unique by the figure's name."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    return re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", body).replace("xlink:href", "href")


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<h2>How it was measured</h2><dl>{rows}</dl>"
