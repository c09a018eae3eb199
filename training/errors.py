"""The exception for errors that the user can fix."""


class UserError(Exception):
    """An error in the user's request or data. The message says what is wrong, where, and what to do about it.

    The window shows it in a dialog; the command line prints it to stderr and exits with code 2.
    """
