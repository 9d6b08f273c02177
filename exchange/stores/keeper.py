"""The keeper starts a dead store again, and stops both when their last user was killed.

A user who leaves in order stops them itself; this process is for the others. It costs two system
calls twice a second. Run as `python -m exchange.stores.keeper DATA_DIR`.
"""

import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import SubprocessError

from exchange.stores.errors import StoreError
from exchange.stores.folder import DataFolder
from exchange.stores.pair import Pair

ROUND_S = 0.5
PAUSE_MAX_S = 30.0


def keep(pair: Pair) -> None:
    """Watch until nobody uses the stores any more, then stop them."""
    pause_s = ROUND_S
    while True:
        time.sleep(pause_s)
        if not pair.turn.try_take():
            continue  # someone is starting or stopping them right now
        try:
            if not pair.is_used():
                pair.valkey.stop()
                pair.postgres.stop()
                return
            dead = [server.name for server in (pair.valkey, pair.postgres) if not server.is_alive()]
            if dead:
                names = " and ".join(dead)
                say(f"{names} died: starting again")
                pair.start()
                say(f"{names} answers again")
            pause_s = ROUND_S
        except (StoreError, OSError, SubprocessError) as error:  # such as a full disk: it may pass
            say(str(error))
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
        finally:
            pair.turn.release()


def say(sentence: str) -> None:
    """Write a line into the keeper's log, if it takes one: it lies on the disk that may be full."""
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}"
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - standard error is its log


if __name__ == "__main__":
    keep(Pair(DataFolder(Path(sys.argv[1]))))
