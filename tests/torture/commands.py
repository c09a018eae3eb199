"""`fkp` inside this process, without output."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

from training import cli
from training.errors import USER_ERROR, UserError


def run_command(words: Sequence[object]) -> tuple[int, str]:
    """(exit code, what it said: on stderr, else the end of what it said on stdout)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(word) for word in words])
    return code, err.getvalue().strip() or out.getvalue().strip()[-200:]


def command(*words: object) -> str:
    """Run a command: what it said. Raises UserError where it refuses, RuntimeError for an internal error."""
    code, said = run_command(words)
    if code == USER_ERROR:
        raise UserError(said)
    if code:
        raise RuntimeError(f"exit {code}: {said[-400:]}")
    return said
