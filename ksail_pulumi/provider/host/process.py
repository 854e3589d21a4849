"""A process that Pulumi's engine has started: whether it is the provider process, and its end with the engine."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "pulumi.dynamic.__main__"
_STDOUT = 1
_once = threading.Lock()


def is_host() -> bool:
    """Whether this is Pulumi's provider process."""
    # `python -m pulumi.dynamic` runs the module `pulumi.dynamic.__main__` (pulumi 3.243 to 3.272).
    main = getattr(sys.modules["__main__"], "__spec__", None)
    return getattr(main, "name", "") == _HOST


def import_faster() -> None:
    """Avoid work that Python would do for each import of ours. Needed once in a process."""
    if not is_host() or gc.get_freeze_count():
        return
    # Otherwise the garbage collector searches again and again through all of Pulumi and gRPC.
    gc.freeze()
    # Otherwise pydantic reads the metadata of all installed packages.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def end_with_engine(on_end: Callable[[], None]) -> None:
    """End this process when the engine has ended, even if it was killed. Needed once per process.

    `on_end` is called first: it ends the running calls of all providers, or the process itself. Windows has no `poll`:
    there the process stays.
    """
    if hasattr(select, "poll") and _once.acquire(blocking=False):
        threading.Thread(target=_wait_for_end, args=(on_end,), name="ksail-pulumi-engine", daemon=True).start()


def _wait_for_end(on_end: Callable[[], None]) -> None:
    # The engine reads our stdout until it ends. Its process ID is no help: a shell that waits for us is our parent
    # (pulumi 3.276), and it survives the engine.
    reader = select.poll()
    reader.register(_STDOUT, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in reader.poll()):
        on_end()
        # The host handles the interrupt as from the engine: it stops its server. Sent to the main thread, because
        # another thread that takes a signal does not wake it. A script that runs `pulumi up &` has it ignored, but the
        # engine (pulumi 3.276) starts its plugins with the default.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
