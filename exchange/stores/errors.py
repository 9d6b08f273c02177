"""What can go wrong with the embedded stores; an exception's docstring is its message."""

from inspect import cleandoc


class StoreError(Exception):
    """The embedded stores cannot be used."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or "").format(**facts).strip())


class BinaryMissingError(StoreError):
    """There is no {program} in the package {package}.

    Install it again, or set EXCHANGE_DATABASE_URL and EXCHANGE_MARKET_URL to use other servers.
    """


class DataFolderError(StoreError):
    """The data folder {folder} cannot be used: {problem}.

    Set EXCHANGE_DATA_DIR to another one.
    """


class NoUserError(StoreError):
    """PostgreSQL does not run as root, and user {user} cannot reach {folder} and {binary}.

    User namespaces, which would help, are refused here. Set EXCHANGE_DATA_DIR to a folder whose
    parents everyone may enter, or start the exchange as another user.
    """


class SocketFolderError(StoreError):
    """The path {folder} is too long for a socket, and {short} belongs to someone else.

    Set EXCHANGE_DATA_DIR to a shorter path.
    """


class BusyError(StoreError):
    """Another process has been starting or stopping the stores in {folder} for {seconds} s."""


class StartError(StoreError):
    """{name} stopped while it was starting; its log {log} ends like this.

    {tail}
    """


class SilentError(StoreError):
    """{name} runs but has not answered for {seconds} s; its log {log} ends like this.

    {tail}
    """


class StopError(StoreError):
    """{name} was told to stop and still runs; its log {log} ends like this.

    {tail}
    """
