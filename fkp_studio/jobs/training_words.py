"""What a training says in the window: its line of numbers, times, statuses. Pure functions."""

from __future__ import annotations

import math
import time

from fkp_studio.jobs.run_curves import RunHistory
from training.storage.runs.events import EpochDone, Progress

PRECISIONS = {"bfloat16": "bf16", "float32": "fp32"}
STATUSES = {
    "queued": "waits for its turn",
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
    """`0:05`, `1:20`, `1:02:03`."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else 0
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def ago(then: float, *, now: float) -> str:
    """`just now`, `2 min ago`, `3 h ago`, `5 days ago`."""
    seconds = max(0.0, now - then)
    if seconds < 60:
        return "just now"
    for size, name in ((3600, "min"), (86_400, "h")):
        if seconds < size:
            return f"{int(seconds // (size / (60 if name == 'min' else 24)))} {name} ago"
    days = int(seconds // 86_400)
    return f"{days} day{'' if days == 1 else 's'} ago"


def exactly(then: float) -> str:
    """`2026-03-01 14:02:11`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))


def epoch_text(history: RunHistory) -> str:
    """`epoch 12/40`, or without the plan where the budget is time; "" before the first. With stages which one it is."""
    latest = history.progress or history.last
    if latest is None:
        return ""
    planned = history.started.epochs if history.started else None
    text = f"epoch {latest.epoch}/{planned}" if planned else f"epoch {latest.epoch}"
    return " · ".join(part for part in (text, stage_text(latest)) if part)


def stage_text(event: Progress | EpochDone) -> str:
    """`stage 2 of 2`, or "" for a model that has no stages."""
    return f"stage {event.stage} of {event.stages}" if event.stages > 1 else ""


def live_line(history: RunHistory) -> str:
    """`epoch 12/40 · loss 3.21 · 1:20 left · 412 img/s · cpu bf16`."""
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
    """Three figures, or a dash where there is none."""
    return f"{value:.3g}" if math.isfinite(value) else "–"
