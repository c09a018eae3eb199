"""The tour: runs the whole workflow on the demo in the real window, with a screenshot of each step and a report.

It works with and without a display and leaves the user's settings and projects untouched.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from fkp_studio.background.tasks import run_task
from fkp_studio.document.settings import Settings
from fkp_studio.look.style import theme
from fkp_studio.tour.photos import show_photos
from fkp_studio.tour.report import RunResult, Shot, write_report
from fkp_studio.tour.windows import show_windows
from fkp_studio.window.application import make_application
from fkp_studio.window.main_window import MainWindow
from training.assist.filling.fill import FillOptions, fill_missing
from training.errors import UserError
from training.storage.runs.run import Run
from training.storage.runs.settings.config import with_budget
from training.storage.runs.settings.recipes import recipe_config

RECIPES = ("recommended", "fast")
SIZE = (1366, 768)  # px
SAMPLES = 600
STEP_SECONDS = 300.0  # limit of each step other than training
SURE = 0.5  # least confidence to accept; lowered if a short training never reaches it


def main(out: Path, *, minutes: float = 0.5, samples: int = SAMPLES) -> int:
    """Run the tour and write to the folder `out`; prints one line per step and the paths. 0, or 1 if a step failed."""
    from fkp_studio.window.platforms import choose_platform

    choose_platform()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as settings:
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, settings)
        tour = Tour(make_application(), out.resolve(), minutes=minutes, samples=samples)
        try:
            tour.run()
        except (UserError, TimeoutError) as error:
            print(f"The tour ended early: {error}", file=sys.stderr, flush=True)
            return 1
        finally:
            tour.close()
    return 0


class Tour:
    """The steps in order. `shots` and `results` make up the report."""

    def __init__(self, app: QApplication, out: Path, *, minutes: float, samples: int) -> None:
        self.app, self.out, self.minutes, self.samples = app, out, minutes, samples
        self.project = self._free_name(out / "demo.fkp")
        self.shots: list[Shot] = []
        self.results: list[RunResult] = []
        self.filled, self.sure = 0, SURE
        settings = Settings(app)
        settings.set_last_project(None)  # not the first start: no demo of its own
        theme.current().set_mode("light")
        self.window = MainWindow(settings)
        self._steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("make the demo project", self._make),
            ("open it", self._open),
            ("look at a face with missing labels", self._look),
            ("place a point", self._label),
            (f"train {' and '.join(RECIPES)}, {minutes:g} min each", self._train),
            ("predict all faces", self._predict),
            ("fill missing labels", self._fill),
            ("look at poses and at augmentation", self._windows),
            ("evaluate on val", self._evaluate),
            ("detect faces in photos", self._photos),
        )

    def run(self) -> None:
        """Run all steps. Raises TimeoutError or UserError if one fails."""
        self.window.resize(*SIZE)
        self.window.show()
        self.window.open_at_start(None)
        for number, (text, step) in enumerate(self._steps, start=1):
            start = time.monotonic()
            print(f"[{number}/{len(self._steps)}] {text}…", flush=True)
            step()
            print(f"      done in {time.monotonic() - start:.1f} s", flush=True)
        report = write_report(
            self.out / "report.html",
            self.shots,
            self.results,
            samples=self.samples,
            filled=f"{self.filled:,} missing points were filled from {self.results[0].name}, "
            f"at a confidence of at least {self.sure:.0%}.",
        )
        for path in (*(shot.path for shot in self.shots), report):
            print(path, flush=True)

    def close(self) -> None:
        """Stop all trainings and close the project."""
        self.window.jobs.stop_all()
        self.window.jobs.close()
        self.window.session.close_project()
        self.window.hide()

    # ---- the steps

    def _make(self) -> None:
        from training.synthetic.demo import make_demo_project

        done: list[object] = []
        failed: list[BaseException] = []
        run_task(
            lambda **hooks: make_demo_project(self.project, samples=self.samples, **hooks),
            done=done.append,
            failed=failed.append,
            progress=self.window.welcome.show_progress,
        )
        self._shot("loop-1-open", "Open: the start page while the demo project is made", after=0.5)
        self._until(lambda: bool(done or failed))
        if failed:
            raise UserError(str(failed[0]))
        self.window.welcome.end_progress()

    def _open(self) -> None:
        if not self.window.opener.open(self.project):
            raise UserError(f"The demo project at {self.project} can't be opened.")
        self.window.session.set_sample(3)
        self._settle()

    def _look(self) -> None:
        self.window.workspaces.switch("look")
        self.window.session.next_incomplete()
        self._shot("loop-2-look", "Look: the gallery shows where labels are missing", after=1.5)

    def _label(self) -> None:
        """Place the first missing point at its template position, as a person would click it."""
        session = self.window.session
        store = session.store
        if store is None:
            raise UserError("The demo project is closed.")
        self.window.workspaces.switch("label")
        missing = np.flatnonzero(store.labels([session.sample_id]).missing[0])
        if len(missing):
            keypoint, sample = int(missing[0]), store.sample(session.sample_id)
            x, y = store.schema.template[keypoint]
            store.place(sample.id, keypoint, (x * sample.width, y * sample.height))
        if len(missing) > 1:
            session.set_keypoint(int(missing[1]))
        self._shot("loop-3-label", "Label: a guided walk from one missing point to the next", after=1.0)
        store.undo_stack.undo()

    def _train(self) -> None:
        jobs = self.window.jobs
        self.window.workspaces.switch("look")
        jobs.book.happened.connect(self._tell)
        jobs.train([with_budget(recipe_config(name), minutes=self.minutes) for name in RECIPES])
        self._until(lambda: len(self._runs()) == len(RECIPES))
        limit = self.minutes * 60 * len(RECIPES) + STEP_SECONDS
        self._until(lambda: self._ended() == 1, seconds=limit)
        self._until(lambda: jobs.status(self._runs()[1]) == "running", seconds=STEP_SECONDS)
        self._shot(
            "loop-4-train",
            "Train: loss, CED and error per keypoint update while you keep working",
            after=self.minutes * 30,
        )
        self._until(lambda: self._ended() == len(RECIPES), seconds=limit)
        bad = [i for i in jobs.book.infos() if i.status == "failed"]
        if bad:
            raise UserError(f"The training {bad[0].name} failed: {bad[0].message}")

    def _predict(self) -> None:
        jobs, session = self.window.jobs, self.window.session
        done: list[bool] = []
        jobs.predictions.progress.connect(lambda at, total: done.append(at >= total))
        session.set_run(self._runs()[0])
        self._until(lambda: bool(done) and done[-1])
        self.window.workspaces.switch("look")
        self._shot("window", "Predictions (rings) beside labels (discs), and two runs in the plots", after=2.0)
        self.window.workspaces.switch("label")
        session.next_incomplete()
        self._shot("ellipses", "Missing points given the labels: each ring with its 95 % ellipse", after=2.0)

    def _fill(self) -> None:
        session = self.window.session
        store = session.store
        if store is None:
            raise UserError("The demo project is closed.")
        before = int(store.index().missing.sum())
        self.window.workspaces.switch("review")
        self._until(lambda: bool(np.isfinite(store.columns.of(session.run)[1]).any()))
        self.sure = min(SURE, float(np.nanmedian(store.columns.of(session.run)[1])))
        run, options = session.run, FillOptions(min_confidence=self.sure)
        store.edit(lambda project: fill_missing(project, Run(project.runs_dir / run), options).edited)
        self._until(lambda: not store.busy)
        self.filled = before - int(store.index().missing.sum())
        self._shot(
            "loop-5-fill",
            f"Fill: {self.filled:,} missing points accepted at a confidence of at least {self.sure:.0%}, "
            "in one step that can be undone",
            after=1.5,
        )
        theme.current().set_mode("dark")
        self.window.workspaces.switch("look")
        self._shot("dark", "The same in the dark theme", after=1.5)
        theme.current().set_mode("light")
        self.window.workspaces.switch("compare_runs")
        self._shot("compare", "Compare: the curves of both runs", after=1.0)

    def _windows(self) -> None:
        show_windows(self.window, self._until, lambda name, text, what: self._shot(name, text, after=1.0, what=what))

    def _photos(self) -> None:
        name = self._free_name(self.out / "photos.fkp").with_suffix("")
        show_photos(
            self.window, self._until, lambda shot, text, what: self._shot(shot, text, after=1.5, what=what), name
        )

    def _evaluate(self) -> None:
        for name in self._runs():
            command = (sys.executable, "-m", "training.cli", "evaluate", str(self.project), "--run", name, "--json")
            found: list[Any] = []
            run_task(_evaluated, command, done=found.append, failed=found.append)
            self._until(partial(bool, found))
            if isinstance(found[0], BaseException):
                raise UserError(str(found[0]))
            history = self.window.jobs.book.history(name)
            self.results.append(RunResult.of(name, found[0], history))
            facts = found[0]
            nme = 100 * facts["nme_interocular"]
            print(f"      {name}: rmse {facts['rmse']:.2f} px, NME {nme:.1f} % ({facts['n']} faces)", flush=True)

    # ---- waiting

    def _runs(self) -> list[str]:
        """The runs trained here, without the starters."""
        return [info.name for info in self.window.jobs.book.infos() if not info.is_starter]

    def _ended(self) -> int:
        jobs = self.window.jobs
        return sum(jobs.status(name) in ("done", "stopped", "failed", "interrupted") for name in self._runs())

    def _tell(self, name: str, event: object) -> None:
        from training.storage.runs.events import EpochDone

        if isinstance(event, EpochDone) and event.epoch % 5 == 1:
            speed = f"{event.images_per_second:.0f} images/s"
            print(f"      {name} epoch {event.epoch}: val rmse {event.rmse:.2f} px, {speed}", flush=True)

    def _until(self, condition: Callable[[], bool], *, seconds: float = STEP_SECONDS) -> None:
        """Run the event loop until the condition holds. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"this step took longer than {seconds:.0f} s")
            self._settle(0.05)

    def _settle(self, seconds: float = 0.3) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def _shot(self, name: str, caption: str, *, after: float, what: QWidget | None = None) -> None:
        self._settle(after)
        path = self.out / f"{name}.png"
        (what or self.window).grab().save(str(path))
        self.shots.append(Shot(path, caption))

    def _free_name(self, path: Path) -> Path:
        """The path, with a number appended if an earlier tour left its project there."""
        tries = (path, *(path.with_stem(f"{path.stem}-{i}") for i in range(2, 1000)))
        return next(p for p in tries if not p.exists())


def _evaluated(command: tuple[str, ...]) -> dict[str, Any]:
    """The output of `fkp evaluate --json`. Raises UserError with its error message."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "fkp evaluate failed")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
