"""fkp evaluate --calibration: whether a run's confidences are calibrated."""

from __future__ import annotations

from typing import Any

from training.commands.shared.output import table
from training.faces.measures.error_budget import ErrorBudget
from training.faces.measures.error_curve import ErrorCurve
from training.faces.measures.reliability import Judged, budget_kept, reliability

LIMITS = (0.05, 0.10)  # of the inter-ocular distance
BUDGETS = (0.01, 0.02, 0.05)


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
        rows = [(_percent(b["predicted"]), _percent(b["real"]), f"{b['points']:,}") for b in limit["bins"]]
        text += table(rows, head=("predicted wrong %", "actually wrong %", "points"))
        text += ["", f"expected calibration error {limit['ece']:.2%}, Brier score {limit['brier']:.4f}", ""]
        kept = [
            (f"{b['at_most']:.0%}", *(_percent(b[name]) for name in ("accepted", "expected", "real")))
            for b in limit["budgets"]
        ]
        text += table(kept, head=("at most wrong", "accepted %", "expected wrong %", "actually wrong %"))
    return text


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if value == value else "-"
