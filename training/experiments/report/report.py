"""The content of a report, for every kind of experiment: tables as text, sentences, figures and settings."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training import __version__
from training.experiments.papers.cascade_report import PAPER_LABELS
from training.experiments.papers.definition import Budget, Experiment, arm_config
from training.experiments.plan import Setting
from training.experiments.report import words
from training.experiments.report.bootstrap import DRAWS, LEVEL
from training.experiments.report.figures import FIGURES, draw
from training.experiments.report.measures import MEASURES
from training.experiments.report.results import ArmResult, Results, keypoint_errors, shown_measures
from training.experiments.report.words import VERDICTS
from training.storage.runs.inputs.snapshot import Snapshot
from training.storage.runs.settings.config import SETTINGS
from training.words import counted

_MANY_KEYPOINTS = 30
_OWN = ("recipe", "variant", "seed", "epochs", "minutes")  # reported elsewhere


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the row."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Said:
    """A conclusion about a claim. verdict: agrees, disagrees, undecided, early, alike."""

    verdict: str
    sentence: str
    paper: str


@dataclass(frozen=True)
class Drawn:
    """A figure with its file name and caption."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Report:
    """Everything that is written.

    more: further result tables; details: tables only on the HTML page. facts: how and where it was measured, by name.
    values: the numbers, for table.json.
    """

    experiment: Experiment
    table: Table
    said: tuple[Said, ...]
    summary: str
    notes: tuple[str, ...]
    figures: tuple[Drawn, ...]
    more: tuple[Table, ...]
    details: tuple[Table, ...]
    facts: Mapping[str, str]
    values: Mapping[str, Any]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The conclusions: the summary, then each claim."""
        return (self.summary, *(s.sentence for s in self.said))


def training_report(results: Results, setting: Setting) -> Report:
    """The report of an experiment of kind "training"."""
    experiment = results.experiment
    said = tuple(Said(c.verdict, words.claim_sentence(c, results), words.paper_words(c)) for c in results.claims)
    drawn = [(name, draw(name, results)) for name in experiment.figures] if results.arms else []
    return Report(
        experiment=experiment,
        table=main_table(results),
        said=said,
        summary=words.summary(results),
        notes=tuple(words.notes(results)),
        figures=tuple(Drawn(name, FIGURES[name][0], figure) for name, figure in drawn if figure is not None),
        more=tuple(_keypoint_tables(results, setting.snapshot)),
        details=(_training_table(results), settings_table(experiment, setting.budget)),
        facts={**_facts(results, setting), **machine_facts()},
        values=_values(results, setting),
    )


def main_table(results: Results) -> Table:
    """One row per arm: each measure with its interval, beside the paper's figure."""
    names = shown_measures(results)
    turned = any(arm.turned is not None for arm in results.arms) and "pose" in results.experiment.figures
    head = ["arm"]
    for name in names:
        head += [MEASURES[name].title, *(["paper"] if _has_paper(results, name) else [])]
    head += [f"{MEASURES[names[0]].title}, looking to the side"] if turned and names else []
    rows = tuple(tuple(_row(arm, names, results, turned=turned)) for arm in results.arms)
    return Table(results.experiment.title, (*head, "images seen"), rows)


def _has_paper(results: Results, name: str) -> bool:
    return any(name in arm.arm.paper for arm in results.arms)


def _row(arm: ArmResult, names: list[str], results: Results, *, turned: bool) -> list[str]:
    cells = [arm.arm.title]
    for name in names:
        measure, value = MEASURES[name], arm.values[name]
        cells.append(f"{measure.text(value.value)} ({_range(name, value.low, value.high)})")
        if _has_paper(results, name):
            cells.append(measure.text(arm.arm.paper.get(name, float("nan"))))
    if turned and names:
        cells.append("–" if arm.turned is None else MEASURES[names[0]].text(arm.turned.value))
    images = round(np.mean([run.images for run in arm.runs]), -2)
    return [*cells, f"{images:,.0f}"]


def _range(name: str, low: float, high: float) -> str:
    made = MEASURES[name]
    return f"{low * made.factor:.{made.decimals}f} to {high * made.factor:.{made.decimals}f}"


def _keypoint_tables(results: Results, snapshot: Snapshot) -> list[Table]:
    """Label counts and errors per keypoint; empty if there are too many keypoints to list."""
    if len(results.keypoints) > _MANY_KEYPOINTS or "keypoints" not in results.experiment.figures or not results.arms:
        return []
    present = np.isfinite(snapshot.points).all(axis=-1)[snapshot.splits == 0]
    counts, errors = present.sum(axis=0), keypoint_errors(results)
    theirs = results.experiment.name == "cascade-per-point"
    head = (
        "keypoint",
        "labels in train",
        *(["the report's labels"] if theirs else []),
        *(a.arm.title for a in results.arms),
    )
    rows = [
        (
            name.replace("_", " "),
            f"{counts[k]:,}",
            *([f"{PAPER_LABELS[name]:,}" if name in PAPER_LABELS else "–"] if theirs else []),
            *(f"{e:.2f} px" if np.isfinite(e) else "–" for e in errors[:, k]),
        )
        for k, name in enumerate(results.keypoints)
    ]
    title = f"Per keypoint: mean error, px of 96 ({int(present.all(axis=1).sum()):,} train faces have every label)"
    return [Table(title, head, tuple(rows))]


def _training_table(results: Results) -> Table:
    """One row per training: data, epochs, speed."""
    head = (
        "arm",
        "seed",
        "run",
        "parameters",
        "faces",
        "epochs",
        "best",
        "images seen",
        "images/s",
        "minutes",
        "format",
    )
    rows = tuple(
        (
            arm.arm.title,
            str(r.seed),
            r.name,
            f"{r.parameters:,}",
            f"{r.train_faces:,}",
            str(r.epochs),
            str(r.best_epoch),
            f"{r.images:,}",
            f"{r.speed:,.0f}",
            f"{r.minutes:.1f}",
            r.precision,
        )
        for arm in results.arms
        if not arm.arm.stage_of
        for r in arm.runs
    )
    return Table("The trainings", head, rows)


def settings_table(experiment: Experiment, budget: Budget) -> Table:
    """The settings that differ between arms, then those they share."""
    configs = {arm.title: arm_config(arm, budget, seed=0) for arm in experiment.trained}
    names = [name for name in SETTINGS if name not in _OWN]
    kept = {name: [_plain(config.value(name)) for config in configs.values()] for name in names}
    differ = sorted(
        names, key=lambda name: len(set(kept[name])) == 1
    )  # stable sort: each part keeps the order of the settings
    many = len(configs) > 8
    if many:  # one column per arm would not fit a page
        rows = [(name, ", ".join(dict.fromkeys(kept[name]))) for name in differ]
        return Table("Settings", ("setting", "values"), tuple(rows))
    return Table("Settings", ("setting", *configs), tuple((name, *kept[name]) for name in differ))


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _facts(results: Results, setting: Setting) -> dict[str, str]:
    faces, seeds = results.faces, max((len(a.runs) for a in results.arms), default=0)
    groups = len(np.unique(faces.groups))
    together = f" of {groups:,} people or photos" if faces.grouped else ""
    chosen = "; also used to choose each training's best epoch" if setting.split == "val" else ""
    drawn = "people or photos" if faces.grouped else "faces"
    return {
        "project": setting.project,
        "measured on": f"{len(faces.ids):,} faces{together}, split {setting.split}{chosen}",
        "budget of each network": f"{setting.budget.words}, one thread, {setting.side_by_side} at a time",
        "seeds": f"{seeds}, the same for each arm",
        "intervals": f"{LEVEL:.0%}, paired bootstrap over {drawn}{' and seeds' if seeds > 1 else ''}, {DRAWS:,} draws",
        **({"hidden labels": setting.hidden.words} if setting.hidden else {}),
        "labels": setting.snapshot.label_hash[:12],
    }


def machine_facts() -> dict[str, str]:
    """Versions and hardware, without host name or paths."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    versions = [f"FKP Studio {__version__}", f"Python {platform.python_version()}"]
    for package in ("torch", "numpy"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # run from unpacked wheels without metadata
            continue
    return {
        "machine": f"{platform.system()} {platform.machine()}, {counted(cores, 'core')}",
        "versions": ", ".join(versions),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def _values(results: Results, setting: Setting) -> dict[str, Any]:
    return {
        "experiment": results.experiment.name,
        "split": setting.split,
        "faces": len(results.faces.ids),
        "label_hash": setting.snapshot.label_hash,
        "hidden": asdict(setting.hidden) if setting.hidden else None,
        "arms": [_arm_values(arm) for arm in results.arms],
        "claims": [
            {
                "better": c.claim.better,
                "worse": c.claim.worse,
                "measure": c.claim.measure,
                "faces": c.claim.faces,
                "says": c.claim.says,
                "difference": c.difference.value,
                "low": c.difference.low,
                "high": c.difference.high,
                "per_seed": list(c.difference.per_seed),
                "paper": c.paper,
                "verdict": c.verdict,
                "sentence": words.claim_sentence(c, results),
            }
            for c in results.claims
        ],
        "notes": words.notes(results),
    }


def _arm_values(arm: ArmResult) -> dict[str, Any]:
    return {
        "arm": arm.arm.name,
        "title": arm.arm.title,
        "paper": dict(arm.arm.paper),
        "values": {
            n: {"value": v.value, "low": v.low, "high": v.high, "per_seed": list(v.per_seed)}
            for n, v in arm.values.items()
        },
        "turned": None if arm.turned is None else arm.turned.value,
        "runs": [
            {"seed": r.seed, "run": r.name, "epochs": r.epochs, "pictures": r.images, "minutes": r.minutes}
            for r in arm.runs
        ],
    }


def verdict_words(verdict: str) -> str:
    return VERDICTS[verdict]
