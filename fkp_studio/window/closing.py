"""Questions asked before closing while a model trains or a large change is being written."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from fkp_studio.document.store import ProjectStore
from fkp_studio.jobs.jobs import Jobs
from fkp_studio.look.widgets.plain_text import plain_box
from fkp_studio.window.bars.lost_banner import head


def ask_to_leave(jobs: Jobs, parent: QWidget) -> bool:
    """Whether the window may close. Asks only while something trains, and stops it if the user chooses so."""
    names = jobs.queue.training()
    experiment, searches = jobs.experiments.running, jobs.searching.searching()
    if not names and not experiment and not searches:
        return True
    box = plain_box(parent)
    box.setObjectName("leave")
    waiting = jobs.queue.waiting()
    more = f" {len(waiting)} more {'is' if len(waiting) == 1 else 'are'} queued." if waiting else ""
    names = [*names, *(f"the search {name}" for name in searches)]
    what = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} still training.{more}"
    box.setText(f"The experiment {experiment} is still running." if experiment else what)
    box.setInformativeText(_afterwards(waiting))
    go_on = box.addButton("Continue in the background", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop and keep the best model", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(go_on)
    box.exec()
    if box.clickedButton() is stop:
        jobs.stop_all()
    return box.clickedButton() in (go_on, stop)


def _afterwards(waiting: list[str]) -> str:
    """What becomes of what trains and of what waits."""
    if not waiting:
        return "It can continue without the window; reopen the project to see its progress."
    what = waiting[0] if len(waiting) == 1 else f"the {len(waiting)} queued runs"
    after = f"then {what} will train" + ("" if len(waiting) == 1 else ", one at a time")
    return (
        f"It can continue without the window, and {after}; reopen the project to see the progress. "
        f"If you stop, {'the queued run is' if len(waiting) == 1 else 'the queued runs are'} discarded."
    )


def may_close(store: ProjectStore | None, parent: QWidget) -> bool:
    """Whether the project may be closed: asks where that would lose something."""
    return give_up_lost(store, parent) and wait_for_writing(store, parent)


def give_up_lost(store: ProjectStore | None, parent: QWidget) -> bool:
    """Whether to close a project whose files are gone, so that only this window still has it."""
    lost = store.whereabouts.look() if store is not None else None
    if store is None or lost is None or lost.how in ("moved", "away"):
        return True
    box = plain_box(parent, head(store.path, lost))
    box.setObjectName("lost")
    box.setInformativeText("Its labels are only in this window. If you close it without a copy, they are gone.")
    save = box.addButton("Save a copy…", QMessageBox.ButtonRole.AcceptRole)
    close = box.addButton("Close without saving", QMessageBox.ButtonRole.DestructiveRole)
    back = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(save)
    box.setEscapeButton(back)
    box.exec()
    if box.clickedButton() is save:
        store.whereabouts.copy_wanted.emit()
    return box.clickedButton() is close


def wait_for_writing(store: ProjectStore | None, parent: QWidget) -> bool:
    """Whether the project may be closed. While a large change is written, a message box waits or offers to stop it."""
    if store is None or not store.busy:
        return True
    box = plain_box(parent, "A large change is still being written.")
    box.setObjectName("writing")
    box.setInformativeText("The project will close when it is done.")
    stop = box.addButton("Stop and discard the change", QMessageBox.ButtonRole.DestructiveRole)
    back = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(back)
    store.busy_changed.connect(box.accept)
    box.exec()
    if box.clickedButton() is stop:
        store.large.stop()
    return box.clickedButton() is not back
