"""The sentences of a report, derived from the confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.experiments.report.bootstrap import FEWEST_CLUSTERS, Interval
from training.experiments.report.measures import MEASURES
from training.experiments.report.results import ArmResult, ClaimResult, Results

_NAMED = 4  # trainings or arms that a note lists individually
_SPEED_SPREAD = 1.15  # largest ratio of images seen by the seeds of one arm on an evenly loaded machine
VERDICTS = {
    "agrees": "agrees with the paper",
    "disagrees": "does not agree",
    "undecided": "undecided",
    "early": "too early to say",
    "alike": "cannot be tested here",
}


def numbers(measure: str, interval: Interval) -> str:
    """`0.31 px, 95 % interval 0.25 to 0.37`; a negative difference is reported with the sign flipped."""
    made = MEASURES[measure]
    factor, digits = made.factor, made.decimals + (made.unit == "%")
    value, low, high = (factor * v for v in (interval.value, interval.low, interval.high))
    if value < 0:
        value, low, high = -value, -high, -low
    unit = "percentage points" if made.unit == "%" else made.unit
    value, low, high = (round(v, digits) + 0.0 for v in (value, low, high))  # + 0.0: no -0.00
    return f"{value:.{digits}f} {unit}, 95 % interval {low:.{digits}f} to {high:.{digits}f}"


def claim_sentence(found: ClaimResult, results: Results) -> str:
    """One sentence: which arm beats which, by how much, and with what certainty."""
    claim = found.claim
    better, worse = (_title(name, results) for name in (claim.better, claim.worse))
    first, second = (better, worse) if found.difference.value >= 0 else (worse, better)
    if found.verdict == "alike":
        return (
            f"{_upper(better)} and {worse} train identically here: no train face lacks a label. "
            "Hide some labels to compare them (--hide 0.7)."
        )
    where = " on profile views" if claim.faces == "turned" else ""
    how = numbers(claim.measure, found.difference)
    measure = MEASURES[claim.measure].title
    seeds = _seeds(found.difference)
    if not found.difference.clear:
        return _upper(f"{better} and {worse} do not differ clearly{where} ({measure}: {first} ahead by {how}{seeds}).")
    return _upper(f"{first} beats {second}{where} by {how} ({measure}{seeds}).")


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _title(name: str, results: Results) -> str:
    return results.experiment.arm(name).word


def _seeds(found: Interval) -> str:
    count = len(found.per_seed)
    if count == 1:
        return "; one seed"
    same = sum((v > 0) == (found.value > 0) for v in found.per_seed)
    return f"; same sign in {same} of {count} seeds"


def paper_words(found: ClaimResult) -> str:
    """The paper's claim, with its own difference if it gives both figures."""
    made = MEASURES[found.claim.measure]
    if not np.isfinite(found.paper):
        return f"The paper: {found.claim.says}."
    unit = "percentage points" if made.unit == "%" else made.unit
    return f"The paper: {found.claim.says} (by {found.paper * made.factor:.{made.decimals}f} {unit})."


def summary(results: Results) -> str:
    """How many of the claims agree."""
    verdicts = [found.verdict for found in results.claims if found.verdict != "alike"]
    if not verdicts:
        return "No claim of the paper could be tested."
    if "early" in verdicts:
        return "Too early to say: some networks have hardly begun to learn. Increase the budget per training."
    verbs = {
        "agrees": ("agrees", "agree"),
        "disagrees": ("does not", "do not"),
        "undecided": ("is undecided", "are undecided"),
    }
    parts = [f"{(n := verdicts.count(v))} {one if n == 1 else many}" for v, (one, many) in verbs.items()]
    return f"Of the {len(verdicts)} claims tested, {', '.join(parts)}."


def notes(results: Results) -> list[str]:
    """Caveats for the reader: a single seed, uneven speed, failed runs, training problems."""
    found = _missing(results)
    seeds = max((len(arm.runs) for arm in results.arms), default=0)
    if seeds == 1:
        found.append("One seed: the intervals cover the variation between faces, not between seeds.")
    clusters = len(np.unique(results.faces.groups))
    if clusters < FEWEST_CLUSTERS:
        found.append(
            f"Measured on {clusters} people or faces: too few to decide anything, whatever the intervals; "
            f"at least {FEWEST_CLUSTERS} are needed."
        )
    if not results.faces.grouped:
        found.append(
            "No two of these faces are known to show the same person; if some do, the intervals are too narrow. "
            "Import with groups to correct this."
        )
    trained = [arm for arm in results.arms if not arm.arm.stage_of]
    found += [*_troubles(trained), *_uneven(trained), *_hardly_learnt(trained)]
    found += _precision(results)
    return found


def _missing(results: Results) -> list[str]:
    titles = {arm.name: arm.title for arm in results.experiment.arms}
    lines = [f"{titles[arm]}, seed {seed}: {why}" for (arm, seed), why in results.failed.items()]
    there = {arm.arm.name for arm in results.arms}
    left_out = [title for name, title in titles.items() if name not in there]
    return [*lines, *([f"Left out because no training finished: {', '.join(left_out)}."] if left_out else [])]


def _troubles(arms: Sequence[ArmResult]) -> list[str]:
    """The training diagnostics, each sentence once with the trainings concerned."""
    said: dict[str, list[str]] = {}
    for arm in arms:
        for run in arm.runs:
            for sentence in run.troubles:
                said.setdefault(sentence, []).append(f"{arm.arm.title}, seed {run.seed}")
    every = sum(len(arm.runs) for arm in arms)
    return [f"{_whom(trainings, every)}: {sentence}" for sentence, trainings in said.items()]


def _whom(trainings: Sequence[str], every: int) -> str:
    if len(trainings) == every > 1:
        return "All trainings"
    if len(trainings) > _NAMED:
        return f"{len(trainings)} of {every} trainings, including {trainings[0]}"
    return "; ".join(trainings)


def _uneven(arms: Sequence[ArmResult]) -> list[str]:
    lines = []
    for arm in arms:
        images = [run.images for run in arm.runs]
        if len(images) > 1 and max(images) > _SPEED_SPREAD * max(min(images), 1):
            lines.append(
                f"{arm.arm.title}: its trainings saw {min(images):,} to {max(images):,} images in the same time, "
                "so the load of the machine varied."
            )
    return lines


def _hardly_learnt(arms: Sequence[ArmResult]) -> list[str]:
    """One line per arm; for many arms, one line that names the worst."""
    ending = "the order may change with more training."
    found = [
        (arm.arm.title, max(arm.runs, key=lambda run: run.best_rmse))
        for arm in arms
        if any(run.hardly_learnt for run in arm.runs)
    ]
    told = [(title, f"{run.best_rmse:.2f} px against {run.mean_shape_rmse:.2f}") for title, run in found]
    if len(told) <= _NAMED:
        return [f"{title} is hardly better than the mean shape ({how}): {ending}" for title, how in told]
    title, how = told[max(range(len(found)), key=lambda n: found[n][1].best_rmse)]
    few = f"{len(told)} of {len(arms)} arms are hardly better than the mean shape"
    return [f"{few}, the worst being {title} ({how}): {ending}"]


def _precision(results: Results) -> list[str]:
    formats = {run.precision for arm in results.arms for run in arm.runs}
    return [f"The trainings used different number formats: {', '.join(sorted(formats))}."] if len(formats) > 1 else []
