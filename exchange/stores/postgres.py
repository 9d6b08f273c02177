"""PostgreSQL for one data folder: made once, tuned for short durable commits, reached by socket."""

import os
import signal
import socket
import struct
from pathlib import Path
from urllib.parse import quote

from exchange.stores.binaries import postgres_program
from exchange.stores.folder import DataFolder
from exchange.stores.identity import Identity
from exchange.stores.locks import Lock
from exchange.stores.server import Server

NAME = "PostgreSQL"
USER = "postgres"
PORT = 5432
PROBE_TIMEOUT_S = 1.0
PROTOCOL_3 = 196608
READY_LINE = 7
"""Where `postmaster.pid` says what the server is doing."""

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    # What a seller was told survives a power cut; group commit keeps it cheap.
    "fsync": "on",
    "synchronous_commit": "on",
    # Nobody replicates from here, so the log need not say more than recovery reads.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Checkpoints are rare and spread out, or they would show in the latency of sales.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "shared_buffers": "128MB",
    "max_connections": "200",
    # The data is small and in the page cache: three I/O workers less to start and to schedule.
    "io_method": "sync",
    # The statements are short and prepared; compiling them never pays.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A DETAIL line would quote a row.
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
}


def database_url(folder: DataFolder) -> str:
    """Return the DSN over the socket; nothing in it is left to PG… variables."""
    return f"postgresql://{USER}@/postgres?host={quote(str(folder.sockets), safe='')}&port={PORT}"


def postgres_server(folder: DataFolder) -> Server:
    """Return the server of this data folder, whether it runs or not."""
    settings = SETTINGS | {"unix_socket_directories": str(folder.sockets)}
    options = (option for key, value in settings.items() for option in ("-c", f"{key}={value}"))
    return Server(
        name=NAME,
        command=(str(postgres_program("postgres")), "-D", str(folder.postgres), *options),
        lock=Lock(folder.lock("postgres")),
        lock_path=folder.lock("postgres"),
        log=folder.log("postgres"),
        # Fast: roll back and checkpoint; then immediate, as after a power cut; then by force.
        signals=((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)),
        answers=lambda: answers(folder),
    )


def prepare(server: Server, folder: DataFolder, identity: Identity) -> None:
    """Make the database cluster where there is none, and clear what a dead server left behind.

    Called only while no process of the server holds its lock. Errors: StartError.
    """
    if not folder.postgres.exists():
        make_cluster(server, folder, identity)
    # The pids in these may by now be other processes', for which PostgreSQL would refuse to start;
    # that no server runs here its lock told, and shared memory still fences one started by hand.
    (folder.postgres / "postmaster.pid").unlink(missing_ok=True)
    (folder.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def make_cluster(server: Server, folder: DataFolder, identity: Identity) -> None:
    """Run initdb beside the final place, so that one cut short is never taken for whole."""
    new = folder.new_postgres(identity)
    command = (
        str(postgres_program("initdb")),
        f"--pgdata={new}",
        f"--username={USER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )
    server.run_first(identity, new, command)
    new.rename(folder.postgres)
    sync(folder.path)


def answers(folder: DataFolder) -> bool:
    """Tell whether the server lets us in right now."""
    if not says_ready(folder.postgres / "postmaster.pid"):
        return False  # asking already would put a FATAL line into its log
    parameters = f"user\0{USER}\0database\0postgres\0\0".encode()
    startup = struct.pack(">II", 8 + len(parameters), PROTOCOL_3) + parameters
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PROBE_TIMEOUT_S)
            connection.connect(str(folder.sockets / f".s.PGSQL.{PORT}"))
            connection.sendall(startup)
            admitted = connection.recv(1) == b"R"
            connection.sendall(b"X\0\0\0\4")
            return admitted
    except OSError:
        return False


def says_ready(pid_file: Path) -> bool:
    """Tell whether the server wrote that it takes connections."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"


def sync(folder: Path) -> None:
    """Make a folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
