"""A program starts here detached: a session and a user of its own, its pid in its lock file.

Run as a script by path (`python -I -S launch.py WHO LOCK HOW PROGRAM ARG…`): only the standard
library is imported. It stands between the exchange and a server for three reasons: a fork in
between gives the server to init, which reaps it whoever started it; the user is changed in a
process with one thread, as the kernel demands; and nothing runs between fork and exec of a program
with threads.
"""

import os
import signal
import sys

SELF = "self"
"""Run as whoever started this."""

NAMESPACE = "namespace"
"""Run as `nobody` in a user namespace, which is root outside: files stay root's."""

NO_LOCK = "-"
"""In place of the open lock file that the program is to hold."""

DETACHED = "detached"
ATTACHED = "attached"
"""How it runs: as nobody's child, or in our place, so that its end is ours."""

CHECK = "-"
"""In place of a program: leave with 0 if all the arguments can be reached by this user."""

REFUSED = 71
UNREACHABLE = 72

NOBODY = 65534
CLONE_NEWUSER = 0x10000000


def become(who: str) -> None:
    """Give up root as `who` says, for good: `self`, `namespace`, or `UID:GID`. Errors: OSError."""
    if who == SELF:
        return
    if who == NAMESPACE:
        uid, gid = os.geteuid(), os.getegid()
        unshare_user()
        # The kernel lets a process map groups only after it gave up changing them.
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{NOBODY} {uid} 1")
        write("/proc/self/gid_map", f"{NOBODY} {gid} 1")
        return
    uid, gid = map(int, who.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def unshare_user() -> None:
    """Enter a new user namespace. Errors: OSError where the system refuses or has none."""
    if sys.version_info >= (3, 12):
        os.unshare(CLONE_NEWUSER)
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise OSError("this system has no user namespaces")
    if libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write(path: str, text: str) -> None:
    """Write a file of the kernel's, which takes it in one write or not at all."""
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def main(who: str, lock: str, how: str, program: str, *arguments: str) -> int:
    """Become the program, or leave that to a child that nobody waits for; return a status."""
    if how == DETACHED and os.fork():
        return 0
    try:
        become(who)
    except OSError as error:
        print(f"cannot run as {who}: {error}", file=sys.stderr)  # noqa: T201 - standard error is the server's log
        return REFUSED
    if program == CHECK:
        return 0 if all(os.access(path, os.X_OK) for path in arguments) else UNREACHABLE
    os.umask(0o077)
    # What a shell's background job or a thread of the exchange ignores, a server must hear.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if lock != NO_LOCK:
        descriptor = int(lock)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        os.set_inheritable(descriptor, True)
    return os.execv(program, [program, *arguments])  # noqa: S606 - the exchange's own command, no shell


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
