"""`ksail-pulumi status NAME`: how far a cluster is from healthy, once or until it is healthy."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ksail_pulumi.cli.arguments import NO, SUCCESS, add_output, describe, seconds
from ksail_pulumi.cli.output import print_data, rich_terminal
from ksail_pulumi.cli.settings import client_from_environment
from ksail_pulumi.cli.status_tree import lines, tree
from ksail_pulumi.errors import WaitTimeoutError
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.lifecycle.status import TYPES, ClusterState, read_view, state_of, wait_until_healthy
from ksail_pulumi.lifecycle.waiting.view import ClusterView

if TYPE_CHECKING:
    import argparse

    from rich.live import Live

    from ksail_pulumi.omni.client import Client

REDRAW_SECONDS = 0.25


def add_arguments(command: argparse.ArgumentParser) -> None:
    describe(
        command,
        "Show the machine sets and machines of a cluster, its versions and upgrades, and what it waits for.",
        "status west",
        "status west --watch --timeout 15m",
        no="the cluster is not healthy, or not healthy in time",
    )
    command.add_argument("name", metavar="NAME", help="the cluster's name")
    command.add_argument("--watch", action="store_true", help="show changes until the cluster is healthy")
    command.add_argument(
        "--timeout",
        type=seconds,
        default=float("inf"),
        metavar="DURATION",
        help="how long to watch, like 90s or 15m; implies --watch (default: no limit)",
    )
    add_output(command)


def run(options: argparse.Namespace) -> int:
    client = client_from_environment()
    if options.watch or options.timeout != float("inf"):
        view = _watch(client, options)
    else:
        view = read_view(client, options.name)
    state = state_of(view)
    if options.output == "table":
        _print(view)
    else:
        print_data(options.output, {**state, "omni": client.endpoint})
    return SUCCESS if state["healthy"] else NO


def _print(view: ClusterView) -> None:
    if rich_terminal():
        from rich.console import Console

        Console().print(tree(state_of(view)))
    else:
        print("\n".join(lines(state_of(view))))


def _watch(client: Client, options: argparse.Namespace) -> ClusterView:
    """Show changes until the cluster is healthy or the time is over; returns what is known then."""
    view = ClusterView(options.name)
    if options.output == "table" and rich_terminal():
        from rich.live import Live

        with Live(auto_refresh=False, vertical_overflow="crop", transient=True) as live:
            screen = _Screen(live, view)
            session = Session(client, Deadline.after(options.timeout), progress=screen.draw)
            _wait(session, view, screen)
    else:
        _wait(Session(client, Deadline.after(options.timeout), progress=_say), view, None)
    return view


def _wait(session: Session, view: ClusterView, screen: _Screen | None) -> None:
    try:
        wait_until_healthy(session, view, screen.changed if screen else _nothing)
    except WaitTimeoutError as error:
        _say(f"ksail-pulumi: {error}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _nothing() -> None:
    """A pipe gets the lines of the progress."""


class _Screen:
    """The tree on a terminal, drawn again when something has changed, but not for each of many events."""

    def __init__(self, live: Live, view: ClusterView) -> None:
        self._live = live
        self._view = view
        self._drawn_at = float("-inf")
        self._state: ClusterState | None = None

    def changed(self) -> None:
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self.draw("")

    def draw(self, progress: str) -> None:
        """Draw the tree; `progress` is the last line of progress, which may say what holds the cluster up."""
        self._drawn_at = time.monotonic()
        if self._view.synced(TYPES):  # else the view has lost what an Omni that restarts sends again
            self._state = state_of(self._view)
        if self._state is not None:
            self._live.update(tree(self._state, progress), refresh=True)
