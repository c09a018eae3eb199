"""What the user asks for in the accept dialog, a least confidence or an error budget, and what it comes to. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fkp_studio.dialogs.review.accept_facts import Candidates, Outcome, outcome
from training.faces.measures.error_budget import ErrorBudget, affordable, expected_wrong
from training.faces.measures.error_curve import ErrorCurve

FEW = 100  # of the surest points, when it is told why none are accepted


@dataclass(frozen=True)
class Wanted:
    """threshold: the least confidence; None where the budget decides. budget.beyond says what is wrong either way."""

    threshold: float | None
    budget: ErrorBudget


@dataclass(frozen=True)
class Decision:
    """wrong: the share of the accepted points expected to be wrong, NaN where that is not known.
    surest: that of the FEW surest of all."""

    wanted: Wanted
    outcome: Outcome
    wrong: float
    surest: float


def decide(candidates: Candidates, curve: ErrorCurve, wanted: Wanted, *, examples: int) -> Decision:
    """What would be accepted."""
    known = candidates.confidences[candidates.confidences >= 0]  # surest first
    shares = expected_wrong(known, curve, beyond=wanted.budget.beyond)
    least = wanted.threshold
    if least is None:
        least = affordable(known, curve, wanted.budget).threshold
    found = outcome(candidates, least, examples=examples)
    wrong = float(shares[found.points - 1]) if 0 < found.points <= len(known) else float("nan")
    return Decision(wanted, found, wrong, float(shares[min(FEW, len(known)) - 1]) if len(known) else float("nan"))


def words(decision: Decision) -> str:
    """What is to be expected of the accepted points; "" where nobody knows."""
    if not np.isfinite(decision.wrong):
        return ""
    count = decision.wrong * decision.outcome.points
    about = f"about {count:,.0f}" if count >= 1 else "less than one"
    from_ = ""
    if decision.wanted.threshold is None:
        from_ = f" The least sure of them is at {100 * decision.outcome.threshold:.1f} %."
    return f" {100 * decision.wrong:.1f} % of them, {about}, are expected to be wrong.{from_}"


def why_none(candidates: Candidates, decision: Decision) -> str:
    """Why nothing is accepted."""
    surest = float(candidates.confidences[0])
    if surest < 0:
        return "No missing point is that sure: this run says of none how sure it is."
    if decision.wanted.threshold is not None:
        return f"No missing point is that sure: the surest is at {int(surest * 100 + 1e-3)} %."
    few = f"the surest {FEW:,}" if len(candidates.confidences) > FEW else "all"
    return f"Nothing is within the budget: of {few} points {100 * decision.surest:.0f} % are expected to be wrong."
