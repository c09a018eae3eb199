"""The two tables of the experiments' dialog: how far each training is, and what came out."""

from __future__ import annotations

from fkp_studio.look.widgets.fact_table import FactTable
from training.experiments.events import RunProgress


class ProgressTable(FactTable):
    """A row an arm, a column a seed: waiting, how far, or what came out."""

    def __init__(self) -> None:
        super().__init__("how far each training is", stretch=False)
        self._cells: dict[tuple[str, int], tuple[int, int]] = {}
        self._done: dict[tuple[str, int], float] = {}

    @property
    def done(self) -> float:
        """The share 0..1 of all trainings that is done."""
        return sum(self._done.values()) / max(len(self._done), 1)

    def show_plan(self, runs: tuple[tuple[str, str, int], ...]) -> None:
        """All trainings, none begun: (arm, title, seed)."""
        titles = {arm: title for arm, title, _ in runs}
        seeds = sorted({seed for _, _, seed in runs})
        self.clear()
        self.setRowCount(len(titles))
        self.set_head(["network", *(f"seed {seed}" for seed in seeds)])
        for row, (arm, title) in enumerate(titles.items()):
            self.put(row, 0, title)
            for column, seed in enumerate(seeds, 1):
                self._cells[arm, seed] = row, column
                self.put(row, column, "waits")
        self._done = {(arm, seed): 0.0 for arm, _, seed in runs}

    def show_run(self, event: RunProgress) -> None:
        """How far one training is."""
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
    """The table as it was written."""

    def __init__(self) -> None:
        super().__init__("what came out", stretch=False)

    def show_table(self, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
        """Show it."""
        self.clear()
        self.set_head(head)
        self.show_rows(rows)
