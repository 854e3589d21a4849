"""What stands in the state, and what `diff` reads out of it without a call."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ksail_pulumi.lifecycle.credentials import expires_at, renewal_due
from ksail_pulumi.lifecycle.outputs import ClusterNode, ClusterOutputs, inputs_in, reached

NOW = datetime(2026, 11, 24, tzinfo=UTC)
INPUTS = {"name": "c1", "controlPlane": {"count": 1}, "kubeconfig": {"user": "ops"}, "talosconfig": True}


def kubeconfig(*, ends: timedelta, began: timedelta | None = None) -> str:
    claims = {"exp": int((NOW + ends).timestamp())}
    if began is not None:
        claims["iat"] = int((NOW - began).timestamp())
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"users:\n- name: local-c1\n  user:\n    token: eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmF0dXJl\n"


def test_inputs_survive_the_way_through_the_state() -> None:
    outputs = ClusterOutputs("c1", INPUTS, "uuid", "RUNNING", True)
    wire = json.loads(json.dumps(outputs.to_wire()))
    assert inputs_in(wire | {"__provider": "pickle", "kubeconfig": "of an earlier release"}) == INPUTS


def test_nodes_are_plain_json() -> None:
    node: ClusterNode = {
        "id": "m1",
        "hostname": "talos-1",
        "role": "worker",
        "set": "c1-workers",
        "stage": "RUNNING",
        "addresses": ["10.0.0.1"],
    }
    wire = ClusterOutputs("c1", INPUTS, nodes=(node,)).to_wire()
    assert wire["nodes"] == [
        {
            "id": "m1",
            "hostname": "talos-1",
            "role": "worker",
            "set": "c1-workers",
            "stage": "RUNNING",
            "addresses": ["10.0.0.1"],
        }
    ]
    assert "kubeconfig" not in wire


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({"ready": True, "phase": "RUNNING"}, True),
        ({"ready": False, "phase": "RUNNING"}, False),
        ({"ready": False, "phase": "RUNNING", "waitFor": "running"}, True),
        ({"ready": False, "phase": "SCALING_UP", "waitFor": "running"}, False),
        ({"ready": False, "phase": "UNKNOWN", "waitFor": "none"}, True),
    ],
)
def test_reached_is_measured_by_what_was_waited_for(wire: dict, expected: bool) -> None:
    assert reached(wire) is expected


def test_a_kubeconfig_says_when_it_ends() -> None:
    assert expires_at(kubeconfig(ends=timedelta(days=3))) == NOW + timedelta(days=3)
    assert expires_at("users: [{user: {token: opaque}}]") is None
    assert expires_at("") is None


@pytest.mark.parametrize(
    ("ends", "began", "options", "due"),
    [
        (timedelta(days=29), timedelta(days=1), {}, False),
        (timedelta(days=6), timedelta(days=24), {}, True),  # the last week
        (timedelta(hours=20), timedelta(hours=4), {}, False),  # of a day, a quarter
        (timedelta(hours=5), timedelta(hours=19), {}, True),
        (timedelta(hours=-1), timedelta(hours=25), {}, True),
        (timedelta(days=6), timedelta(days=24), {"renewBefore": "24h"}, False),
        (timedelta(hours=23), timedelta(days=29), {"renewBefore": "24h"}, True),
        (timedelta(hours=20), timedelta(hours=4), {"renewBefore": "168h"}, False),  # longer than its whole life
        (timedelta(days=6), None, {}, True),
    ],
)
def test_renewal_comes_due_within_renew_before(
    ends: timedelta, began: timedelta | None, options: dict[str, str], due: bool
) -> None:
    assert renewal_due(kubeconfig(ends=ends, began=began), options, NOW) is due


def test_a_kubeconfig_without_a_dated_token_is_left_alone() -> None:
    assert not renewal_due("users: []", None, NOW)
    assert not renewal_due("", {}, NOW)


def test_what_diff_needs_is_light_to_import() -> None:
    code = (
        "import sys\n"
        "from ksail_pulumi.lifecycle import credentials, outputs\n"
        "credentials.renewal_due('', None)\n"
        "heavy = {'grpc', 'pydantic', 'google.protobuf', 'pulumi', 'yaml'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
