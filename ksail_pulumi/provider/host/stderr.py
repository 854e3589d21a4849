"""Removes gRPC's own log lines from stderr.

gRPC writes a line to stderr for every failed TLS handshake, and Pulumi shows the stderr of a provider; our errors
already report the failure. GRPC_VERBOSITY silences gRPC only if it is set before gRPC is loaded, and Pulumi's host
loads gRPC before this package. So the lines are filtered.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import threading

from ksail_pulumi.provider.host.process import is_host

_VERBOSITY = "GRPC_VERBOSITY"
_STDERR = 2
# The log format of the C core of grpcio 1.85 (absl).
_GRPC_LINE = re.compile(rb"[IWE]\d{4} [^\]]*\.cc:\d+\] |WARNING: All log messages before absl::InitializeLog")


@functools.cache
def keep_grpc_quiet() -> None:
    """Filter gRPC's lines out of the stderr of this process.

    Only in Pulumi's provider process, and not if the user has set GRPC_VERBOSITY.
    """
    if _VERBOSITY in os.environ or not is_host():
        return
    stderr = os.dup(_STDERR)
    written, write_end = os.pipe()
    os.dup2(write_end, _STDERR)
    os.close(write_end)
    reader = threading.Thread(target=_pass_on, args=(written, stderr), name="ksail-pulumi-stderr", daemon=True)
    reader.start()

    def end() -> None:
        os.dup2(stderr, _STDERR)  # closes the write end of the pipe, which ends the thread
        reader.join()

    atexit.register(end)


def _pass_on(written: int, stderr: int) -> None:
    with os.fdopen(written, "rb") as lines, os.fdopen(os.dup(stderr), "wb", buffering=0) as out:
        for line in lines:
            if not _GRPC_LINE.match(line):
                out.write(line)
