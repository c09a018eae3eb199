"""Texts about trainings: the live line, durations, times and statuses. Pure functions."""

from __future__ import annotations

import math
import time

from fkp_studio.jobs.run_curves import RunHistory
from training.storage.runs.events import EpochDone, Progress
from training.words import counted

PRECISIONS = {"bfloat16": "bf16", "float32": "fp32"}
STATUSES = {
    "queued": "queued",
    "waiting": "not started",
    "starting": "starting",
    "running": "training",
    "stopping": "stopping",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}


def clock(seconds: float) -> str:
    """The duration as `0:05`, `1:20` or `1:02:03`."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else 0
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def ago(then: float, *, now: float) -> str:
    """The time as `just now`, `2 min ago`, `3 h ago` or `5 days ago`."""
    seconds = max(0.0, now - then)
    if seconds < 60:
        return "just now"
    for size, name in ((3600, "min"), (86_400, "h")):
        if seconds < size:
            return f"{int(seconds // (size / (60 if name == 'min' else 24)))} {name} ago"
    return f"{counted(int(seconds // 86_400), 'day')} ago"


def exactly(then: float) -> str:
    """The local time as `2026-03-01 14:02:11`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))


def epoch_text(history: RunHistory) -> str:
    """`epoch 12/40`, or `epoch 12` if the budget is a time, with any stage; "" before the first."""
    latest = history.progress or history.last
    if latest is None:
        return ""
    planned = history.started.epochs if history.started else None
    text = f"epoch {latest.epoch}/{planned}" if planned else f"epoch {latest.epoch}"
    return " · ".join(part for part in (text, stage_text(latest)) if part)


def stage_text(event: Progress | EpochDone) -> str:
    """`stage 2 of 2`, or "" for a model without stages."""
    return f"stage {event.stage} of {event.stages}" if event.stages > 1 else ""


def live_line(history: RunHistory) -> str:
    """The progress as `epoch 12/40 · loss 3.21 · 1:20 left · 412 img/s · cpu bf16`."""
    progress, started = history.progress, history.started
    parts = [epoch_text(history)]
    if progress is not None:
        parts += [
            f"loss {number(progress.loss)}",
            f"{clock(progress.seconds_left)} left",
            f"{progress.images_per_second:,.0f} img/s" if math.isfinite(progress.images_per_second) else "",
        ]
    if started is not None:
        parts.append(f"{started.device} {PRECISIONS.get(started.precision, started.precision)}")
    return " · ".join(part for part in parts if part)


def number(value: float) -> str:
    """Three significant figures, or a dash if not finite."""
    return f"{value:.3g}" if math.isfinite(value) else "–"
