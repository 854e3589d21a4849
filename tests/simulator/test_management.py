"""Kubeconfigs, talosconfigs and the audit log, in the form in which a real Omni gives them."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.empty_pb2 import Empty

from ksail_pulumi.omni.api import management_pb2, resource_pb2, specs_pb2, state_pb2
from ksail_pulumi.omni.resources import CONFIG_PATCH, LABEL_CLUSTER
from ksail_pulumi.simulator.server import Simulator


def kubeconfig(caller: Any, **fields: Any) -> Any:
    ttl = fields.pop("ttl", None)
    request = management_pb2.KubeconfigRequest(**fields)
    if ttl is not None:
        request.service_account_ttl.FromTimedelta(ttl)
    return yaml.safe_load(caller.call("Kubeconfig", request, {"context": "rf1"}).kubeconfig)


def test_a_service_account_kubeconfig_has_a_token_and_no_certificates(caller: Any, lab: Any, still: Simulator) -> None:
    config = kubeconfig(
        caller,
        service_account=True,
        service_account_user="ksail",
        service_account_groups=["system:masters"],
        ttl=timedelta(hours=1),
    )
    name = "local-rf1-ksail"
    token = config["users"][0]["user"].pop("token")
    assert config == {
        "apiVersion": "v1",
        "clusters": [{"cluster": {"server": still.kubernetes_url}, "name": name}],
        "contexts": [{"context": {"cluster": name, "namespace": "default", "user": name}, "name": name}],
        "current-context": name,
        "kind": "Config",
        "users": [{"name": name, "user": {}}],
    }
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["groups"] == ["system:masters"]
    assert 3590 < claims["exp"] - time.time() <= 3600


def test_two_kubeconfigs_have_different_tokens(caller: Any, lab: Any) -> None:
    fields = {"service_account": True, "service_account_user": "u"}
    first = kubeconfig(caller, **fields, ttl=timedelta(hours=1))
    second = kubeconfig(caller, **fields, ttl=timedelta(hours=2))
    assert first["users"] != second["users"]


@pytest.mark.parametrize(("grant_type", "extra"), [("", []), ("authcode-keyboard", ["--grant-type=authcode-keyboard"])])
def test_an_oidc_kubeconfig_logs_in(still: Simulator, caller: Any, lab: Any, grant_type: str, extra: list[str]) -> None:
    config = kubeconfig(caller, grant_type=grant_type)
    assert config["current-context"] == "local-rf1"
    (user,) = config["users"]
    assert user["name"] == "local-rf1-automation@serviceaccount.omni.sidero.dev"
    assert user["user"]["exec"]["args"] == [
        "oidc-login",
        "get-token",
        f"--oidc-issuer-url={still.endpoint}/oidc",
        "--oidc-client-id=native",
        "--oidc-extra-scope=cluster:rf1",
        *extra,
    ]


def test_a_talosconfig_names_the_cluster(still: Simulator, caller: Any) -> None:
    reply = caller.call("Talosconfig", management_pb2.TalosconfigRequest(), {"context": "rf1"})
    assert reply.talosconfig.decode() == (
        "context: local-rf1\n"
        "contexts:\n"
        "    local-rf1:\n"
        "        endpoints:\n"
        f"            - {still.endpoint}\n"
        "        auth:\n"
        "            siderov1:\n"
        "                identity: automation@serviceaccount.omni.sidero.dev\n"
        "        cluster: rf1\n"
    )


def test_a_talosconfig_for_all_clusters_names_none(caller: Any) -> None:
    config = yaml.safe_load(caller.call("Talosconfig", management_pb2.TalosconfigRequest()).talosconfig)
    assert config["context"] == "local"
    assert "cluster" not in config["contexts"]["local"]


def test_an_omniconfig_names_the_endpoint(still: Simulator, caller: Any) -> None:
    config = yaml.safe_load(caller.call("Omniconfig", Empty()).omniconfig)
    assert config["contexts"]["local"]["url"] == still.endpoint


def patch(name: str, cluster: str, text: str = "debug: true\n", **metadata: Any) -> resource_pb2.Resource:
    found = resource_pb2.Metadata(
        namespace="default", type=CONFIG_PATCH.name, id=name, version="undefined", phase="running", **metadata
    )
    found.labels[LABEL_CLUSTER] = cluster
    spec = specs_pb2.ConfigPatchSpec(data=text).SerializeToString()
    return resource_pb2.Resource(metadata=found, spec=resource_pb2.Spec(proto_spec=spec))


def entries(caller: Any, **fields: Any) -> list[dict[str, Any]]:
    stream = caller.stream("ReadAuditLog", management_pb2.ReadAuditLogRequest(**fields))
    return [json.loads(reply.audit_log) for reply in stream]


def test_the_audit_log_can_be_filtered(still: Simulator, caller: Any) -> None:
    for name, cluster in (("p1", "a"), ("p2", "b")):
        caller.create(patch(name, cluster))
    for _ in range(2):  # the second one changes nothing, so it is no write
        caller.call("Teardown", state_pb2.TeardownRequest(namespace="default", type=CONFIG_PATCH.name, id="p2"))

    def rows(**fields: Any) -> list[tuple[str, str]]:
        found = entries(caller, **fields)
        return [(row["event_type"], row["resource_id"]) for row in found if row["event_type"] != "audit_log_access"]

    assert rows() == [("create", "p1"), ("create", "p2"), ("teardown", "p2")]
    assert rows(cluster_id="b") == [("create", "p2"), ("teardown", "p2")]
    assert rows(resource_id="p1", event_type=1) == [("create", "p1")]
    assert rows(resource_type=CONFIG_PATCH.name, event_type=5) == [("teardown", "p2")]
    assert rows(resource_type="ConfigPatches") == rows(actor="automation") == []  # only whole names match
    assert rows(order_by_field=4, order_by_dir=2)[-1] == ("create", "p1")
    assert rows(search="debug: tr") == rows()
    now = int(still.clock.now().timestamp() * 1000)
    assert rows(start_ts_ms=now, start_time="1999-01-01") == rows()  # the clock stands still
    assert rows(start_ts_ms=now + 1) == []
    today = still.clock.now().date()
    first, last = (str(today + timedelta(days=days)) for days in (0, 1))
    assert rows(start_time=first, end_time=first) == []  # the end is left out
    assert rows(start_time=last) == rows(end_time=first) == []
    assert len(rows(start_time=first, end_time=last)) == 3


def test_the_audit_log_has_changes_of_specs_and_who_made_them(still: Simulator, caller: Any) -> None:
    version = caller.create(patch("p1", "a", finalizers=["held"])).resource.metadata.version
    for text, note in (("debug: true\n", "only metadata"), ("debug: false\n", "")):
        wanted = patch("p1", "a", text, finalizers=["held"])
        wanted.metadata.annotations["note"] = note
        wanted.metadata.version = version
        version = caller.call("Update", state_pb2.UpdateRequest(new_resource=wanted)).resource.metadata.version
    caller.call("Teardown", state_pb2.TeardownRequest(namespace="default", type=CONFIG_PATCH.name, id="p1"))
    still.store.edit(CONFIG_PATCH, "p1", lambda found: replace(found, finalizers=()))
    still.store.destroy(CONFIG_PATCH, "p1")

    found = entries(caller)
    assert [row["event_type"] for row in found] == ["create", "update", "teardown", "destroy"]
    assert found[1]["event_data"]["config_patch"]["data"] == "debug: false\n"
    user = {"user_agent", "user_id", "role", "email", "fingerprint"}
    assert [set(row["event_data"]["session"]) for row in found] == [user, user, user, {"user_agent"}]
    assert found[-1]["event_data"] == {
        "config_patch": {"id": "p1"},
        "session": {"user_agent": "Omni-Internal-Agent"},
    }
    (reading,) = entries(caller, event_type=8)  # that of the first reading; it has no resource
    assert "resource_type" not in reading


@pytest.mark.parametrize("role", ["None", "Reader", "Operator"])
def test_only_auditors_and_admins_read_the_audit_log(still: Simulator, make_caller: Any, role: str) -> None:
    caller = make_caller(still.endpoint, still.issue_key("somebody", role=role))
    with pytest.raises(grpc.RpcError) as refused:
        entries(caller)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.details() == f'unauthorized: role "{role}" is not one of the allowed roles [Auditor Admin]'
    assert entries(make_caller(still.endpoint, still.issue_key("auditor", role="Auditor"))) == []


def log_of(caller: Any, machine: str, tail: int) -> list[dict[str, Any]]:
    request = management_pb2.MachineLogsRequest(machine_id=machine, tail_lines=tail)
    return [json.loads(data.bytes) for data in caller.stream("MachineLogs", request)]


def test_a_machine_has_a_log_in_the_form_of_talos(make_caller: Any) -> None:
    with Simulator(machines=1) as omni:
        read_logs_of(omni.machines[0].id, make_caller(omni.endpoint, omni.issue_key("reader", role="Reader")))
        nobody = make_caller(omni.endpoint, omni.issue_key("nobody", role="None"))
        with pytest.raises(grpc.RpcError) as refused:
            log_of(nobody, omni.machines[0].id, 1)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def read_logs_of(machine: str, caller: Any) -> None:
    whole = log_of(caller, machine, -1)
    assert whole[0]["msg"].startswith("Command line: siderolink.api=")
    assert {"msg", "talos-level", "talos-time"} <= set(whole[-1])
    assert [line["msg"] for line in log_of(caller, machine, 2)] == [line["msg"] for line in whole[-2:]]
    assert log_of(caller, machine, 0) == []
    assert log_of(caller, "unknown", 5) == []
    with pytest.raises(grpc.RpcError, match="machine id is required"):
        log_of(caller, "", 5)
