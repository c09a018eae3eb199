"""`python -m training.learning.fit.helping_process`: a further process of a training, started by the first one."""

from __future__ import annotations

import sys

from training.errors import USER_ERROR, UserError


def main() -> int:
    """The exit code: 0, or 2 after a sentence on stderr."""
    from training.learning.fit.train_run import help_to_train

    try:
        return help_to_train()
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
