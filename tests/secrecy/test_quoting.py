"""What Omni and Talos write into statuses passes through the gate, whatever makes a text of it."""

from __future__ import annotations

from typing import Any

import pytest

from ksail_pulumi.lifecycle.waiting.diagnosis import Awaited, diagnose
from ksail_pulumi.lifecycle.waiting.goal import Goal
from ksail_pulumi.lifecycle.waiting.progress import describe, describe_deletion
from ksail_pulumi.lifecycle.waiting.view import ClusterView
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.redaction import Gate, behind
from tests.secrecy.positions import canary

CLUSTER = "west"
SET = {omni.LABEL_CLUSTER: CLUSTER, omni.LABEL_MACHINE_SET: "west-workers", omni.LABEL_CONNECTED: ""}
TALOS, KUBERNETES = specs_pb2.TalosUpgradeStatusSpec, specs_pb2.KubernetesUpgradeStatusSpec


def machine_status(text: str) -> specs_pb2.MachineStatusSpec:
    spec = specs_pb2.MachineStatusSpec(last_error=text)
    spec.diagnostics.add(id="a", message=text)
    return spec


STATUSES: dict[str, Any] = {
    "a machine set": lambda text: Resource(
        omni.MACHINE_SET_STATUS, "west-workers", specs_pb2.MachineSetStatusSpec(phase=4, error=text), SET
    ),
    "a machine's configuration": lambda text: Resource(
        omni.CLUSTER_MACHINE_STATUS,
        "m1",
        specs_pb2.ClusterMachineStatusSpec(
            config_apply_status=specs_pb2.ConfigApplyStatus.FAILED, last_config_error=text
        ),
        SET,
    ),
    "a failed upgrade of Talos": lambda text: Resource(
        omni.TALOS_UPGRADE_STATUS, CLUSTER, TALOS(phase=TALOS.Phase.Failed, error=text, status=text, step=text)
    ),
    "an upgrade of Talos": lambda text: Resource(
        omni.TALOS_UPGRADE_STATUS, CLUSTER, TALOS(phase=TALOS.Phase.Upgrading, status=text, step=text)
    ),
    "a failed upgrade of Kubernetes": lambda text: Resource(
        omni.KUBERNETES_UPGRADE_STATUS, CLUSTER, KUBERNETES(phase=KUBERNETES.Phase.Failed, error=text, status=text)
    ),
    "an upgrade of Kubernetes": lambda text: Resource(
        omni.KUBERNETES_UPGRADE_STATUS, CLUSTER, KUBERNETES(phase=KUBERNETES.Phase.Upgrading, status=text, step=text)
    ),
    "a deletion": lambda text: Resource(omni.CLUSTER_DESTROY_STATUS, CLUSTER, specs_pb2.DestroyStatusSpec(phase=text)),
    "a machine": lambda text: Resource(omni.MACHINE_STATUS, "m1", machine_status(text)),
}
GOAL = Goal(cluster=CLUSTER, wait_for="ready", sets={}, talos_version="1.13.8", kubernetes_version="1.36.3")


def told(status: Resource) -> str:
    view = ClusterView(CLUSTER)
    for each in (
        Resource(omni.CLUSTER, CLUSTER, specs_pb2.ClusterSpec()),
        Resource(omni.CLUSTER_STATUS, CLUSTER, specs_pb2.ClusterStatusSpec(controlplaneReady=True)),
        Resource(omni.CLUSTER_MACHINE_STATUS, "m1", specs_pb2.ClusterMachineStatusSpec(), SET),
        status,
    ):
        view.put(each.type, [each])
    return "\n".join(
        [
            str(diagnose(view, Awaited(control_plane=True))),
            describe(view, GOAL),
            describe_deletion(view),
            *view.failures.values(),
        ]
    )


@pytest.mark.parametrize("status", STATUSES)
def test_what_a_status_quotes_is_taken_out_of_every_text_about_it(status: str) -> None:
    value = canary()
    made = STATUSES[status](f"cannot use {value} here")
    with behind(Gate(private=lambda: [value])):
        text = told(made)
    assert "annot use … here" in text
    assert value not in text
    assert value in told(made)


@pytest.mark.parametrize("status", STATUSES)
def test_what_a_status_quotes_cannot_control_the_terminal(status: str) -> None:
    text = told(STATUSES[status]("cannot \x1b[31muse\x1b[0m\x1b]0;title\x07 it\r\u202ehere"))
    assert "annot use it  here" in text
    assert text.replace("\n", "").isprintable()
