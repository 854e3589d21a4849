"""A Pulumi stack with one cluster: what the engine calls of the provider, in which order, and what it saves of it.

The orders are those of pulumi 3.276, as seen in its calls to a dynamic provider.
"""

from __future__ import annotations

import functools
import itertools
import pathlib
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import grpc
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.provider.cluster import OmniClusterProvider
from tests.crash.omni import Crash, Omni
from tests.host import PATIENCE, URN, Engine, Failed, Nursery, Process

DIFF_NONE, DIFF_SOME = 1, 2


@dataclass(frozen=True)
class Saved:
    """What the state has of the cluster.

    Attributes:
        pending: The old one is deleted, and its replacement has not been created.
        tainted: The next run replaces it, whatever has changed.
    """

    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    pending: bool = False
    tainted: bool = False


@dataclass(frozen=True)
class Program:
    """What the program asks for: the inputs of its only cluster, none for no cluster, and the resource's URN."""

    inputs: Mapping[str, Any] | None
    urn: str = URN

    @property
    def owner(self) -> str:
        return f"organization/shop/dev/{self.urn.rpartition('::')[2]}"


class Stack:
    """One stack on one Omni; every run has a provider process of its own."""

    def __init__(self, omni: Omni, engine: Engine, nursery: Nursery, folder: pathlib.Path) -> None:
        self.omni = omni
        self.saved: Saved | None = None
        self._engine, self._nursery, self._folder = engine, nursery, folder
        self._runs = itertools.count()

    @property
    def uuid(self) -> str:
        """Which cluster the state has; `""` for none."""
        return str(self.saved.outputs["clusterUuid"]) if self.saved is not None else ""

    def taint(self) -> None:
        """Do a `pulumi state taint`."""
        assert self.saved is not None
        self.saved = replace(self.saved, tainted=True)

    def run(self, program: Program, crash: Crash | None = None, *, refresh: bool = False) -> str:
        """Do one `pulumi up`, or a `pulumi destroy` for no cluster; a crash ends it early.

        Returns the step that was taken: `create`, `update`, `replace`, `delete`, `same`, or `crashed`.
        """
        with self._process(crash) as host:
            try:
                run = _Run(self, host, program)
                if refresh:
                    run.refresh()
                return run.go()
            except Failed:
                if crash is None or crash.at is None:
                    raise
                return "crashed"

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
    """End a process as the engine does: Cancel, then an interrupt, and what it has to do after that it can do."""
    with suppress(grpc.RpcError):  # it has crashed
        host.cancel()
    host.process.send_signal(signal.SIGINT)
    host.process.wait(PATIENCE)


@dataclass
class _Run:
    stack: Stack
    host: Process
    program: Program

    def go(self) -> str:
        saved, asked, urn = self.stack.saved, self.program.inputs, self.program.urn
        if asked is None:
            return self._delete(None) if saved is not None else "same"
        if saved is None:
            return self._create(self._check(asked, None))
        if saved.tainted and not saved.pending:
            return self._replace(asked)
        inputs = self._check(asked, saved.inputs)
        found = self.host.diff(saved.id, saved.outputs, inputs, urn=urn)
        if saved.pending:
            return self._create(self._check(asked, None))
        if found.replaces:
            return self._replace(asked)
        if found.changes == DIFF_NONE or (found.changes != DIFF_SOME and inputs == saved.inputs):
            self.stack.saved = replace(saved, inputs=inputs)
            return "same"
        outputs = self.host.update(saved.id, saved.outputs, inputs, urn=urn)
        self.stack.saved = Saved(saved.id, inputs, _as_saved(outputs))
        return "update"

    def refresh(self) -> None:
        saved = self.stack.saved
        assert saved is not None
        id_, outputs, inputs = self.host.read(saved.id, saved.outputs, urn=self.program.urn)
        self.stack.saved = replace(saved, id=id_, inputs=inputs, outputs=_as_saved(outputs))

    def _check(self, asked: Mapping[str, Any], olds: Mapping[str, Any] | None) -> Mapping[str, Any]:
        sent = {"__owner": self.program.owner, **asked}
        inputs, failures = self.host.check(sent, olds, urn=self.program.urn)
        assert failures == {}
        return inputs

    def _create(self, inputs: Mapping[str, Any]) -> str:
        id_, outputs = self.host.create(inputs, urn=self.program.urn)
        self.stack.saved = Saved(id_, inputs, _as_saved(outputs))
        return "create"

    def _replace(self, asked: Mapping[str, Any]) -> str:
        inputs = self._check(asked, None)
        assert self.stack.saved is not None
        self._delete(replace(self.stack.saved, pending=True))
        self._create(inputs)
        return "replace"

    def _delete(self, left: Saved | None) -> str:
        saved = self.stack.saved
        assert saved is not None
        self.host.delete(saved.id, saved.outputs, urn=self.program.urn)
        self.stack.saved = left
        return "delete"


def _as_saved(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs as the engine hands them back: secrets are plain text."""
    return {
        key: value["secret"] if isinstance(value, dict) and set(value) == {"secret"} else value
        for key, value in outputs.items()
    }
