"""What keeps a benchmark from running that whoever started it can mend."""


class UsageError(Exception):
    """The command line or the machine does not allow it; the message says what to mend."""
