"""One sequence, from `pulumi preview` to `pulumi destroy`, for any number of clusters, stacks and Omnis at once."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.omni.resources import CLUSTER, MACHINE_SET_NODE, MACHINE_STATUS, TALOS_VERSION
from tests.e2e.project import need

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project

# More calls than any test makes.
ALL_CALLS = 1_000_000


@dataclass(frozen=True, eq=False)
class Account:
    """An Omni that clusters live in.

    Attributes:
        client: Reaches it.
        free: The machines that are free in it.
        key: The service account key that the program has for it.
        inputs: The inputs that say which Omni it is; none where the environment says it.
        simulator: What it runs on, where that is known.
    """

    client: Client
    free: Collection[str]
    key: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    simulator: Simulator | None = None

    def talos_versions(self) -> tuple[str, str]:
        """The newest Talos version and the one before it in the same minor release: the older first."""
        found = [
            tuple(map(int, version.id.split(".")))
            for version in self.client.state.list(TALOS_VERSION)
            if "-" not in version.id and not version.spec.deprecated and not version.spec.unsupported
        ]
        minor = max(found)[:2]
        *older, newest = [".".join(map(str, version)) for version in sorted(found) if version[:2] == minor]
        if not older:
            pytest.skip(f"needs two Talos versions to upgrade, this Omni has only {newest} of its newest minor release")
        return older[-1], newest


@dataclass(frozen=True)
class Place:
    """A cluster: its name, the stack and the resource that declare it, the Omni that it belongs to."""

    cluster: str
    stack: str
    resource: str
    account: Account


@dataclass(frozen=True)
class Situation:
    """Clusters that are taken through the sequence side by side.

    Attributes:
        project: The project whose stacks they are in.
        places: The clusters.
        workers: How many workers each of them has to begin with.
    """

    project: Project
    places: tuple[Place, ...]
    workers: int

    def lives_from_preview_to_destroy(self) -> None:
        """Preview, up, up and refresh without changes, scale up and down, upgrade, destroy."""
        for account in self.accounts:
            need(list(account.free), sum(place.account is account for place in self.places) * (self.workers + 2))
        versions = {place: place.account.talos_versions() for place in self.places}
        older, newest = ({place: pair[index] for place, pair in versions.items()} for index in (0, 1))
        for stack in self.stacks:
            self.project.init(stack)

        self.declare(older, self.workers)
        self.is_previewed(older)
        first = self.comes_up(older)
        self.has_nothing_to_do()

        self.declare(older, self.workers + 1)
        grown = self.changes()
        for place, nodes in grown.items():
            assert len(nodes) == self.workers + 2
            assert first[place] < nodes

        self.declare(older, self.workers)
        shrunk = self.changes()
        for place, nodes in shrunk.items():
            assert len(nodes) == self.workers + 1
            assert nodes < grown[place]

        self.declare(newest, self.workers)
        self.changes()
        for place, nodes in shrunk.items():
            state = place.account.client.state
            talos = [state.get(MACHINE_STATUS, node).spec.talos_version.removeprefix("v") for node in nodes]
            assert talos == [newest[place]] * len(nodes)

        self.no_secret_is_stored()
        self.goes()

    @property
    def accounts(self) -> list[Account]:
        return list(dict.fromkeys(place.account for place in self.places))

    @property
    def stacks(self) -> dict[str, list[Place]]:
        names = dict.fromkeys(place.stack for place in self.places)
        return {name: [place for place in self.places if place.stack == name] for name in names}

    def declare(self, talos: Mapping[Place, str], workers: int) -> None:
        """Set what the program asks for."""
        for stack, places in self.stacks.items():
            self.project.clusters(
                {
                    place.resource: {
                        **place.account.inputs,
                        "name": place.cluster,
                        "talos_version": f"v{talos[place]}",
                        "workers": workers,
                        "patches": [{"name": "sysctls", "inline": {"machine": {"sysctls": {"fs.file-max": "100000"}}}}],
                    }
                    for place in places
                },
                stack,
            )

    def run(self, *arguments: str, done: str, stack_itself: str, environment: Mapping[str, str] | None = None) -> None:
        """Run a command on all stacks and check what it says it did with the clusters and with the stack itself."""
        runs = self.project.run_in(self.stacks, *arguments, environment=environment)
        for stack, places in self.stacks.items():
            expected = Counter({stack_itself: 1})
            expected[done] += len(places)
            # An update of a cluster leaves its three children as they are.
            expected["unchanged" if done in ("update", "updated") else done] += 3 * len(places)
            assert runs[stack].changes == expected, runs[stack].output

    def is_previewed(self, talos: Mapping[Place, str]) -> None:
        self.run("preview", done="create", stack_itself="create")
        text = "\n".join(self.project.outputs_seen)
        assert "warning" not in text, text
        for place in self.places:
            assert talos[place] in text
            assert place.account.client.state.find(CLUSTER, place.cluster) is None

    def comes_up(self, talos: Mapping[Place, str]) -> dict[Place, set[str]]:
        self.run("up", "--yes", "--skip-preview", done="created", stack_itself="created")
        for stack, places in self.stacks.items():
            outputs = self.project.outputs(stack)
            for place in places:
                roles = [node["role"] for node in outputs[place.resource]["nodes"]]
                assert roles == ["controlplane"] + ["worker"] * self.workers
                assert outputs[place.resource]["talosVersion"].removeprefix("v") == talos[place]
                assert outputs[f"{place.resource}Kubeconfig"] == "[secret]"
        names = {place.cluster for place in self.places}
        for account in self.accounts:
            there = {cluster.id for cluster in account.client.state.list(CLUSTER)} & names
            assert there == {place.cluster for place in self.places if place.account is account}
        return self.nodes()

    def changes(self) -> dict[Place, set[str]]:
        self.run("up", "--yes", "--skip-preview", done="updated", stack_itself="unchanged")
        return self.nodes()

    def nodes(self) -> dict[Place, set[str]]:
        """The machines of the clusters, all of which are ready; none is used twice, and all were free before."""
        found = {}
        for stack, places in self.stacks.items():
            outputs = self.project.outputs(stack)
            for place in places:
                assert outputs[place.resource]["ready"] is True
                found[place] = {node["id"] for node in outputs[place.resource]["nodes"]}
                assert found[place] <= set(place.account.free)
        machines = [machine for nodes in found.values() for machine in nodes]
        assert len(machines) == len(set(machines))
        return found

    def has_nothing_to_do(self) -> None:
        """Neither an `up`, which asks nobody, nor a refresh finds a difference."""
        apart = [account.simulator for account in self.accounts if account.inputs and account.simulator]
        with lookout() as (endpoint, knocks):
            for simulator in apart:
                simulator.faults.unavailable = ALL_CALLS
            self.run(
                *("up", "--yes", "--skip-preview", "--debug"),
                done="unchanged",
                stack_itself="unchanged",
                environment={"OMNI_ENDPOINT": endpoint},
            )
            calls = [ALL_CALLS - simulator.faults.unavailable for simulator in apart]
            assert (knocks, sum(calls)) == ([], 0), "check or diff called Omni although nothing had changed"
        for simulator in apart:
            simulator.faults.unavailable = 0
        self.run("refresh", "--yes", "--skip-preview", done="unchanged", stack_itself="unchanged")

    def no_secret_is_stored(self) -> None:
        """Search all that Pulumi wrote and printed for the keys, their parts, and the clusters' credentials."""
        text = self.project.stored_text()
        for account in self.accounts:
            no_key_in(text, account.key)
        for stack, places in self.stacks.items():
            outputs = self.project.outputs(stack, show_secrets=True)
            for place in places:
                assert place.cluster in text
                (user,) = yaml.safe_load(outputs[f"{place.resource}Kubeconfig"])["users"]
                assert user["user"]["token"]
                assert user["user"]["token"] not in text

    def goes(self) -> None:
        """Each stack's clusters go with it, and no others."""
        left = list(self.places)
        for stack, places in self.stacks.items():
            gone = self.project.destroy("--stack", stack)
            assert gone.changes == {"deleted": 4 * len(places) + 1}, gone.output
            left = [place for place in left if place not in places]
            for place in self.places:
                state = place.account.client.state
                assert (state.find(CLUSTER, place.cluster) is not None) == (place in left)
                assert any(node.cluster == place.cluster for node in state.list(MACHINE_SET_NODE)) == (place in left)


def no_key_in(text: str, key: str) -> None:
    """Search for a service account key, and for every line of the private key inside it."""
    armoured = json.loads(base64.b64decode(key))["pgp_key"]
    lines = [line for line in armoured.splitlines() if len(line) > 20 and not line.startswith(("-----", "Comment: "))]
    assert lines
    for secret in (key, *lines):
        assert secret not in text


@contextmanager
def lookout() -> Iterator[tuple[str, list[str]]]:
    """An endpoint that answers nobody, and who has knocked there."""
    knocks: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                knocks.append(f"{address}")
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"grpc://127.0.0.1:{server.getsockname()[1]}", knocks
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
