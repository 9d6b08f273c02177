"""Run as `python tether.py PROGRAM ARG…`: becomes the program, and ends when its parent does.

The demo's children have a session of their own, so that Ctrl-C in the terminal reaches the demo
alone and it can end them in order. Should the demo be killed, nobody would; where the kernel can
tell (Linux), the child is ended with its parent. Only the standard library is imported.
"""

import ctypes
import os
import signal
import sys

SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2); it outlives the exec."""


def tie(parent: int) -> None:
    """Have the kernel end this process with its parent, which is ended already if it changed."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the demo is gone")


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the program that the demo names, no shell
