"""Processor time of the interface thread's events while features are used, in a project of any size.

python benchmarks/interface_thread.py [--samples 7049 1000000] [--keep DIR] [--scenes accept correct ...]

One row per scene: the longest event (in processor time, which does not depend on the machine's load), the number of
events over 10 ms, processor seconds of all other threads, and the peak growth of memory. `made` is the event that made
a window, with its first painting; the following columns exclude it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from window import ROOT, project_folder, run_child, where

HEAD = ("scene", "made, ms", "longest, ms", "over 10", "events", "others, s", "MB more", "seconds", "the longest")
CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from interface_scenes import main; main(sys.argv[2:])"


def main() -> None:
    """Print a table per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[7049, 1_000_000])
    parser.add_argument("--scenes", nargs="*", default=[], help="only these")
    parser.add_argument("--keep", type=Path, help="keep the projects here and reuse them")
    arguments = parser.parse_args()
    print(f"events of the interface thread, processor time; {where()}")
    with tempfile.TemporaryDirectory() as home, project_folder(arguments.keep) as folder:
        for count in arguments.samples:
            project = make_project(folder, count)
            code = [str(ROOT / "benchmarks"), str(project), json.dumps(arguments.scenes)]
            found = run_child(CHILD, *code, home=Path(home) / str(count))
            print(f"\n{count:,} samples")
            print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
            for scene, row in found.items():
                print(f"| {scene} | " + " | ".join(map(str, row)) + " |")


def make_project(folder: Path, count: int) -> Path:
    """A project with a run that has predicted all faces, a fill model and a stub network; an existing one is reused."""
    from gallery_scale import RUN, make

    path = folder / f"features-{count}.fkp"
    if not path.exists():
        make(path, samples=count)
        add_run(path, RUN)
    return path


def add_run(path: Path, name: str) -> None:
    """The folder of a run whose predictions are stored in the project."""
    from safetensors.numpy import save_file

    from training.assist.filling.fill_of_run import make_fill
    from training.faces.measures.calibration import default_calibration
    from training.storage.project.project import Project
    from training.storage.runs.events import RunFinished, to_line
    from training.storage.runs.inputs.snapshot import Snapshot
    from training.storage.runs.model.model_header import HEADER
    from training.storage.runs.model.prediction_stamp import model_stamp, note_predicted
    from training.storage.runs.new_run import write_run
    from training.storage.runs.run import Run
    from training.storage.runs.settings.recipes import recipe_config

    with Project.open(path, read_only=True) as project:
        ids = project.ids()[: 2 * min(len(project) // 4, 1000)]
        labels, index = project.labels(ids), project.index()
        sizes = np.stack([index.widths, index.heights], axis=1)[ids - 1].astype(np.int32)
        snapshot = Snapshot(ids, labels.points, labels.states, index.splits[ids - 1], sizes, project.schema, "made up")
        made = write_run(project.runs_dir, recipe_config("ml-resnet"), snapshot)
        run = Run(made.path.rename(project.runs_dir / name))
        ended = to_line(RunFinished("done", 1, 1, 1.0, 0.1, 60.0), time=0.0)  # else the window would train it
        run.events.write_text(f"{ended}\n", encoding="utf-8")
        about = json.dumps({"calibration": default_calibration(len(project.schema)).to_json()})
        save_file({"nothing": np.zeros(1, np.float32)}, run.model, metadata={HEADER: about})
        note_predicted(run, model_stamp(run))
        make_fill(project, run)


if __name__ == "__main__":
    main()
