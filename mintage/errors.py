"""The one error that users see: what is wrong, where, and how to mend it."""


class MintageError(Exception):
    """Something that the user can mend. The message names the place and the mend; the command line prints it
    without a traceback and ends with `exit_code`."""

    exit_code = 2
