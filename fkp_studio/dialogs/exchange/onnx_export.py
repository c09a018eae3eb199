"""Exports a model as ONNX in a child process, so that the window never loads torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fkp_studio.background.command import FKP, run_command

EXPORT = (*FKP, "export")


def export_model(
    project: Path, out: Path, *, run: str, int8: bool, cancelled: Callable[[], bool], command: Sequence[str] = EXPORT
) -> str | None:
    """The output of `fkp export PROJECT OUT --format onnx --run RUN`; None if cancelled.

    Blocks: for a background thread. Raises UserError with the command's error message.
    """
    words = [*command, str(project), str(out), "--format", "onnx", "--run", run, *(["--int8"] if int8 else [])]
    said = run_command(words, cancelled=cancelled)
    return None if said is None else said.strip()
