"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A fault in what was asked or given, told as one sentence: what is wrong, where, and what to do.

    The window shows it in a dialog, the command line prints it on stderr and ends with exit code 2.
    """
