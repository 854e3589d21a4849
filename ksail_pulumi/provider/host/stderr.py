"""Keeps gRPC's own log off the user's screen.

For every TLS handshake that fails, gRPC writes a line to stderr, and Pulumi shows what a provider writes there; our
errors tell the same in words, and once. Only GRPC_VERBOSITY makes gRPC quiet, and only if it is set before gRPC is
loaded. Pulumi's host has loaded it long before us, so its lines are taken out on their way instead.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import sys
import threading

_HOST = "pulumi.dynamic.__main__"
_VERBOSITY = "GRPC_VERBOSITY"
_STDERR = 2
_GRPC_LINE = re.compile(rb"[IWE]\d{4} [^\]]*\.cc:\d+\] |WARNING: All log messages before absl::InitializeLog")


@functools.cache
def keep_grpc_quiet() -> None:
    """Take gRPC's lines out of what this process writes to stderr, from now on.

    In Pulumi's provider process only, and not for somebody who has set GRPC_VERBOSITY.
    """
    main = getattr(sys.modules["__main__"], "__spec__", None)
    if _VERBOSITY in os.environ or getattr(main, "name", "") != _HOST:
        return
    screen = os.dup(_STDERR)
    written, entrance = os.pipe()
    os.dup2(entrance, _STDERR)
    os.close(entrance)
    sieve = threading.Thread(target=_pass_on, args=(written, screen), name="ksail-pulumi-stderr", daemon=True)
    sieve.start()

    def end() -> None:
        os.dup2(screen, _STDERR)  # closes the entrance, and with it the thread ends
        sieve.join()

    atexit.register(end)


def _pass_on(written: int, screen: int) -> None:
    with os.fdopen(written, "rb") as lines, os.fdopen(os.dup(screen), "wb", buffering=0) as out:
        for line in lines:
            if not _GRPC_LINE.match(line):
                out.write(line)
