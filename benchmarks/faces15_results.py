"""Trains recipes on real faces and prints a markdown table.

    python -m benchmarks.faces15_results [--data ../shared/data/faces15] [--minutes 6] [--recipes ...] [--project DIR]

The folder is imported with its labels.csv as by `fkp import`; each recipe is trained as by `fkp train` and measured on
the val split as by `fkp evaluate`. With --project, finished runs are measured without training again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from training.faces.measures.metrics import Evaluation
from training.learning.evaluation.evaluate import evaluate_run
from training.learning.fit.train_run import train_run
from training.learning.models.registry import recipe_parameters
from training.sources.exchange.import_source import import_source
from training.storage.project.project import Project
from training.storage.runs.events import EpochDone, Event
from training.storage.runs.listing import list_runs, read_run
from training.storage.runs.new_run import create_run
from training.storage.runs.settings.config import RunConfig
from training.storage.runs.settings.recipes import RECIPES, recipe_config

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data" / "faces15")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", type=Path)
    args = parser.parse_args()
    if args.project is None and not (args.data / "labels.csv").is_file():
        sys.exit(f"There are no faces in {args.data} (no labels.csv). Give their folder with --data.")
    with tempfile.TemporaryDirectory() as scratch:
        path = args.project or Path(scratch) / "faces15.fkp"
        if not path.exists():
            import_source(args.data / "labels.csv", path, images=args.data / "images")
        print(f"| recipe | parameters | minutes | epochs | images/s | RMSE px | {' | '.join(TITLES)} |")
        print(f"| --- |{' ---: |' * (5 + len(TITLES))}", flush=True)
        for name in args.recipes.split(","):
            print(row(path, recipe_config(name).changed(minutes=args.minutes, epochs=None, seed=args.seed)), flush=True)


TITLES = ("NME inter-ocular", "NME box", "AUC at 0.08", "failures over 0.10", "points over 10 % of the width")


def row(path: Path, config: RunConfig) -> str:
    """Train this config, or find its finished run; returns its line of the table."""
    with Project.open(path) as project:
        found = [r.run for r in list_runs(project.runs_dir) if r.status == "done" and r.config == config]
        run = found[-1] if found else create_run(project, config)
    if not found:
        train_run(run, on_event=tell)
    with Project.open(path, read_only=True) as project:
        result = evaluate_run(project, run, "val", adjusted=False)
        parameters = recipe_parameters(config, len(project.schema))
    last = read_run(run).last
    done = last or EpochDone(0, 0, 0, 0, 0, "", (), 0, 0, (), 0, 0, 0, False)
    cells = (
        config.recipe,
        f"{parameters:,}",
        f"{done.seconds / 60:.1f}",
        f"{done.epoch}",
        f"{done.images_per_second:.0f}",
    )
    return f"| {' | '.join((*cells, *measures(result)))} |"


def measures(result: Evaluation) -> tuple[str, ...]:
    """The measured cells of a line."""
    shares = (result.nme_interocular, result.nme_box, result.auc, result.failure_rate, result.detection_failures)
    return (f"{result.rmse:.2f}", *(f"{100 * v:.1f} %" for v in shares))


def tell(event: Event) -> None:
    """Print progress on stderr."""
    if isinstance(event, EpochDone):
        sys.stderr.write(f"epoch {event.epoch}: rmse {event.rmse:.3f} px, {event.images_per_second:.0f} images/s\n")


if __name__ == "__main__":
    main()
