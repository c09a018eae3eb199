"""The two tables of the experiments dialog: progress of each training, and results."""

from __future__ import annotations

from fkp_studio.look.widgets.fact_table import FactTable
from training.experiments.experiment_events import RunProgress


class ProgressTable(FactTable):
    """A row per arm, a column per seed: waiting, progress or result."""

    def __init__(self) -> None:
        super().__init__("progress of each training", stretch=False)
        self._cells: dict[tuple[str, int], tuple[int, int]] = {}
        self._done: dict[tuple[str, int], float] = {}

    @property
    def done(self) -> float:
        """The completed share 0..1 of all trainings."""
        return sum(self._done.values()) / max(len(self._done), 1)

    def show_plan(self, runs: tuple[tuple[str, str, int], ...]) -> None:
        """Show all trainings as waiting. runs: (arm, title, seed)."""
        titles = {arm: title for arm, title, _ in runs}
        seeds = sorted({seed for _, _, seed in runs})
        self.clear()
        self.setRowCount(len(titles))
        self.set_head(["network", *(f"seed {seed}" for seed in seeds)])
        for row, (arm, title) in enumerate(titles.items()):
            self.put(row, 0, title)
            for column, seed in enumerate(seeds, 1):
                self._cells[arm, seed] = row, column
                self.put(row, column, "waiting")
        self._done = {(arm, seed): 0.0 for arm, _, seed in runs}

    def show_run(self, event: RunProgress) -> None:
        """Show one training's progress."""
        key = event.arm, event.seed
        if key in self._cells:
            self._done[key] = 1.0 if event.status in ("done", "failed") else event.done
            self.put(*self._cells[key], _cell(event), tip=f"{event.run} {event.sentence}".strip())


def _cell(event: RunProgress) -> str:
    best = f"{event.rmse:.2f} px" if event.rmse == event.rmse else ""
    if event.status == "done":
        return best or "done"
    if event.status == "running":
        return f"{event.done:.0%}  {best}".strip()
    return event.status


class ResultTable(FactTable):
    """The result table as stored in the report."""

    def __init__(self) -> None:
        super().__init__("results", stretch=False)

    def show_table(self, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        self.clear()
        self.set_head(head)
        self.show_rows(rows)
