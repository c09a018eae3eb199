"""The exception for errors that the user can fix, and the exit codes of the command line."""

OK, FAULT, USER_ERROR, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


class UserError(Exception):
    """An error in the user's request or data. The message says what is wrong, where, and what to do about it.

    The window shows it in a dialog; the command line prints it to stderr and exits with code 2.
    """
