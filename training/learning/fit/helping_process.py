"""`python -m training.learning.fit.helping_process`: one of the other processes of a training, as the first process starts them."""

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
