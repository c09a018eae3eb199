"""From the errors of all runs on all faces to the table and to verdicts on the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.experiments.papers.definition import Arm, Claim, Experiment, differ_in_rows_only
from training.experiments.report.bootstrap import Draws, Interval, difference, interval, make_draws
from training.experiments.report.measures import MEASURES, Faces, Terms, face_nme, keypoint_terms, terms
from training.storage.runs.events import EpochDone, Progress, RunStarted, Trouble
from training.storage.runs.folder import read_events
from training.storage.runs.listing import RunInfo

HARDLY = 0.6  # of the mean shape's error: a network above this has hardly begun to learn


@dataclass(frozen=True)
class ArmRun:
    """One training of an arm. images: images seen. curve: its epochs. best_rmse, mean_shape_rmse: px, on val."""

    seed: int
    name: str
    parameters: int
    precision: str
    epochs: int
    best_epoch: int
    minutes: float
    images: int
    train_faces: int
    best_rmse: float
    mean_shape_rmse: float
    curve: tuple[EpochDone, ...]
    troubles: tuple[str, ...]

    @property
    def speed(self) -> float:
        """Training speed in images/s, including evaluation."""
        return self.images / max(60 * self.minutes, 1e-9)

    @property
    def hardly_learnt(self) -> bool:
        """Whether its best model is not clearly better than the mean shape."""
        return self.best_rmse > HARDLY * self.mean_shape_rmse


@dataclass(frozen=True)
class ArmResult:
    """One row of the table.

    runs: by seed. errors: point errors [N, K] px per seed. values: measure -> its interval. turned: the main measure
    over the turned faces, None if there are none.
    """

    arm: Arm
    runs: tuple[ArmRun, ...]
    errors: tuple[np.ndarray, ...]
    values: Mapping[str, Interval]
    turned: Interval | None

    def mean_errors(self) -> np.ndarray:
        """The point errors averaged over the seeds: [N, K] px."""
        return np.mean(np.stack(self.errors), axis=0)


@dataclass(frozen=True)
class ClaimResult:
    """The test of a claim.

    difference: how much smaller the measure is in `better`; positive agrees. paper: the same difference in the paper's
    figures, NaN if not given. verdict: agrees, disagrees, undecided, early (a network has hardly begun to learn) or
    alike (both trainings are identical, as no face lacks a label).
    """

    claim: Claim
    difference: Interval
    paper: float
    verdict: str


@dataclass(frozen=True)
class Results:
    """The data behind tables, figures and the page. failed: (arm, seed) -> reason."""

    experiment: Experiment
    faces: Faces
    keypoints: tuple[str, ...]
    arms: tuple[ArmResult, ...]
    claims: tuple[ClaimResult, ...]
    failed: Mapping[tuple[str, int], str]

    def arm(self, name: str) -> ArmResult | None:
        """The row of this arm; None if it has no finished run."""
        return next((a for a in self.arms if a.arm.name == name), None)


def collect(
    experiment: Experiment,
    faces: Faces,
    keypoints: tuple[str, ...],
    *,
    runs: Mapping[tuple[str, int], RunInfo],
    errors: Mapping[tuple[str, int], np.ndarray],
    failed: Mapping[tuple[str, int], str],
) -> Results:
    """The results. runs: by (trained arm, seed). errors: point errors [N, K] by (arm, seed), including earlier stages.

    Only the seeds that every arm has finished are used; an arm without any is left out.
    """
    seeds = _common_seeds(experiment, errors)
    draws = make_draws(faces.groups, seeds=max(len(seeds), 1))
    told = {key: describe(info, key[1]) for key, info in runs.items()}
    arms = tuple(
        _arm_result(arm, faces, draws, experiment, told=told, errors={s: errors[arm.name, s] for s in seeds})
        for arm in experiment.arms
        if seeds and all((arm.name, s) in errors for s in seeds)
    )
    results = Results(experiment, faces, keypoints, arms, (), dict(failed))
    claims = tuple(c for c in (_test(claim, results, draws) for claim in experiment.claims) if c is not None)
    return Results(experiment, faces, keypoints, arms, claims, results.failed)


def _common_seeds(experiment: Experiment, errors: Mapping[tuple[str, int], np.ndarray]) -> list[int]:
    """The seeds finished by every arm that has finished any."""
    by_arm = [{seed for name, seed in errors if name == arm.name} for arm in experiment.arms]
    there = [seeds for seeds in by_arm if seeds]
    return sorted(set.intersection(*there)) if there else []


def describe(info: RunInfo, seed: int) -> ArmRun:
    """Summary of a finished run, from its events."""
    events, _ = read_events(info.run)
    curve = tuple(e for e in events if isinstance(e, EpochDone))
    start = next((e for e in events if isinstance(e, RunStarted)), None)
    last, faces = curve[-1], start.train_samples if start else 0
    steps = [e for e in events if isinstance(e, Progress)]
    # the last epoch may be incomplete
    epochs = steps[-1].epoch - 1 + steps[-1].batch / steps[-1].batches if steps else last.epoch
    return ArmRun(
        seed=seed,
        name=info.name,
        parameters=start.parameters if start else 0,
        precision=start.precision if start else "",
        epochs=last.epoch,
        best_epoch=info.best.epoch if info.best else 0,
        minutes=last.seconds / 60,
        images=round(epochs * faces),
        train_faces=faces,
        best_rmse=info.best.rmse if info.best else float("nan"),
        mean_shape_rmse=start.mean_shape_rmse if start else float("nan"),
        curve=curve,
        troubles=tuple(e.sentence for e in events if isinstance(e, Trouble)),
    )


def _arm_result(
    arm: Arm,
    faces: Faces,
    draws: Draws,
    experiment: Experiment,
    *,
    told: Mapping[tuple[str, int], ArmRun],
    errors: Mapping[int, np.ndarray],
) -> ArmResult:
    trained = arm.stage_of or arm.name
    found = tuple(errors.values())
    values = {name: interval([terms(name, e, faces) for e in found], draws) for name in experiment.measures}
    turned = None
    main = next((name for name, value in values.items() if np.isfinite(value.value)), experiment.measures[0])
    if faces.turned.any():
        turned = interval([terms(main, e, faces).of(faces.turned) for e in found], draws)
    return ArmResult(arm, tuple(told[trained, seed] for seed in errors), found, values, turned)


def _test(claim: Claim, results: Results, draws: Draws) -> ClaimResult | None:
    """The claim tested on these faces; None if an arm is missing or the claim needs turned faces and there are none."""
    better, worse = results.arm(claim.better), results.arm(claim.worse)
    if better is None or worse is None or (claim.faces == "turned" and not results.faces.turned.any()):
        return None
    claim = _measurable(claim, better, results.experiment)
    first, second = (_terms(claim, arm, results.faces) for arm in (better, worse))
    found = difference(first, second, draws)
    if not np.isfinite(found.value):
        return None
    paper = worse.arm.paper.get(claim.measure, np.nan) - better.arm.paper.get(claim.measure, np.nan)
    verdict = "undecided" if not found.clear else "agrees" if found.value > 0 else "disagrees"
    if any(run.hardly_learnt for arm in (better, worse) for run in arm.runs):
        verdict = "early"
    if are_alike(better, worse):
        verdict = "alike"
    return ClaimResult(claim, found, float(paper) if claim.faces == "all" else float("nan"), verdict)


def are_alike(first: ArmResult, second: ArmResult) -> bool:
    """Whether both trainings are identical: they differ only in their rows, and every face is complete."""
    faces = {run.train_faces for arm in (first, second) for run in arm.runs}
    return differ_in_rows_only(first.arm, second.arm) and len(faces) == 1 and 0 not in faces


def _measurable(claim: Claim, arm: ArmResult, experiment: Experiment) -> Claim:
    """The claim in its own measure, or in the first that these faces allow (a box needs complete faces)."""
    there = [name for name in experiment.measures if np.isfinite(arm.values[name].value)]
    return claim if claim.measure in there or not there else replace(claim, measure=there[0])


def _terms(claim: Claim, arm: ArmResult, faces: Faces) -> list[Terms]:
    chosen = faces.turned if claim.faces == "turned" else np.ones(len(faces.ids), bool)
    return [terms(claim.measure, errors, faces).of(chosen) for errors in arm.errors]


def keypoint_errors(results: Results) -> np.ndarray:
    """Mean error per arm and keypoint over the seeds: [A, K], px of an image 96 px wide."""
    return np.array(
        [
            [
                np.mean([keypoint_terms(e, results.faces, k).value() for e in arm.errors])
                for k in range(len(results.keypoints))
            ]
            for arm in results.arms
        ]
    )


def faces_nme(arm: ArmResult, results: Results) -> np.ndarray:
    """The NME of each face by the main normaliser, averaged over the seeds: [N], NaN if the face lacks it."""
    return face_nme(arm.mean_errors(), results.faces, main_normaliser(results))


def main_normaliser(results: Results) -> str:
    """The experiment's normaliser, or another one that these faces have."""
    lengths = results.faces.lengths
    wanted = (results.experiment.normaliser, "box", "interocular", "interpupil")
    return next((kind for kind in wanted if np.isfinite(lengths[kind]).any()), wanted[0])


def shown_measures(results: Results) -> list[str]:
    """The experiment's measures that can be computed on these faces."""
    names = results.experiment.measures
    return [n for n in names if n in MEASURES and any(np.isfinite(a.values[n].value) for a in results.arms)]
