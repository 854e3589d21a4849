"""What `preview` lets pass is not refused by the server, and machines and versions are those that it names.

Hypothesis makes the machines, the clusters of one program in their order, and a change of each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ksail_pulumi.errors import NotEnoughMachinesError
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.model.parse import InvalidCluster, parse_cluster
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, MACHINE_CLASS, MACHINE_SET_NODE, Resource
from ksail_pulumi.plan.reservations import Earlier
from ksail_pulumi.simulator.machines import MachineSetup
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

if TYPE_CHECKING:
    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.plan.findings import Findings

CLASS = "large"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSIONS = re.compile(r"Talos (\S+), Kubernetes (\S+)")

SETUPS = st.builds(
    MachineSetup,
    talos_version=st.sampled_from(["1.12.11", "1.13.6", "1.13.8"]),
    installed=st.booleans(),
    cores=st.sampled_from([2, 8]),
    memory_gib=st.sampled_from([4, 64]),
    disk_gb=st.sampled_from([53, 2000]),
    arch=st.sampled_from(["amd64", "arm64"]),
    labels=st.dictionaries(st.sampled_from(["zone", "gpu"]), st.sampled_from(["a", "b", ""]), max_size=2),
)


def mostly(good: list[Any], bad: list[Any]) -> st.SearchStrategy[Any]:
    """One of the good values, and a bad one once in a while: a cluster with one never gets far."""
    return st.one_of(*[st.sampled_from(good)] * 15, st.sampled_from(bad))


SELECTORS = mostly(
    [
        "zone",
        "!zone",
        "zone = a",
        "zone != a, gpu",
        "zone in (a, b)",
        "omni.sidero.dev/cores > 4",
        "omni.sidero.dev/mem >= 8GiB",
        "omni.sidero.dev/storage > 1TB",
        "omni.sidero.dev/arch = arm64",
        "a = x y",
    ],
    ["a,", "zone ~ b"],
)
PATCHES = mostly(
    [
        {"machine": {"sysctls": {"vm.overcommit_memory": "1"}}},
        {"machine": {"install": {"disk": "/dev/vda"}}},
        {"cluster": {"allowSchedulingOnControlPlanes": True}},
        "machine:\n  time:\n    bootTimeout: 2m\n",
        "apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\n",
    ],
    [
        {"machine": {"sysctls": {"vm.overcommit_memory": 1}}},
        {"machine": {"install": {"wipe": "yes"}}},
        {"machine": {"nosuchfield": True}},
        {"cluster": {"id": "x"}},
        {"version": "v1alpha1"},
        {"$patch": "delete"},
        "machine:\n  a: 1\n  a: 2\n",
        "machine:\n  time:\n    bootTimeout: 5\n",
        "apiVersion: v1alpha1\nkind: Nonesuch\n",
        "",
    ],
)
NAMED_PATCHES = st.lists(
    st.fixed_dictionaries({"name": mostly(["p", "q"], ["a/b", "x" * 200]), "inline": PATCHES}), max_size=1
)
LABELS = mostly(
    [{}, {"a": "1"}, {"example.com/b": "1", "a": ""}],
    [{"omni.sidero.dev/c": "1"}, {"d e": "1"}, {"": "1"}, {f"label-{number}": "" for number in range(300)}],
)
MANIFESTS = mostly(
    [
        {"name": "m", "mode": "full", "inline": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}},
        {"name": "n", "mode": "one-time", "inline": "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"},
    ],
    [
        {"name": "m", "mode": "one-time", "inline": {"apiVersion": "v1", "metadata": {"name": "a"}}},
        {"name": "m n", "mode": "full", "inline": "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"},
    ],
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def machine_sets(counts: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    allocation = st.fixed_dictionaries({"name": mostly([CLASS], ["none"]), "size": counts})
    members = st.one_of(
        st.fixed_dictionaries({"count": counts}, optional={"selector": SELECTORS}),
        st.fixed_dictionaries({"machineClass": allocation}),
        st.fixed_dictionaries({"machines": st.lists(mostly([0, 1, 2, 3], [8]), min_size=1, max_size=2, unique=True)}),
    )
    more = some(labels=LABELS, patches=NAMED_PATCHES)
    return st.tuples(members, more).map(lambda made: {**made[1], **made[0]})


WORKERS = some(
    updateStrategy=st.just({"rolling": {"maxParallelism": 2}}),
    upgradeStrategy=st.just({"type": "Rolling", "rolling": {"maxParallelism": 1}}),
)
CLUSTERS = st.tuples(
    machine_sets(st.sampled_from([1, 1, 2, 3])),
    st.lists(st.tuples(machine_sets(st.integers(0, 3)), WORKERS).map(lambda made: made[0] | made[1]), max_size=2),
    some(
        talosVersion=mostly(["1.12.11", "1.13.6", "1.13.8", "v1.13.8"], ["1.99.0"]),
        kubernetesVersion=mostly(["1.34.8", "1.35.7"], ["1.33.9", "1.36.3", "1.99.0"]),
        labels=LABELS,
        annotations=LABELS,
        patches=NAMED_PATCHES,
        systemExtensions=mostly([["siderolabs/gvisor"]], [["siderolabs/none"]]),
        features=st.sampled_from([{"diskEncryption": True}, {"enableWorkloadProxy": True}]),
        backup=mostly([{"interval": "1h"}], [{"interval": "1s"}]),
        manifests=st.lists(MANIFESTS, max_size=1),
        locked=st.booleans(),
    ),
).map(
    lambda made: {
        **made[2],
        "controlPlane": made[0],
        "workers": [{"name": f"w{index}", **each} for index, each in enumerate(made[1])],
        "waitFor": "none",
    }
)
CHANGED = st.sets(st.sampled_from(["controlPlane", "workers", "kubernetesVersion", "labels", "patches", "manifests"]))


def changed(made: tuple[dict[str, Any], dict[str, Any], set[str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A cluster, and the same with some inputs of another one."""
    first, other, keys = made
    return first, {**first, **{key: other[key] for key in keys if key in other}}


PROGRAMS = st.lists(st.tuples(CLUSTERS, CLUSTERS, CHANGED).map(changed), min_size=1, max_size=3)


class Program:
    """Clusters that are declared one after the other, in an Omni of their own."""

    def __init__(self, omni: Simulator) -> None:
        self._omni = omni
        self._client = connect(Connection(omni.endpoint, omni.service_account_key))
        self._machines = sorted(machine.id for machine in omni.machines)
        self._earlier: list[Earlier] = []
        spec = specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/cores > 4"])
        self._client.state.create(Resource(MACHINE_CLASS, CLASS, spec))

    def run(self, name: str, first: dict[str, Any], second: dict[str, Any]) -> None:
        lab = Lab(self._client, name)
        if (spec := self._spec(name, first)) is None:
            return
        found = preview(spec, None, lab.mark, self._client, earlier=self._earlier)
        if found.failures:
            return
        self._earlier.append(Earlier(spec))
        outputs = self._done(lab, found, lambda: lab.create(**self._given(first)))
        if outputs is None or (changed := self._spec(name, second)) is None:
            return
        found = preview(changed, spec, lab.mark, self._client, earlier=self._earlier[:-1])
        if not found.failures:
            self._earlier[-1] = Earlier(changed)
            self._done(lab, found, lambda: lab.update(outputs, **self._given(second)))

    def _done(self, lab: Lab, found: Findings, work: Any) -> Any:
        try:
            outputs = work()
        except NotEnoughMachinesError:
            if not any("not enough available machines" in line for line in found.warnings):
                raise
            return None
        nodes = {node.id for node in self._client.state.list(MACHINE_SET_NODE) if node.cluster == lab.name}
        for line in found.forecasts:
            if " gets " in line and not found.warnings:
                assert set(_UUID.findall(line)) <= nodes, line
            if versions := _VERSIONS.match(line):
                cluster = self._client.state.get(CLUSTER, lab.name).spec
                assert versions.groups() == (cluster.talos_version, cluster.kubernetes_version)
        return outputs

    def _spec(self, name: str, inputs: dict[str, Any]) -> ClusterSpec | None:
        try:
            return parse_cluster({"name": name, **self._given(inputs)})
        except InvalidCluster:
            return None

    def _given(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs with the IDs of the machines that they name by number; there is no machine of the last number."""
        known = [*self._machines, "00000000-0000-4000-8000-000000000000"]

        def named(machine_set: dict[str, Any]) -> dict[str, Any]:
            if "machines" not in machine_set:
                return machine_set
            return {**machine_set, "machines": [known[min(each, len(known) - 1)] for each in machine_set["machines"]]}

        return {
            **inputs,
            "controlPlane": named(inputs["controlPlane"]),
            "workers": [named(each) for each in inputs["workers"]],
        }

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module", autouse=True)
def _only_with_the_simulator(omni_endpoint: str) -> None:
    if omni_endpoint:
        pytest.skip("makes a hundred Omnis")


@given(st.lists(SETUPS, min_size=3, max_size=8), PROGRAMS)
def keeps_its_promises(setups: list[MachineSetup], program: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    with Simulator(machines=setups) as omni:
        clusters = Program(omni)
        for index, (first, second) in enumerate(program):
            clusters.run(f"c{index}", first, second)
        clusters.close()


def test_what_a_preview_lets_pass_is_taken_by_the_server() -> None:
    settings(max_examples=10)(keeps_its_promises)()


@pytest.mark.sweep
def test_what_many_previews_let_pass_is_taken_by_the_server() -> None:
    settings(max_examples=150)(keeps_its_promises)()
