"""Stacks as Pulumi's engine plays them: which calls it makes of the provider, and what it saves of the answers.

The orders are those of pulumi 3.276, as seen in its calls to a dynamic provider.
"""

from __future__ import annotations

import functools
import itertools
import pathlib
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import grpc
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.provider.cluster import OmniClusterProvider
from tests.crash.omni import Crash, Omni
from tests.host import PATIENCE, Engine, Failed, Nursery, Process

TYPE = "pulumi-python:dynamic/ksail:OmniCluster"
DIFF_NONE, DIFF_SOME = 1, 2
Properties = Mapping[str, Any]
Command = Literal["up", "replace", "refresh", "refreshed up", "destroy"]


@dataclass(frozen=True)
class Saved:
    """What a state has of the cluster.

    Attributes:
        failed: The last call failed and saved this all the same; the next `up` updates it.
        pending: The old cluster is deleted, and its replacement has not been created.
    """

    id: str
    inputs: Properties
    outputs: Properties
    failed: bool = False
    pending: bool = False


@dataclass(frozen=True)
class Program:
    """A program with one cluster.

    Attributes:
        resource: The resource's name.
        parent: The type of its parent; `""` for none.
        name: The cluster's name; None where the program leaves it out.
        workers: How many workers.
        imported: The option `import_`.
        create_first: The option `delete_before_replace=False`.
    """

    resource: str = "main"
    parent: str = ""
    name: str | None = None
    workers: int = 0
    imported: str = ""
    create_first: bool = False

    def urn(self, stack: str) -> str:
        kind = f"{self.parent}${TYPE}" if self.parent else TYPE
        return f"urn:pulumi:{stack}::shop::{kind}::{self.resource}"

    def sends(self, stack: str) -> dict[str, Any]:
        """What it sends to `check`."""
        sent: dict[str, Any] = {
            "name": self.imported or self.name or self.resource,
            "controlPlane": {"count": 1},
            "workers": self.workers,
            "waitFor": "none",
            "__owner": f"organization/shop/{stack}/{self.resource}",
        }
        flags = {
            "__nameLeftOut": self.name is None and not self.imported,
            "__adopt": bool(self.imported),
            "__createFirst": self.create_first,
        }
        return sent | {key: True for key, value in flags.items() if value}


@dataclass
class Outcome:
    """What a run of Pulumi did.

    Attributes:
        steps: The provider's verbs that it called.
        error: Why it failed; `""` if it did not.
    """

    steps: list[str] = field(default_factory=list)
    error: str = ""


class Stack:
    """A stack with one resource. Every run has a provider process of its own."""

    def __init__(self, name: str, omni: Omni, engine: Engine, nursery: Nursery, folder: pathlib.Path) -> None:
        self.name = name
        self.omni = omni
        self.program = Program()
        self.saved: Saved | None = None
        self._engine, self._nursery, self._folder = engine, nursery, folder
        self._runs = itertools.count()

    @property
    def urn(self) -> str:
        return self.program.urn(self.name)

    def run(self, command: Command, crash: Crash | None) -> Outcome:
        """Run a command of Pulumi; a crash kills the provider process at one of its writes."""
        outcome = Outcome()
        with self._process(crash) as host:
            try:
                _Run(self, host, outcome).go(command)
            except Failed as error:
                outcome.error = error.message or "crashed"
        return outcome

    @contextmanager
    def _process(self, crash: Crash | None) -> Iterator[Process]:
        key = self.omni.new_key()
        folder = self._folder / str(next(self._runs))
        folder.mkdir(parents=True)
        host = self._nursery.start(self._engine, _pickled(), folder)
        try:
            host.configure({"omni:endpoint": self.omni.simulator.endpoint, "omni:serviceAccountKey": key})
            if crash is not None:
                crash.aim(host, key)
            yield host
            _end(host)
            if crash is not None:
                crash.call_off()
        finally:
            host.close()


@functools.cache
def _pickled() -> str:
    return serialize_provider(OmniClusterProvider())


def _end(host: Process) -> None:
    """End a process as the engine does, with time for what it has to do after the last answer."""
    with suppress(grpc.RpcError):  # it has crashed
        host.cancel()
    host.process.send_signal(signal.SIGINT)
    host.process.wait(PATIENCE)


@dataclass
class _Run:
    stack: Stack
    host: Process
    outcome: Outcome

    def go(self, command: str) -> None:
        if command in ("refresh", "refreshed up"):
            self._refresh()
        if command == "destroy":
            self._destroy()
        elif command != "refresh":
            self._up(forced=command == "replace")

    def _refresh(self) -> None:
        saved = self.stack.saved
        if saved is None or saved.pending:
            return
        id_, outputs, inputs = self.host.read(saved.id, saved.outputs, urn=self.stack.urn)
        self.stack.saved = Saved(id_, inputs, _as_saved(outputs)) if id_ else None

    def _destroy(self) -> None:
        if self.stack.saved is not None and not self.stack.saved.pending:
            self._delete(self.stack.saved)
        self.stack.saved = None

    def _up(self, *, forced: bool) -> None:
        saved = self.stack.saved
        if saved is None:
            self._create(self._check(None))
            return
        if forced and not saved.pending:
            self._replace(saved, self._check(None))
            return
        inputs = self._check(saved.inputs)
        if saved.pending:
            self._create(self._check(None))
            return
        found = self.host.diff(saved.id, saved.outputs, inputs, urn=self.stack.urn)
        if found.replaces:
            self._replace(saved, self._check(None))
        elif saved.failed or found.changes == DIFF_SOME or (found.changes != DIFF_NONE and inputs != saved.inputs):
            self._update(saved, inputs)
        else:
            self.stack.saved = replace(saved, inputs=inputs)

    def _check(self, olds: Properties | None) -> Properties:
        inputs, failures = self.host.check(self.stack.program.sends(self.stack.name), olds, urn=self.stack.urn)
        if failures:
            raise _Refused(failures)
        return inputs

    def _create(self, inputs: Properties) -> None:
        self.outcome.steps.append("create")
        with self._saving(inputs):
            id_, outputs = self.host.create(inputs, urn=self.stack.urn)
            self.stack.saved = Saved(id_, inputs, _as_saved(outputs))

    def _update(self, saved: Saved, inputs: Properties) -> None:
        self.outcome.steps.append("update")
        with self._saving(inputs):
            outputs = self.host.update(saved.id, saved.outputs, inputs, urn=self.stack.urn)
            self.stack.saved = Saved(saved.id, inputs, _as_saved(outputs))

    def _replace(self, saved: Saved, inputs: Properties) -> None:
        if self.stack.program.create_first:
            self._create(inputs)
            created = self.stack.saved
            self._delete(saved)  # a failure leaves the old one in the state, to be deleted later: see Saved
            self.stack.saved = created
            return
        self._delete(saved)
        self.stack.saved = replace(saved, pending=True)
        self._create(inputs)

    def _delete(self, saved: Saved) -> None:
        self.outcome.steps.append("delete")
        self.host.delete(saved.id, saved.outputs, urn=self.stack.urn)

    @contextmanager
    def _saving(self, inputs: Properties) -> Iterator[None]:
        try:
            yield
        except Failed as error:
            if error.status is not None and error.status.details:
                detail = error.init_failed
                outputs = self.host.plain(detail.properties)
                self.stack.saved = Saved(detail.id, inputs, outputs, failed=True)
            raise


class _Refused(Failed):
    """`check` refuses the inputs."""

    def __init__(self, failures: Mapping[str, str]) -> None:
        Exception.__init__(self, str(failures))

    @property
    def message(self) -> str:
        return str(self)


def _as_saved(outputs: Properties) -> dict[str, Any]:
    """Outputs as the engine hands them back: secrets are plain text."""
    return {
        key: value["secret"] if isinstance(value, dict) and set(value) == {"secret"} else value
        for key, value in outputs.items()
    }
