"""`python -m training.learning.fit.parallel.together TORCHRUN'S ARGUMENTS`: torchrun, whose end is told by our exit codes and a sentence, not a traceback."""

from __future__ import annotations

import logging
import sys

from training.errors import FAULT


def main(arguments: list[str]) -> int:
    """The exit code: 0, that of the process that failed first, or 128 + the signal that ended us."""
    logging.disable(logging.ERROR)  # torchrun's remarks on what our processes say themselves
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.run(run.parse_args(arguments))
    except SignalException as error:  # the processes have got it too, and have ended
        return 128 + int(error.sigval)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return int(failure.exitcode)
        print(
            f"Process {rank} of the training was ended by signal {-failure.exitcode}{_guess(-failure.exitcode)}. "
            "What was saved is whole: resume the run.",
            file=sys.stderr,
        )
        return FAULT
    return 0


def _guess(signal: int) -> str:
    return ", probably out of memory" if signal == 9 else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
