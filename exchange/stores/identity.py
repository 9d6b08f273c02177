"""As whom the servers run: PostgreSQL refuses root, and private parent folders stay private."""

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from exchange.stores import launch
from exchange.stores.errors import NoUserError

LAUNCH = (sys.executable, "-I", "-S", launch.__file__)
CHECK_TIMEOUT_S = 10.0


class Identity(NamedTuple):
    """Who runs the servers, as `launch` understands it, and to whom their files belong."""

    who: str
    uid: int
    gid: int

    def launches(self, lock: int, how: str, *program: str) -> tuple[str, ...]:
        """Return the command that runs a program as this user, holding an open lock file."""
        return (*LAUNCH, self.who, str(lock), how, *program)

    def reaches(self, *paths: Path) -> bool:
        """Tell whether this user can be taken on here and may enter or run all these paths."""
        check = subprocess.run(  # noqa: S603 - our own launcher, no shell
            (*LAUNCH, self.who, launch.NO_LOCK, launch.ATTACHED, launch.CHECK, *map(str, paths)),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CHECK_TIMEOUT_S,
        )
        return check.returncode == 0


def oneself() -> Identity:
    """Return the identity that changes nothing."""
    return Identity(launch.SELF, os.geteuid(), os.getegid())


def choose_identity(folder: Path, owned: Path, binary: Path) -> Identity:
    """Return as whom the servers of this data folder run; no permission of any folder is changed.

    Not as root: oneself. As root: whoever already owns their files (`owned`); else root itself
    inside a user namespace, where it is called nobody; else nobody. Errors: NoUserError.
    """
    if os.geteuid() != 0:
        return oneself()
    if owned.exists() and (owner := owned.stat()).st_uid != 0:
        identity = Identity(f"{owner.st_uid}:{owner.st_gid}", owner.st_uid, owner.st_gid)
        user = str(owner.st_uid)
    else:
        namespace = Identity(launch.NAMESPACE, 0, os.getegid())
        if namespace.reaches(folder, binary):
            return namespace
        nobody = pwd.getpwnam("nobody")
        identity = Identity(f"{nobody.pw_uid}:{nobody.pw_gid}", nobody.pw_uid, nobody.pw_gid)
        user = "nobody"
    if not identity.reaches(folder.parent, binary):
        raise NoUserError(user=user, folder=folder.parent, binary=binary)
    return identity
