"""`ksail-pulumi connect NAME`: k9s on a cluster, with a kubeconfig of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksail_pulumi.access.files import change
from ksail_pulumi.access.kubeconfig import Context, default_context
from ksail_pulumi.cli.arguments import describe
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.errors import SettingsError
from ksail_pulumi.lifecycle.kubeconfigs import Access, kubeconfig

if TYPE_CHECKING:
    import argparse

_TTL = timedelta(hours=24)
"""How long k9s can be used without a new start."""


_WAIT_SECONDS = 1.0


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Start k9s on a cluster, for up to a day. It uses a temporary kubeconfig, which is removed when k9s ends; your "
        "own kubeconfig does not change. This needs the role Operator. The exit code is that of k9s.",
        "connect west",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")


def run(options: argparse.Namespace) -> int:
    if shutil.which("k9s") is None:
        raise SettingsError(
            "`connect` needs k9s, which is not installed (https://k9scli.io). Without it, use kubectl: "
            f"`ksail-pulumi kubeconfig {options.name} --merge`, then `kubectl get nodes`"
        )
    text = kubeconfig(client_from_environment(), options.name, Access(ttl=_TTL))
    context = replace(Context.current(text), name=default_context(options.name))
    with tempfile.TemporaryDirectory(prefix="ksail-pulumi-") as folder:
        file = Path(folder) / "config"
        change(file, lambda _: context.text())
        return _run(["k9s", "--kubeconfig", str(file), "--context", context.name])


def _run(command: list[str]) -> int:
    """Run a command in this terminal until it ends by itself, also at a signal; returns its exit code."""
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _: Any) -> None:
        if number == signal.SIGINT:
            return  # the terminal sends Ctrl-C to the command, too
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]  # no SIGHUP on Windows
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        process = subprocess.Popen(command)
        for number in early:
            process.send_signal(number)
        code = None
        while code is None:
            # Not one long wait: a signal that comes just before it would be handled after it only.
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_WAIT_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code
