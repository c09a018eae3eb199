"""What `fkp evaluate` measured, as plain values and as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from training.commands.shared.output import table
from training.faces.measures.error_budget import ErrorBudget
from training.faces.measures.error_curve import ErrorCurve
from training.faces.measures.protocols import remarks, shown
from training.faces.measures.reliability import Judged, budget_kept, reliability

if TYPE_CHECKING:
    from training.faces.measures.metrics import Evaluation
    from training.faces.measures.protocols import Protocol, ProtocolRow
    from training.learning.evaluation.pose import ErrorsByPose

LIMITS = (0.05, 0.10)  # of the inter-ocular distance
BUDGETS = (0.01, 0.02, 0.05)


def split_facts(result: Evaluation, keypoints: tuple[str, ...], *, run: str, split: str) -> dict[str, Any]:
    """The measures as plain values."""
    return {
        "run": run,
        "split": split,
        "n": result.n,
        "rmse": result.rmse,
        "nme_interocular": result.nme_interocular,
        "nme_interpupil": result.nme_interpupil,
        "nme_box": result.nme_box,
        "nme_width": result.nme_width,
        "normaliser": result.normaliser,
        "auc@0.08": result.auc,
        "fr@0.10": result.failure_rate,
        "detection_failures": result.detection_failures,
        "per_keypoint": dict(zip(keypoints, result.per_keypoint, strict=True)),
        "left_out": result.left_out,
    }


def split_lines(facts: dict[str, Any]) -> list[str]:
    """The measures as text."""
    names = ("n", "rmse", "nme_interocular", "nme_interpupil", "nme_box", "nme_width", "auc@0.08", "fr@0.10")
    text = [f"{facts['run']} on {facts['split']}; auc and fr by {facts['normaliser']}", ""]
    text += [f"{name:16} {_number(facts[name])}" for name in names]
    text += ["", *table([(k, _number(v)) for k, v in facts["per_keypoint"].items()], head=("keypoint", "error px"))]
    return text + [f"left out: {count:,} ({reason})" for reason, count in facts["left_out"].items()]


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if value == value else "-"


def protocol_facts(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> dict[str, Any]:
    """The protocol's table as plain values."""
    table = [{"subset": row.subset, "n": row.n, **row.values, "left_out": row.left_out} for row in rows]
    return {"run": run, "protocol": protocol.name, "rows": table, "reports": protocol.reports}


def protocol_lines(protocol: Protocol, rows: Sequence[ProtocolRow], run: str) -> list[str]:
    """The protocol's table as text; NMEs and rates in percent."""
    cells = [(row.subset, row.n, *(shown(name, row.values[name]) for name in protocol.columns)) for row in rows]
    text = [f"{run} under protocol {protocol.name} ({protocol.title}); nme, fr and detection failures in %", ""]
    text += table(cells, head=("subset", "n", *protocol.columns))
    return [*text, "", *(f"papers: {line}" for line in protocol.reports), *remarks(rows)]


def pose_lines(found: ErrorsByPose, run: str, *, split: str) -> list[str]:
    rows = [(f"{b.low:+.1f} to {b.high:+.1f}", f"{b.faces:,}", _percent(b.error, 3)) for b in found.bins]
    return [
        f"{run} on {split}; mean point error in % of the image's longer side, by {found.pose}",
        "",
        *table(rows, head=("pose", "faces", "error %")),
        *([f"left out: {found.left_out:,} (no label, or too few to estimate a pose)"] if found.left_out else []),
    ]


def calibration_facts(judged: Judged, curve: ErrorCurve, *, run: str, split: str) -> dict[str, Any]:
    """Plain values: for each error limit the reliability per bin, and what each error budget accepts."""
    return {
        "run": run,
        "split": split,
        "points": len(judged.errors),
        "faces": judged.faces,
        "limits": [_limit(judged, curve, beyond) for beyond in LIMITS],
    }


def _limit(judged: Judged, curve: ErrorCurve, beyond: float) -> dict[str, Any]:
    found = reliability(judged, curve, beyond=beyond)
    bins = zip(found.predicted.tolist(), found.real.tolist(), found.counts.tolist(), strict=True)
    kept = [(at_most, *budget_kept(judged, curve, ErrorBudget(at_most, beyond))) for at_most in BUDGETS]
    return {
        "beyond": beyond,
        "ece": found.ece,
        "brier": found.brier,
        "bins": [{"predicted": p, "real": r, "points": n} for p, r, n in bins],
        "budgets": [{"at_most": b, "accepted": a, "expected": e, "real": r} for b, a, e, r in kept],
    }


def calibration_lines(facts: dict[str, Any]) -> list[str]:
    """The facts as text; shares in percent."""
    text = [f"{facts['run']} on {facts['split']}: {facts['points']:,} points of {facts['faces']:,} faces"]
    for limit in facts["limits"]:
        beyond = limit["beyond"]
        text += ["", f"a point counts as wrong if its error exceeds {beyond:.0%} of the inter-ocular distance", ""]
        rows = [(_percent(b["predicted"], 2), _percent(b["real"], 2), f"{b['points']:,}") for b in limit["bins"]]
        text += table(rows, head=("predicted wrong %", "actually wrong %", "points"))
        text += ["", f"expected calibration error {limit['ece']:.2%}, Brier score {limit['brier']:.4f}", ""]
        kept = [
            (f"{b['at_most']:.0%}", *(_percent(b[name], 2) for name in ("accepted", "expected", "real")))
            for b in limit["budgets"]
        ]
        text += table(kept, head=("at most wrong", "accepted %", "expected wrong %", "actually wrong %"))
    return text


def _percent(value: float, decimals: int) -> str:
    return f"{100 * value:.{decimals}f}" if value == value else "-"
