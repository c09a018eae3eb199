"""Runs something in a forked child that may hang, crash or take all memory, and tells what became of it."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from training.errors import UserError

ADDRESSES = 6 << 30  # bytes of address space
_LONGEST = 4000  # characters of words that are passed on


@dataclass(frozen=True)
class Fate:
    """How a child ended. kind: "ok", "sentence" (a UserError), "traceback", "hang", "killed" or any that a `Judged`
    error has. words: what it returned or raised. grew: by how many MB its memory grew at most."""

    kind: str
    words: str = ""
    grew: int = 0


def load_torch() -> None:
    """Load once, before the forks, what every child would have to: half a minute of imports on a busy machine."""
    import torch
    import torch._dynamo  # by the first optimiser

    import training.learning.fit.train_run
    import training.learning.inference.predictor  # noqa: F401

    torch.set_num_threads(1)


class JudgedError(Exception):
    """An end that is neither a success nor a refusal, such as "half" of an import."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def in_fork(work: Callable[[], object], *, seconds: float, addresses: int = ADDRESSES, quiet: bool = True) -> Fate:
    """Run `work` in a child with limits on time and address space (bytes). What it prints is dropped if `quiet`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(work, writer, addresses=addresses, quiet=quiet)
    os.close(writer)
    data = _read_all(reader, until=time.monotonic() + seconds)
    if data is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if data is None:
        return Fate("hang", f"more than {seconds:.0f} s")
    if not data:
        return Fate("killed", _ending(status))
    kind, grew, words = data.decode("utf-8", "replace").split("\0", 2)
    return Fate(kind, words, int(grew))


def _child(work: Callable[[], object], out: int, *, addresses: int, quiet: bool) -> None:
    """Never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if quiet:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
    before = _most_memory()
    kind, words = judged(work)
    text = "\0".join((kind, str(_most_memory() - before), words.replace("\0", "\\0")[-_LONGEST:]))
    os.write(out, text.encode("utf-8", "replace"))
    os._exit(0)


def judged(work: Callable[[], object]) -> tuple[str, str]:
    """(kind, words) of a call."""
    try:
        return "ok", str(work() or "")
    except UserError as error:
        return "sentence", str(error)
    except JudgedError as error:
        return error.kind, str(error)
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "/training/" in f.filename or "/fkp_studio/" in f.filename] or frames
        where = f"{ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno} in {ours[-1].name}"
        return "traceback", f"{type(error).__name__}: {str(error)[:400]} ({where})"


def _most_memory() -> int:
    """The most memory that this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _read_all(reader: int, *, until: float) -> bytes | None:
    """All that the other end writes; None if it is still open at `until`."""
    data = b""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            more = pipe.read(1 << 16)
            if not more:
                return data
            data += more
    return None


def _ending(status: int) -> str:
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
