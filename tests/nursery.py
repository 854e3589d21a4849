"""Forks provider processes: each is Pulumi's own host, as `python -m pulumi.dynamic` is, with all modules loaded.

Requests are lines of JSON on stdin, answers (the process IDs) lines on stdout. No thread and no connection exists here
when it forks, so a child is what a newly started process is.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import sys
import threading
from typing import Any

import ksail_pulumi.lifecycle
import ksail_pulumi.provider


def load() -> None:
    for package in (ksail_pulumi.provider, ksail_pulumi.lifecycle):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("pulumi.runtime.proto.provider_pb2_grpc")


def become_host(request: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ.pop("GRPC_VERBOSITY", None)  # Tests of the command set it. gRPC is loaded: it has no effect here.
    files = (
        os.open(os.devnull, os.O_RDONLY),
        os.open(request["told"], os.O_WRONLY),
        os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
    )
    for standard, opened in enumerate(files):
        os.dup2(opened, standard)
        os.close(opened)
    # Without buffers, as under `python -u`.
    sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(file, "wb", 0), write_through=True) for file in (1, 2))
    sys.argv = ["pulumi.dynamic", request["engine"]]
    hear_interrupts()
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


def hear_interrupts() -> None:
    """Let the main thread hear every SIGINT.

    Any thread may take a signal, and Python does not wake its main thread then. The engine kills a process that does
    not end within five seconds; a test would wait as long for it.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    main_thread = threading.get_ident()

    def wake() -> None:
        while os.read(heard, 1) != bytes([signal.SIGINT]):
            pass
        signal.pthread_kill(main_thread, signal.SIGUSR2)

    threading.Thread(target=wake, daemon=True).start()


def main() -> None:
    load()
    # A process that is dead shall not look alive to the provider: there are no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become_host(json.loads(line))
            return
        print(child, flush=True)


main()
