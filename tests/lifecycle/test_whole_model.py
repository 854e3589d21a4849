"""Every input of a cluster, from its spec to the resources on the server and back in `read`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest

from ksail_pulumi.errors import LifecycleError
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

Needs = Callable[[int], list[str]]
PATCH = {"name": "p", "inline": {"machine": {"sysctls": {"net.core.somaxconn": "1024"}}}}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "check"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}}},
}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}


def whole(machine: str) -> dict[str, Any]:
    """Inputs of every kind; `machine` is one that is named."""
    return {
        "workers": [
            {
                "count": 1,
                "updateStrategy": {"rolling": {"maxParallelism": 2}},
                "deleteStrategy": {"type": "Rolling"},
                "upgradeStrategy": {"type": "Rolling", "rolling": {"maxParallelism": 1}},
            },
            {"name": "named", "machines": [machine], "kernelArgs": ["set=1"], "systemExtensions": []},
        ],
        "machines": {machine: {"install": {"disk": "/dev/vda"}, "labels": {"rack": "1"}, "patches": [PATCH]}},
        "features": {"enableWorkloadProxy": True},
        "backup": {"interval": "2h"},
        "manifests": [{"name": "settings", "mode": "one-time", "inline": [CONFIG_MAP]}],
        "healthChecks": [{"name": "check", "job": JOB, "interval": "30s"}],
        "kernelArgs": ["console=ttyS0"],
        "labels": {"env": "test"},
        "annotations": {"note": "made by a test"},
    }


def test_every_input_reaches_the_server_and_comes_back(lab: Lab, needs: Needs) -> None:
    inputs = whole(needs(3)[-1])
    created = lab.create(**inputs)

    read = lab.read(created)

    assert read is not None
    assert read.to_wire() == created.to_wire()
    spec = lab.spec(**inputs)
    assert preview(spec, spec, lab.mark, lab.client) == Findings(fields=ANY)


def test_a_changed_field_writes_just_the_resources_it_stands_for(lab: Lab, needs: Needs, simulator: Simulator) -> None:
    machine = needs(3)[-1]
    inputs = whole(machine)
    outputs = lab.create(**inputs)

    def written(**changes: Any) -> list[tuple[str, str]]:
        nonlocal outputs, inputs
        start = len(simulator.store.audit)
        inputs = {**inputs, **changes}
        outputs = lab.update(outputs, **inputs)
        # Whether a teardown is followed by a destroy of ours or of Omni's own is a race, and all the same.
        return [(entry.verb, entry.id) for entry in simulator.store.audit[start:] if entry.verb != "destroy"]

    name = lab.name
    assert written(backup=None) == [("update", name)]
    assert written(manifests=[{"name": "settings", "mode": "full", "inline": [CONFIG_MAP]}]) == [
        ("update", f"200-cluster-{name}-settings")
    ]
    assert written(healthChecks=[]) == [("teardown", f"cluster-{name}-check")]
    assert written(machines={machine: {"labels": {"rack": "2"}, "patches": [PATCH]}}) == [
        ("update", machine),
        ("teardown", f"000-cm-{machine}-install-disk"),
    ]
    assert written(machines={machine: {"labels": {"rack": "2"}, "patches": [PATCH], "kernelArgs": ["own=1"]}}) == [
        ("update", machine)
    ]


def test_locks_come_last_and_hold_until_they_are_taken_off(lab: Lab, needs: Needs) -> None:
    machine = needs(2)[-1]
    workers = [{"machines": [machine]}]
    locked = lab.create(workers=workers, machines={machine: {"locked": True, "patches": [PATCH]}}, locked=True)
    assert locked.ready
    assert omni.ANNOTATION_LOCKED in lab.of(omni.MACHINE_SET_NODE)[machine].annotations
    cluster = lab.client.state.get(omni.CLUSTER, lab.name)
    assert omni.ANNOTATION_CLUSTER_LOCKED in cluster.annotations

    with pytest.raises(LifecycleError, match="is locked and cannot be changed"):
        lab.update(locked, workers=workers, labels={"env": "test"})

    free = lab.update(locked, workers=workers, machines={machine: {"locked": False}}, locked=False)
    assert free.ready
    assert not lab.of(omni.CONFIG_PATCH)
    assert omni.ANNOTATION_LOCKED not in lab.of(omni.MACHINE_SET_NODE)[machine].annotations


def test_what_others_add_stays_until_ownership_is_exclusive(lab: Lab, needs: Needs) -> None:
    needs(1)
    additive = lab.create()
    data = specs_pb2.ConfigPatchSpec(data="machine:\n  sysctls:\n    net.core.somaxconn: '512'\n")
    foreign = Resource(omni.CONFIG_PATCH, f"{lab.name}-by-hand", data, {omni.LABEL_CLUSTER: lab.name})
    lab.client.state.create(foreign)

    labelled = lab.update(additive, labels={"env": "test"})
    assert foreign.id in lab.of(omni.CONFIG_PATCH)

    exclusive = lab.spec(labels={"env": "test"}, ownership="exclusive")
    told = preview(exclusive, lab.spec(labels={"env": "test"}), lab.mark, lab.client).forecasts
    assert any(foreign.id in line and "(ownership: exclusive)" in line for line in told)
    lab.update(labelled, labels={"env": "test"}, ownership="exclusive")
    assert foreign.id not in lab.of(omni.CONFIG_PATCH)


def test_kernel_arguments_stay_with_a_machine_that_leaves(lab: Lab, needs: Needs) -> None:
    machine = needs(2)[-1]
    outputs = lab.create(workers=[{"machines": [machine]}], kernelArgs=["a=b"])
    assert lab.mark.owns(lab.client.state.get(omni.KERNEL_ARGS, machine))

    lab.update(outputs, workers=[{"machines": []}], kernelArgs=["a=b"])

    left = lab.client.state.get(omni.KERNEL_ARGS, machine)
    assert list(left.spec.args) == ["a=b"]
    assert not lab.mark.owns(left)
    lab.client.state.teardown(omni.KERNEL_ARGS, machine)
