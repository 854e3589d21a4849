"""Whatever users do, in whatever order: in the end everything is what it ought to be, and all say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource

VERBS = ("create", "delete", "add", "remove", "patch", "talos", "kubernetes", "lock", "unlock", "extensions", "kernel")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.sampled_from(("a", "b")),
        st.integers(0, 5),
        st.sampled_from((0.0, 0.02, 0.15, 0.6, 3.0, 17.0, 60.0)),
    ),
    min_size=4,
    max_size=16,
)


class User:
    """Writes what Omni would accept, and leaves out what it would refuse."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab

    def do(self, verb: str, cluster: str, number: int) -> None:
        getattr(self, f"_{verb}")(cluster, number)

    def _alive(self, cluster: str) -> bool:
        found = self.lab.find(omni.CLUSTER, cluster)
        return found is not None and not found.tearing_down

    def _unused(self, number: int) -> bool:
        return self.lab.find(omni.MACHINE_SET_NODE, self.lab.ids[number]) is None

    def _create(self, cluster: str, number: int) -> None:
        if self.lab.find(omni.CLUSTER, cluster) is None:
            free = [item for index, item in enumerate(self.lab.ids) if self._unused(index)]
            if len(free) >= 2:
                self.lab.cluster(cluster, control_planes=free[:1], workers=free[1 : 2 + number % 2])

    def _delete(self, cluster: str, number: int) -> None:
        if self._alive(cluster):
            self.lab.tear_down(omni.CLUSTER, cluster)

    def _add(self, cluster: str, number: int) -> None:
        machine_set = self.lab.find(omni.MACHINE_SET, f"{cluster}-workers")
        if self._alive(cluster) and machine_set is not None and not machine_set.tearing_down and self._unused(number):
            self.lab.node(cluster, "workers", self.lab.ids[number])

    def _remove(self, cluster: str, number: int) -> None:
        node = self.lab.find(omni.MACHINE_SET_NODE, self.lab.ids[number])
        if node is not None and omni.LABEL_WORKER in node.labels and not node.annotations and not node.tearing_down:
            self.lab.tear_down(omni.MACHINE_SET_NODE, node.id)

    def _patch(self, cluster: str, number: int) -> None:
        if self._alive(cluster):
            self.lab.patch(f"200-{cluster}", f"machine: {{a: {number}}}", cluster=cluster)

    def _talos(self, cluster: str, number: int) -> None:
        status = self.lab.find(omni.TALOS_UPGRADE_STATUS, cluster)
        if self._alive(cluster) and status is not None and status.spec.phase == 2:
            version = ("1.13.6", "1.13.7", "1.13.8")[number % 3]
            self.lab.change(omni.CLUSTER, cluster, lambda spec: setattr(spec, "talos_version", version))

    def _kubernetes(self, cluster: str, number: int) -> None:
        status = self.lab.find(omni.KUBERNETES_UPGRADE_STATUS, cluster)
        if self._alive(cluster) and status is None:
            version = ("1.35.6", "1.35.7", "1.36.2")[number % 3]
            self.lab.change(omni.CLUSTER, cluster, lambda spec: setattr(spec, "kubernetes_version", version))
        if self._alive(cluster) and status is not None and status.spec.phase == 2:
            choices = [*status.spec.upgrade_versions]
            if choices:
                version = choices[number % len(choices)]
                self.lab.change(omni.CLUSTER, cluster, lambda spec: setattr(spec, "kubernetes_version", version))

    def _lock(self, cluster: str, number: int) -> None:
        self._annotate(number, {omni.ANNOTATION_LOCKED: ""})

    def _unlock(self, cluster: str, number: int) -> None:
        self._annotate(number, {})

    def _annotate(self, number: int, annotations: dict[str, str]) -> None:
        node = self.lab.find(omni.MACHINE_SET_NODE, self.lab.ids[number])
        if node is not None and omni.LABEL_WORKER in node.labels and not node.tearing_down:
            self.lab.annotate(omni.MACHINE_SET_NODE, node.id, annotations)

    def _extensions(self, cluster: str, number: int) -> None:
        name = f"schematic-{cluster}"
        current = self.lab.find(omni.EXTENSIONS_CONFIGURATION, name)
        if current is not None and not current.tearing_down:
            self.lab.tear_down(omni.EXTENSIONS_CONFIGURATION, name)
        elif current is None and self._alive(cluster):
            spec = specs_pb2.ExtensionsConfigurationSpec(extensions=["gvisor"])
            labels = {omni.LABEL_CLUSTER: cluster}
            self.lab.store.create(Resource(omni.EXTENSIONS_CONFIGURATION, name, spec, labels))

    def _kernel(self, cluster: str, number: int) -> None:
        machine = self.lab.ids[number]
        if self.lab.find(omni.KERNEL_ARGS, machine) is None:
            spec = specs_pb2.KernelArgsSpec(args=["foo=bar"])
            self.lab.store.create(Resource(omni.KERNEL_ARGS, machine, spec))
        else:
            self.lab.tear_down(omni.KERNEL_ARGS, machine)


@settings(
    max_examples=settings.default.max_examples // 2,  # each takes a tenth of a second
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=st.sampled_from((0.05, 1.0, 20.0, 50.0)), steps=STEPS)
def test_in_the_end_everything_is_consistent(
    make_lab: Callable[[], Any], first: float, steps: list[tuple[str, str, int, float]]
) -> None:
    lab = make_lab()
    user = User(lab)
    user.do("create", "a", 1)
    lab.run(first)
    for verb, cluster, number, pause in steps:
        user.do(verb, cluster, number)
        lab.run(pause)
    for node in lab.list(omni.MACHINE_SET_NODE):
        if not node.tearing_down:
            lab.annotate(omni.MACHINE_SET_NODE, node.id, {})
    lab.run(900)

    nodes = {node.id: node for node in lab.list(omni.MACHINE_SET_NODE)}
    members = {member.id: member.cluster for member in lab.list(omni.CLUSTER_MACHINE)}
    assert members == {node.id: node.cluster for node in nodes.values()}
    assert lab.free() == set(lab.ids) - set(nodes)
    for machine in lab.machines:
        assert not machine.doing
        assert machine.maintenance == (machine.id not in nodes)
    for cluster in ("a", "b"):
        if lab.find(omni.CLUSTER, cluster) is None:
            assert lab.leftovers(cluster) == []
        else:
            assert lab.is_ready(cluster)
    quiet = len(lab.events)
    lab.run(600)
    assert len(lab.events) == quiet
