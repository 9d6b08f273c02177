"""Valkey for one data folder: every change logged, nothing evicted, reached by socket."""

import signal
import socket
from urllib.parse import quote

from exchange.stores.binaries import valkey_program
from exchange.stores.folder import DataFolder
from exchange.stores.locks import Lock
from exchange.stores.server import Server

NAME = "Valkey"
PROBE_TIMEOUT_S = 1.0

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    # Counters survive a restart; what the last second lost, the ledger restores.
    "appendonly": "yes",
    "appendfsync": "everysec",
    # While it writes its log anew nothing else of it is synced: two syncs at once on one disk hold
    # up every call for seconds. What a power cut takes then, the ledger restores likewise.
    "no-appendfsync-on-rewrite": "yes",
    # No snapshots beside the log: each would fork and copy in the middle of auctions.
    "save": "",
    # A hold that was evicted would be sold twice: better an error.
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
    "logfile": "",
    "always-show-logo": "no",
    "set-proc-title": "no",
}


def market_url(folder: DataFolder) -> str:
    """Return the URL over the socket, as redis-py reads it."""
    return f"unix://{quote(str(folder.sockets / 'valkey.sock'))}?db=0"


def valkey_server(folder: DataFolder) -> Server:
    """Return the server of this data folder, whether it runs or not."""
    settings = SETTINGS | {
        "dir": str(folder.valkey),
        "unixsocket": str(folder.sockets / "valkey.sock"),
    }
    options = (option for key, value in settings.items() for option in (f"--{key}", value))
    return Server(
        name=NAME,
        command=(str(valkey_program()), *options),
        lock=Lock(folder.lock("valkey")),
        lock_path=folder.lock("valkey"),
        log=folder.log("valkey"),
        # It writes its log to the disk and leaves; then by force.
        signals=((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)),
        answers=lambda: answers(folder),
    )


def answers(folder: DataFolder) -> bool:
    """Tell whether the server answers right now, with its data loaded."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PROBE_TIMEOUT_S)
            connection.connect(str(folder.sockets / "valkey.sock"))
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False
