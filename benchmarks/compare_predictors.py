"""Compares our models with alternatives on faces that none of ours has seen; prints markdown tables.

    python -m benchmarks.compare_predictors --points DIR --models starter-15=resources/starters/face-15.safetensors \\
        [--sets faces15,photos15] [--data ../shared/data] [--draws 200] [--faces 20]

DIR holds the output of `foreign_points.py` for the lists of `comparison_data.py`, as `SET.NAME.npz`; a model is a run
folder or a model file, `NAME=PATH` or `NAME=PATH@SCHEME`. Errors are px of the frame at 96x96. A face that a predictor
does not find gets the mean of the train labels. With offsets: per keypoint, the mean difference to the labels of
`--faces` train faces of different people is added; the table gives the median and the 5 % to 95 % range over the draws.
The difference to the first model of each set is in RMSE, with a 95 % interval from a paired bootstrap over people.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.comparison_data import DATA, Faces, load
from benchmarks.foreign_maps import mapped
from training.faces.measures.metrics import nme_per_face, normaliser, rmse
from training.learning.inference.device import set_threads
from training.learning.inference.predictor import Predictor
from training.storage.runs.run import Run

RESAMPLED = 2000


@dataclass(frozen=True)
class Guess:
    """One predictor's points on the faces of a set. plain, shifted: [N, K, 2] px; offsets are added to the second.

    missing: bool [N], faces it did not find.
    """

    name: str
    plain: np.ndarray
    shifted: np.ndarray
    missing: np.ndarray
    milliseconds: float


@dataclass(frozen=True)
class Score:
    """RMSE and NME on val, and the squared errors of the faces [V] for the bootstrap."""

    rmse: np.ndarray
    nme: np.ndarray
    squared: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--sets", default="faces15,photos15")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--faces", type=int, default=20)
    args = parser.parse_args()
    set_threads(1)
    for name in args.sets.split(","):
        faces = load(name, args.data)
        guesses = [ours(spec, faces) for spec in args.models]
        files = sorted(args.points.glob(f"{name}.*.npz")) if args.points else []
        guesses += [foreign(path, faces) for path in files]
        print(table(name, faces, guesses, draws=drawn(faces, args.draws, args.faces)), flush=True)


def ours(spec: str, faces: Faces) -> Guess:
    """Predict with one of our models, timing single faces on one core."""
    name, _, rest = spec.partition("=")
    path, _, scheme = rest.partition("@")
    predictor = Predictor.load(Run(Path(path)), device="cpu")
    if scheme:
        predictor.speak(scheme)
    if predictor.schema.keypoints != faces.schema.keypoints:
        raise SystemExit(f"{path}: this model has other keypoints than {faces.schema.name}.")
    images = faces.images(channels=predictor.info.config.network.channels)
    points = predictor.predict_points(images).astype(np.float64)
    times = []
    for image in images[:60]:
        begun = time.process_time()
        predictor.predict_points(image[None])
        times.append(1000 * (time.process_time() - begun))
    return Guess(name, points, points, np.zeros(len(points), bool), float(np.median(times)))


def foreign(path: Path, faces: Faces) -> Guess:
    """Read the points that `foreign_points.py` wrote."""
    with np.load(path, allow_pickle=False) as file:
        vertices, milliseconds = file["points"].astype(np.float64), file["milliseconds"]
    if len(vertices) != len(faces.paths):
        raise SystemExit(f"{path}: {len(vertices)} faces where the list has {len(faces.paths)}; write the list again.")
    train = ~faces.val
    missing = np.isnan(vertices).any(axis=(1, 2))
    mean = np.nanmean(faces.points[train], axis=0)
    found = []
    for shifted in (False, True):
        points = mapped(vertices, faces.points, train, names=faces.schema.keypoints, shifted=shifted)
        found.append(np.where(missing[:, None, None], mean, points))
    name = path.name.split(".", 1)[1].removesuffix(".npz")
    return Guess(name, found[0], found[1], missing, float(np.median(milliseconds)))


def drawn(faces: Faces, draws: int, count: int) -> list[np.ndarray]:
    """Rows of `count` train faces of different people, none of whom is in val."""
    rng = np.random.default_rng(0)
    others = np.flatnonzero(~faces.val & ~np.isin(faces.groups, faces.groups[faces.val]))
    found = []
    for _ in range(draws):
        mixed = rng.permutation(others)
        _, first = np.unique(faces.groups[mixed], return_index=True)
        found.append(mixed[np.sort(first)[:count]])
    return found


def table(name: str, faces: Faces, guesses: list[Guess], *, draws: list[np.ndarray]) -> str:
    """Print one set's table."""
    first: list[Score] = []
    lines = [f"\n{name}, {int(faces.val.sum())} faces of val\n", TITLES, "| --- |" + " ---: |" * 8]
    for guess in guesses:
        known = [rows[~guess.missing[rows]] for rows in draws]
        scores = [score(faces, guess.plain, [np.array([], int)]), score(faces, guess.shifted, known)]
        first = first or scores
        cells = [guess.name, not_found(faces, guess)]
        for mine, reference in zip(scores, first, strict=True):
            spread = f" ({np.quantile(mine.rmse, 0.05):.2f} to {np.quantile(mine.rmse, 0.95):.2f})"
            cells.append(f"{np.median(mine.rmse):.2f}{spread if len(mine.rmse) > 1 else ''}")
            cells.append(f"{100 * np.median(mine.nme):.1f} %")
            cells.append("" if reference is mine else difference(mine, reference, faces.groups[faces.val]))
        lines.append(f"| {' | '.join((*cells, f'{guess.milliseconds:.1f}'))} |")
    return "\n".join(lines)


def not_found(faces: Faces, guess: Guess) -> str:
    """The number of val faces not found, and the RMSE of the others."""
    gone = guess.missing[faces.val]
    if not gone.any():
        return "0"
    return f"{gone.sum()} (the others: {rmse(guess.plain[faces.val][~gone], faces.points[faces.val][~gone]):.2f} px)"


TITLES = (
    "| predictor | not detected | RMSE px unadjusted | NME | vs. first row"
    " | RMSE px with offsets from 20 faces | NME | vs. first row | ms per face |"
)


def score(faces: Faces, points: np.ndarray, draws: list[np.ndarray]) -> Score:
    """The measures on val per draw; a draw without faces adds no offset."""
    truth = faces.points[faces.val]
    sizes = np.full((len(truth), 2), 96)
    lengths = normaliser(truth, "interocular", faces.schema, sizes=sizes)
    rmses, nmes, squared = [], [], np.zeros(len(truth))
    for rows in draws:
        offset = np.nanmean(faces.points[rows] - points[rows], axis=0) if len(rows) else 0.0
        guess = points[faces.val] + offset
        rmses.append(rmse(guess, truth))
        nmes.append(np.nanmean(nme_per_face(guess, truth, lengths)))
        squared += np.nanmean(np.square(guess - truth), axis=(1, 2)) / len(draws)
    return Score(np.array(rmses), np.array(nmes), squared)


def difference(mine: Score, reference: Score, groups: np.ndarray) -> str:
    """RMSE minus the reference's, with the 95 % interval of a paired bootstrap over groups."""
    names, where = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(1)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLED)[:, where]  # [R, V]
    both = [np.sqrt(weights @ s.squared / weights.sum(axis=1)) for s in (mine, reference)]
    low, high = np.quantile(both[0] - both[1], (0.025, 0.975))
    centre = np.sqrt(mine.squared.mean()) - np.sqrt(reference.squared.mean())
    return f"{centre:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
