"""The life of a cluster on each API version of Omni, and what the older ones lack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, CONFIG_PATCH, MACHINE_INSTALL_DISK_CONFIG
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab

MANIFEST = {"name": "m", "mode": "full", "inline": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}}
CHECK = {"name": "h", "job": {"apiVersion": "batch/v1", "kind": "Job"}}
MODERN = {"manifests": [MANIFEST], "healthChecks": [CHECK]}


@pytest.fixture(params=[1, 2, 3])
def api(request: Any) -> int:
    return int(request.param)


@pytest.fixture
def old_lab(api: int) -> Iterator[Lab]:
    with Simulator(machines=3, api_version=api) as omni:
        yield Lab(connect(Connection(omni.endpoint, omni.service_account_key)), "west")


def refused(lab: Lab, **inputs: Any) -> dict[str, str]:
    found = preview(lab.spec(**inputs), None, lab.mark, lab.client)
    return {problem.field: problem.reason for problem in found.failures}


def test_what_an_older_omni_lacks_is_refused_with_the_version_that_has_it(old_lab: Lab, api: int) -> None:
    expected = {
        "manifests": "this Omni (v1.4.9) does not support manifests: Omni 1.7 or newer does",
        "healthChecks": "this Omni (v1.4.9) does not support health checks: Omni 1.9 or newer does",
    }
    assert refused(old_lab, **MODERN) == (expected if api == 1 else {})


def test_a_disk_selector_needs_api_version_3(old_lab: Lab, api: int) -> None:
    machine = sorted(old_lab.available())[0]
    asked = {"machines": {machine: {"install": {"diskSelector": "disk.size > 1u"}}}}
    found = refused(old_lab, controlPlane={"machines": [machine]}, **asked)
    assert bool(found) == (api < 3)
    assert all("need API version 3" in reason for reason in found.values())


def test_a_cluster_lives_on_each_api_version(old_lab: Lab, api: int) -> None:
    machine = sorted(old_lab.available())[0]
    more = MODERN if api > 1 else {}
    inputs = {
        "controlPlane": {"machines": [machine]},
        "machines": {machine: {"install": {"disk": "/dev/vda"}}},
        **more,
    }
    assert refused(old_lab, **inputs) == {}
    made = old_lab.create(**inputs)
    patched = any("install-disk" in name for name in old_lab.of(CONFIG_PATCH))
    assert patched == (api < 3)
    if api >= 3:
        assert old_lab.client.state.find(MACHINE_INSTALL_DISK_CONFIG, machine) is not None
    old_lab.update(made, **inputs, workers=1)
    assert len(old_lab.machines("workers")) == 1
    old_lab.delete()
    assert old_lab.client.state.find(CLUSTER, "west") is None
