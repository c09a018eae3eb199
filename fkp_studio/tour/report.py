"""The tour's report: one self-contained HTML file with screenshots and curves."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp_studio.jobs.run_curves import RunHistory
from fkp_studio.look.style.theme import run_colour
from training import __version__
from training.faces.measures.metrics import CED_AXIS

WIDTH, HEIGHT, LEFT, BOTTOM = 460, 260, 48, 36  # px of a plot

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1F2328; background: #F6F6F7; margin: 0 auto; max-width: 1040px;
  padding: 32px 16px; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 17px; margin: 32px 0 8px; } p { margin: 4px 0; }
.dim, figcaption { color: #5D646D; }
table { border-collapse: collapse; background: #FFF; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px; border-bottom: 1px solid #DCDEE1; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { color: #5D646D; font-weight: 600; }
figure { margin: 16px 0; } img { width: 100%; border: 1px solid #DCDEE1; border-radius: 6px; }
.plots { display: flex; flex-wrap: wrap; gap: 24px; }
svg { background: #FFF; border: 1px solid #DCDEE1; border-radius: 6px; }
svg text { font-size: 11px; fill: #5D646D; } .bar { height: 10px; border-radius: 5px; }
"""


@dataclass(frozen=True)
class Shot:
    """A screenshot and its caption."""

    path: Path
    caption: str


@dataclass(frozen=True)
class RunResult:
    """A run's results. rmse_curve: (epoch, val RMSE in px); ced: fractions of faces over CED_AXIS at the best epoch."""

    name: str
    facts: dict[str, Any]
    rmse_curve: tuple[tuple[float, float], ...]
    ced: tuple[float, ...]

    @classmethod
    def of(cls, name: str, facts: dict[str, Any], history: RunHistory) -> RunResult:
        """From `fkp evaluate --json` and the run's events."""
        curve = tuple((float(e.epoch), e.rmse) for e in history.epochs)
        return cls(name, facts, curve, history.best.ced if history.best is not None else ())


def write_report(path: Path, shots: Sequence[Shot], results: Sequence[RunResult], *, samples: int, filled: str) -> Path:
    """Write the report and return its path."""
    body = "\n".join(
        (
            "<h1>FKP Studio: the tour</h1>",
            f'<p class="dim">Version {__version__}. {samples:,} synthetic faces, trained briefly on this machine.</p>',
            "<h2>Runs on val</h2>",
            _results(results),
            f"<p>{html.escape(filled)}</p>",
            '<h2>Curves</h2><div class="plots">',
            _plot(
                [(r.name, r.rmse_curve) for r in results],
                x="epoch",
                y="val RMSE, px",
                top=max((v for r in results for _, v in r.rmse_curve if math.isfinite(v)), default=1.0),
            ),
            _plot(
                [(r.name, tuple(zip(CED_AXIS, r.ced, strict=False))) for r in results],
                x="NME",
                y="fraction of faces",
                top=1.0,
            ),
            "</div>",
            "<h2>Error per keypoint, px</h2>",
            _keypoints(results),
            "<h2>The window, step by step</h2>",
            *(_figure(shot) for shot in shots),
        )
    )
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>FKP Studio: the tour</title>'
    )
    path.write_text(
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n', "utf-8"
    )
    return path


def _figure(shot: Shot) -> str:
    data = base64.b64encode(shot.path.read_bytes()).decode()
    caption = html.escape(shot.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(h)}</th>" for h in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


def _results(results: Sequence[RunResult]) -> str:
    rows = [
        (
            r.name,
            f"{r.facts['n']:,}",
            _number(r.facts["rmse"], " px"),
            _number(r.facts["nme_interocular"], " %", times=100),
            _number(r.facts["auc@0.08"]),
            _number(r.facts["fr@0.10"], " %", times=100),
        )
        for r in results
    ]
    return _table(("run", "faces", "RMSE", "NME inter-ocular", "AUC at 0.08", "failures over 0.10"), rows)


def _keypoints(results: Sequence[RunResult]) -> str:
    names = list(results[0].facts["per_keypoint"]) if results else []
    rows = [(n.replace("_", " "), *(_number(r.facts["per_keypoint"][n]) for r in results)) for n in names]
    return _table(("keypoint", *(r.name for r in results)), rows)


def _number(value: float | None, unit: str = "", *, times: float = 1) -> str:
    return f"{times * value:.2f}{unit}" if value is not None and math.isfinite(value) else "–"


def _plot(curves: Sequence[tuple[str, Sequence[tuple[float, float]]]], *, x: str, y: str, top: float) -> str:
    """An SVG plot with the lines in the runs' colours and axes from 0."""
    right = max((p[0] for _, points in curves for p in points), default=1.0) or 1.0
    wide, high = WIDTH - LEFT - 16, HEIGHT - BOTTOM - 28

    def place(point: tuple[float, float]) -> str:
        return f"{LEFT + wide * point[0] / right:.1f},{28 + high * (1 - min(point[1], top) / top):.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="{run_colour(i)}" stroke-width="2" '
        f'points="{" ".join(place(p) for p in points if math.isfinite(p[1]))}"/>'
        for i, (_, points) in enumerate(curves)
    )
    legend = "".join(
        f'<rect x="{LEFT + 120 * i}" y="10" width="10" height="10" fill="{run_colour(i)}"/>'
        f'<text x="{LEFT + 14 + 120 * i}" y="19">{html.escape(name)}</text>'
        for i, (name, _) in enumerate(curves)
    )
    floor = HEIGHT - BOTTOM
    axes = f'<path d="M{LEFT} 28V{floor}H{WIDTH - 16}" fill="none" stroke="#868C95"/>'
    words = (
        f'<text x="{LEFT}" y="{floor + 14}">0</text>'
        f'<text x="{WIDTH - 16}" y="{floor + 14}" text-anchor="end">{right:g}</text>'
        f'<text x="{LEFT + wide / 2}" y="{floor + 28}" text-anchor="middle">{x}</text>'
        f'<text x="{LEFT - 6}" y="36" text-anchor="end">{top:.3g}</text>'
        f'<text x="14" y="{28 + high / 2}" text-anchor="middle" transform="rotate(-90 14 {28 + high / 2})">{y}</text>'
    )
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{y} over {x}">{axes}{lines}{legend}{words}</svg>'
