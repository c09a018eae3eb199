"""Decides which points the accept dialog accepts, by minimum confidence or by error budget. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fkp_studio.dialogs.review.accept_facts import Outcome, outcome
from training.assist.filling.candidates import Candidates
from training.faces.measures.error_budget import ErrorBudget, affordable, expected_wrong
from training.faces.measures.error_curve import ErrorCurve

FEW = 100  # most confident points, for the sentence on why none are accepted


@dataclass(frozen=True)
class Wanted:
    """threshold: the minimum confidence, or None if the budget decides. budget.beyond defines "wrong" in both cases."""

    threshold: float | None
    budget: ErrorBudget


@dataclass(frozen=True)
class Decision:
    """wrong: the expected share of wrong points among the accepted, NaN if unknown.
    surest: the same among the FEW most confident of all."""

    wanted: Wanted
    outcome: Outcome
    wrong: float
    surest: float


def decide(candidates: Candidates, curve: ErrorCurve, wanted: Wanted, *, examples: int) -> Decision:
    """Find what would be accepted."""
    known = candidates.known  # most confident first
    shares = expected_wrong(known, curve, beyond=wanted.budget.beyond)
    least = wanted.threshold
    if least is None:
        least = affordable(known, curve, wanted.budget).threshold
    found = outcome(candidates, least, examples=examples)
    wrong = float(shares[found.points - 1]) if 0 < found.points <= len(known) else float("nan")
    return Decision(wanted, found, wrong, float(shares[min(FEW, len(known)) - 1]) if len(known) else float("nan"))


def words(decision: Decision) -> str:
    """The expected errors among the accepted points, in a sentence; "" if unknown."""
    if not np.isfinite(decision.wrong):
        return ""
    count = decision.wrong * decision.outcome.points
    about = f"about {count:,.0f}" if count >= 1 else "less than one"
    from_ = ""
    if decision.wanted.threshold is None:
        from_ = f" Their lowest confidence is {100 * decision.outcome.threshold:.1f} %."
    return f" {100 * decision.wrong:.1f} % of them, {about}, are expected to be wrong.{from_}"


def why_none(candidates: Candidates, decision: Decision) -> str:
    """Why nothing is accepted."""
    surest = float(candidates.confidences[0])
    if surest < 0:
        return "No missing point has that confidence: this run predicts without confidences."
    if decision.wanted.threshold is not None:
        return f"No missing point has that confidence: the highest is {int(surest * 100 + 1e-3)} %."
    few = f"the {FEW:,} most confident" if len(candidates.confidences) > FEW else "all"
    return f"Nothing is within the budget: {100 * decision.surest:.0f} % of {few} points are expected to be wrong."
