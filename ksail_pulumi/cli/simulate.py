"""`ksail-pulumi simulate`: an Omni with emulated machines in this process, until Ctrl-C or while a command runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ksail_pulumi.access.files import change, expanded, text_of
from ksail_pulumi.cli import child
from ksail_pulumi.cli.arguments import describe, port, positive
from ksail_pulumi.cli.live import ChangeLog, view
from ksail_pulumi.cli.output import rich_terminal
from ksail_pulumi.errors import ConfigFileError, InputError, KsailPulumiError, SettingsError
from ksail_pulumi.omni.resources import CLUSTER
from ksail_pulumi.plan.ownership import OwnershipMark, forgetting
from ksail_pulumi.simulator.server import Simulator

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.simulator.saved import SavedOmni

REFRESH_SECONDS = 0.25


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Run an Omni with emulated machines until Ctrl-C, or while COMMAND runs. OMNI_ENDPOINT and "
        "OMNI_SERVICE_ACCOUNT_KEY are set for the command, and its exit code is that of `simulate`.",
        "simulate --machines 10",
        "simulate --state omni.json -- pulumi up",
        environment="",
    )
    command.usage = (
        "ksail-pulumi simulate [-h] [--machines N] [--speed real|fast] [--port PORT] [--state FILE] [-- COMMAND ...]"
    )
    command.add_argument("--machines", type=positive, metavar="N", help="number of machines (default: 6)")
    command.add_argument(
        "--speed",
        choices=("real", "fast"),
        default="fast",
        help="fast: a cluster is ready in seconds; real: takes as long as with virtual machines (default: fast)",
    )
    command.add_argument("--port", type=port, metavar="PORT", help="port on 127.0.0.1 (default: any free port)")
    command.add_argument(
        "--state",
        default="",
        metavar="FILE",
        help="keep this Omni from one run to the next: it is read from FILE if that exists, and written to it at the "
        "end, with its key (default: a new Omni)",
    )


class _Kept:
    """The Omni in the file of `--state`, during one run.

    Attributes:
        file: The file.
        saved: The Omni of the last run; None if there is no file.
    """

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            ConfigFileError: It cannot be read, or is another file.
        """
        from ksail_pulumi.simulator.saved import NotSavedError, SavedOmni  # its models are slow to import

        self.file = expanded(path)
        self.saved: SavedOmni | None = None
        self._text = text_of(self.file)
        if not self.file.exists():
            return
        try:
            self.saved = SavedOmni.read(self._text)
        except NotSavedError:
            reason = "not a file that `ksail-pulumi simulate --state` has written: choose another one, or delete it"
            raise ConfigFileError(str(self.file), 0, "", reason) from None

    def keep(self, omni: Simulator) -> None:
        """Write the Omni. Done at the start too: what cannot be kept, and a second run, ends there.

        Raises:
            ConfigFileError: The file cannot be written, or somebody else has written it since.
        """
        new = omni.save().text()

        def replaced(text: str) -> str:
            if text != self._text:
                reason = "the file has changed while this Omni ran: it stays as it is, and this Omni is not kept"
                raise ConfigFileError(str(self.file), 0, "", reason)
            return new

        change(self.file, replaced)
        self._text = new


def run(options: argparse.Namespace) -> int:
    program: list[str] = options.program
    if program and shutil.which(program[0]) is None:
        raise InputError("", f"{program[0]}: command not found")
    kept = _Kept(options.state) if options.state else None
    if kept is not None:
        _refuse_another(kept, options)
    with _started(options, kept) as omni:
        environment = {"OMNI_ENDPOINT": omni.endpoint, "OMNI_SERVICE_ACCOUNT_KEY": omni.service_account_key}
        if program:
            code = child.run(program, _without_other_omni(os.environ) | environment)
        else:
            for name, value in environment.items():
                print(f"export {name}={shlex.quote(value)}")
            _watch(omni)
            code = 0
    return _ended(omni, kept, code)


def _ended(omni: Simulator, kept: _Kept | None, code: int) -> int:
    """Keep an Omni that has ended, or name what ends with it; returns the exit code."""
    if kept is not None:
        try:
            kept.keep(omni)
        except KsailPulumiError as error:
            print(f"ksail-pulumi: {error}", file=sys.stderr)
            code = code or 1
        else:
            return code
    _say_what_is_lost(omni)
    return code


@contextmanager
def _started(options: argparse.Namespace, kept: _Kept | None) -> Iterator[Simulator]:
    saved = kept.saved if kept else None
    port = options.port or (saved.port if saved else 0)
    omni = Simulator(machines=options.machines or 6, speed=options.speed, port=port, saved=saved)
    try:
        omni.start()
    except OSError as error:
        raise SettingsError(f"port {port} on 127.0.0.1 is not available; is it in use?") from error
    try:
        if kept is not None:
            kept.keep(omni)
        yield omni
    finally:
        omni.stop()


def _refuse_another(kept: _Kept, options: argparse.Namespace) -> None:
    """Refuse options that the Omni in the file does not have."""
    if kept.saved is None:
        return
    for option, there in (("machines", len(kept.saved.machines)), ("port", kept.saved.port)):
        if getattr(options, option) not in (None, there):
            reason = f"the Omni in {kept.file} has {there}: leave the option out, or choose another file"
            raise InputError(f"--{option}", reason)


def _say_what_is_lost(omni: Simulator) -> None:
    """Name the clusters that a stack still has although their Omni has ended."""
    for cluster in omni.store.list(CLUSTER):
        mark = OwnershipMark(OwnershipMark.owner_of(cluster) or "")
        if mark.urn:
            print(
                f"ksail-pulumi: this Omni has ended, and with it cluster {cluster.id}, which is still in stack "
                f"{mark.stack}. To remove it from the stack, run {forgetting(mark.urn)}. To keep the Omni for the next "
                "run, use --state FILE",
                file=sys.stderr,
            )


def _without_other_omni(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the command, without variables for another Omni or another key."""
    return {name: value for name, value in environ.items() if not name.startswith(("OMNI_", "SIDERO_"))}


def _watch(omni: Simulator) -> None:
    """Show the machines until Ctrl-C."""
    stop = threading.Event()
    with child.handled_signals(lambda _: stop.set()):
        if rich_terminal():
            _watch_live(omni, stop)
        else:
            _watch_plain(omni, stop)


def _watch_live(omni: Simulator, stop: threading.Event) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    console.print("[dim]Paste these two lines into another terminal. Ctrl-C stops this Omni.[/]")
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while not stop.wait(REFRESH_SECONDS):
            live.update(view(omni.store.list, console.height), refresh=True)


def _watch_plain(omni: Simulator, stop: threading.Event) -> None:
    log = ChangeLog(omni.store.list)
    sys.stdout.flush()
    while not stop.wait(REFRESH_SECONDS):
        for line in log.changes():
            print(line, file=sys.stderr)
