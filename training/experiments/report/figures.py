"""The figures of an experiment. Each function maps the results to a matplotlib figure, or None if it does not apply."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.experiments.papers.wing_paper import GRID_EPSILON, GRID_W, grid_name
from training.experiments.report.drawing import DIM, MARKERS, STYLE, bar_offsets, colour, dashes, legend, new_figure
from training.experiments.report.measures import MEASURES, TURNED_DEGREES, Faces
from training.experiments.report.results import (
    ArmResult,
    ArmRun,
    Results,
    faces_nme,
    keypoint_errors,
    main_normaliser,
    shown_measures,
)
from training.faces.measures import metrics
from training.faces.measures.pose_balance import error_by_pose

_CED_REACH = 0.2
_SOME_FACES = 5  # bins with fewer faces are not drawn
_NORMALISERS = {"box": "root of box area", "interocular": "inter-ocular distance", "interpupil": "inter-pupil distance"}


def draw(name: str, results: Results) -> Figure | None:
    """The figure of this name; None if it does not apply to these results."""
    with matplotlib.rc_context(STYLE):
        return FIGURES[name][1](results)


def ced(results: Results) -> Figure | None:
    """The share of faces whose NME is at most x."""
    known = {arm.arm.name: faces_nme(arm, results) for arm in results.arms}
    drawn = {name: errors for name, errors in known.items() if np.isfinite(errors).any()}
    if not drawn:
        return None
    figure, axes = new_figure()
    axis = np.linspace(0, _CED_REACH, 401)
    reach = 0.02
    for place, arm in enumerate(results.arms):  # each arm keeps its colour even if another is missing
        errors = drawn.get(arm.arm.name)
        if errors is None:
            continue
        axes.plot(axis, metrics.ced(errors, axis.tolist()), dashes(place), color=colour(place), label=arm.arm.title)
        reach = max(reach, float(np.nanquantile(errors, 0.97)))
    axes.set_xlim(0, min(_CED_REACH, reach * 1.1))
    axes.set_ylim(0, 1.01)
    axes.axvline(metrics.AUC_LIMIT, color=DIM, linewidth=0.8)
    axes.set_xlabel(f"mean point error of a face / {_NORMALISERS[main_normaliser(results)]}")
    axes.set_ylabel("share of faces")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Cumulative error distribution")
    legend(axes, len(drawn))
    return figure


def curves(results: Results) -> Figure | None:
    """RMSE on val over the budget, comparable across losses and stages."""
    drawn = _draw_curves(results, lambda run: np.array([e.rmse for e in run.curve]))
    if drawn is None:
        return None
    figure, axes = drawn
    axes.set_ylim(bottom=0)
    axes.set_ylabel("RMSE on val, image px")
    axes.set_title("Error on val during training, one line per seed")
    return figure


def losses(results: Results) -> Figure | None:
    """Evaluation loss over the budget, each line divided by its maximum (masked-loss paper, Fig. 9)."""

    def normalised(run: ArmRun) -> np.ndarray:
        loss = np.array([e.val_loss for e in run.curve])
        top = float(np.nanmax(loss, initial=0.0))
        return loss / top if top > 0 else loss

    drawn = _draw_curves(results, normalised)
    if drawn is None:
        return None
    figure, axes = drawn
    axes.set_ylim(0, 1.03)
    axes.set_ylabel("loss on val, maximum = 1")
    axes.set_title("Evaluation loss during training, one line per seed")
    return figure


def _draw_curves(results: Results, values: Callable[[ArmRun], np.ndarray]) -> tuple[Figure, Axes] | None:
    trained = [arm for arm in results.arms if not arm.arm.stage_of]
    if not trained:
        return None
    figure, axes = new_figure()
    by_epoch = _same_epochs(results)
    for place, arm in enumerate(trained):
        for n, run in enumerate(arm.runs):
            x = [e.epoch if by_epoch else e.seconds / 60 for e in run.curve]
            few = "o" if len(x) < 3 else None
            label, strength = (arm.arm.title, 0.95) if n == 0 else (None, 0.5)
            axes.plot(x, values(run), dashes(place), marker=few, color=colour(place), label=label, alpha=strength)
    axes.set_xlim(left=0)
    axes.set_xlabel("epoch" if by_epoch else "minutes of training")
    legend(axes, len(trained))
    return figure, axes


def _same_epochs(results: Results) -> bool:
    return len({run.epochs for arm in results.arms for run in arm.runs}) == 1


def keypoints(results: Results) -> Figure | None:
    """Mean error per keypoint and arm: bars for few keypoints, lines for many."""
    errors = keypoint_errors(results)
    count = len(results.keypoints)
    if not count or not np.isfinite(errors).any():
        return None
    figure, axes = new_figure(height=4.4 if count <= 30 else 3.8)
    width, offsets = bar_offsets(len(results.arms))
    for place, arm in enumerate(results.arms):
        if count <= 30:
            axes.bar(np.arange(count) + offsets[place], errors[place], width, color=colour(place), label=arm.arm.title)
        else:
            axes.plot(np.arange(count), errors[place], dashes(place), color=colour(place), label=arm.arm.title)
    if count <= 30:
        names = [name.replace("_", " ") for name in results.keypoints]
        axes.set_xticks(np.arange(count), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    else:
        axes.set_xlabel("keypoint index")
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, float(np.nanmax(errors)) * 1.25)
    axes.set_ylabel("mean error, px of 96")
    axes.set_title("Error per keypoint")
    legend(axes, len(results.arms), place="upper left")
    return figure


def pose(results: Results) -> Figure | None:
    """The main measure against head pose, averaged per bin."""
    faces = results.faces
    if not np.isfinite(faces.pose).any():
        return None
    figure, axes = new_figure()
    edges = _pose_edges(faces)
    for place, arm in enumerate(results.arms):
        middles, means = _by_pose(arm, results, edges)
        axes.plot(
            middles,
            means,
            dashes(place),
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            color=colour(place),
            label=arm.arm.title,
        )
    if faces.pose_name.startswith("yaw"):
        for limit in (-TURNED_DEGREES, TURNED_DEGREES):
            axes.axvline(limit, color=DIM, linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel(f"{faces.pose_name}; positive: facing towards larger x")
    axes.set_ylabel(f"NME by {_NORMALISERS[main_normaliser(results)]}")
    axes.set_title("Error against head pose")
    legend(axes, len(results.arms), place="lower center")
    return figure


def _pose_edges(faces: Faces, bins: int = 9) -> np.ndarray:
    """Edges [bins + 1] of equal bins over the poses, symmetric about 0, without the most extreme 1 %."""
    size = np.abs(faces.pose[np.isfinite(faces.pose)])
    reach = float(np.quantile(size, 0.99)) if size.size else 1.0
    return np.linspace(-reach, reach, bins + 1)


def _by_pose(arm: ArmResult, results: Results, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin centres and mean NME per bin; nearly empty bins are left out. Poses outside fall into the outermost bins."""
    found = error_by_pose(faces_nme(arm, results), results.faces.pose, edges)
    drawn = [(one.low + one.high, one.error) for one in found if one.faces >= _SOME_FACES]
    middles, means = np.array(drawn).reshape(-1, 2).T
    return middles / 2, means


def grid(results: Results) -> Figure | None:
    """The main measure over w and epsilon of the Wing loss, with the paper's figures in brackets."""
    shown = shown_measures(results)
    if not shown:
        return None
    measure = MEASURES[shown[0]]
    values = np.full((len(GRID_EPSILON), len(GRID_W)), np.nan)
    figure, axes = new_figure(height=3.6)
    for row, epsilon in enumerate(GRID_EPSILON):
        for column, w in enumerate(GRID_W):
            arm = results.arm(grid_name(w, epsilon))
            values[row, column] = np.nan if arm is None else arm.values[measure.name].value * measure.factor
    image = axes.imshow(values, cmap="cividis", aspect="auto")
    _write_cells(axes, values, results, measure.name)
    axes.set_xticks(range(len(GRID_W)), [f"{w:g}" for w in GRID_W])
    axes.set_yticks(range(len(GRID_EPSILON)), [f"{e:g}" for e in GRID_EPSILON])
    axes.set_xlabel("w, px of the input")
    axes.set_ylabel("epsilon, px")
    axes.grid(visible=False)
    axes.set_title(f"{measure.title} in {measure.unit}; in brackets: the paper's, on its own data")
    figure.colorbar(image, ax=axes, label=f"{measure.title}, {measure.unit}")
    return figure


def _write_cells(axes: Axes, values: np.ndarray, results: Results, measure: str) -> None:
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            theirs = results.experiment.arm(grid_name(GRID_W[column], GRID_EPSILON[row])).paper.get(measure)
            said = "" if theirs is None else f"\n({theirs * MEASURES[measure].factor:.2f})"
            dark = value < middle
            axes.text(
                column,
                row,
                f"{value:.2f}{said}",
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if dark else "black",
            )


FIGURES: dict[str, tuple[str, Callable[[Results], Figure | None]]] = {
    "ced": ("Share of faces with at most this error; the vertical line marks the AUC limit.", ced),
    "curves": ("Error on val during training.", curves),
    "losses": (
        "Loss on val during training, each line divided by its maximum, as in Fig. 9 of the paper.",
        losses,
    ),
    "keypoints": ("Mean error per keypoint, over faces and seeds.", keypoints),
    "pose": ("Mean error against head pose.", pose),
    "grid": ("Each cell is one setting of the Wing loss.", grid),
}
