"""Runs another command in this terminal, and handles signals for it."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_WAIT_SECONDS = 1.0
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Windows has no SIGHUP."""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a command until it ends by itself, also at a signal.

    Args:
        command: The command and its arguments.
        environment: Its environment variables; default: those of this process.

    Returns:
        Its exit code; 128 and the number of the signal that ended it.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int) -> None:
        if number == signal.SIGINT:
            return  # the terminal sends Ctrl-C to the command, too
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    with handled_signals(forward):
        process = subprocess.Popen(command, env=environment)
        for number in early:
            process.send_signal(number)
        code = None
        while code is None:
            # Not one long wait: a signal that comes just before it would be handled after it only.
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_WAIT_SECONDS)
    return 128 - code if code < 0 else code


@contextmanager
def handled_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Handle the signals that end a command by `handle` during the block.

    A handler, not SIG_IGN, because a command that is started would inherit SIG_IGN.
    """
    before: dict[int, Any] = {number: signal.signal(number, lambda caught, _: handle(caught)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
