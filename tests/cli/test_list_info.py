from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.lease import finish_creation
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.addons import VERSIONS
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.api.specs_pb2 import KubernetesManifestGroupSpec
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import CLUSTER, KUBERNETES_MANIFEST_GROUP
from ksail_pulumi.plan.ownership import Creation, OwnershipMark
from ksail_pulumi.simulator.server import Simulator
from tests.cli.clusters import use

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    """An Omni with one cluster in it, `shop`."""
    with Simulator(machines=3) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        spec = parse_cluster({"name": "shop", "workers": 2, "addons": {"cni": "cilium", "csi": "local-path"}})
        outputs = create(spec, OwnershipMark("org/web/dev/shop"), Session(client, Deadline.after(600)))
        finish_creation(client, "shop", outputs.creation)
        yield omni


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account)


def test_list_shows_every_cluster(capsys):
    assert main(["list"]) == 0
    title, row = capsys.readouterr().out.splitlines()
    assert title.split() == ["NAME", "PHASE", "READY", "MACHINES", "TALOS", "KUBERNETES", "PULUMI", "RESOURCE"]
    name, phase, ready, machines, *_, owner = row.split()
    assert (name, phase, ready, machines, owner) == ("shop", "RUNNING", "yes", "3/3", "org/web/dev/shop")


def test_an_unfinished_creation_is_shown(account, capsys):
    client = connect(Connection(account.endpoint, account.service_account_key))
    state, creation = client.state, Creation.begin()
    state.modify(CLUSTER, "shop", creation.on)
    assert main(["list"]) == 0
    assert f"org/web/dev/shop (creation not finished, started by {creation.by})" in capsys.readouterr().out
    assert main(["info", "shop"]) == 0
    assert "creation not finished" in capsys.readouterr().out
    finish_creation(client, "shop", creation.run)
    assert main(["list"]) == 0
    assert "not finished" not in capsys.readouterr().out


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_list_for_programs(capsys, form, read):
    assert main(["list", "--output", form]) == 0
    (cluster,) = read(capsys.readouterr().out)
    assert list(cluster)[:3] == ["name", "clusterUuid", "phase"]
    assert cluster["name"] == "shop"
    assert cluster["runningTalosVersion"] == cluster["talosVersion"]


def test_info_shows_a_cluster_and_its_nodes(account, capsys):
    assert main(["info", "shop"]) == 0
    facts, nodes = capsys.readouterr().out.split("\n\n")
    known = dict(line.split(":", 1) for line in facts.splitlines())
    known = {name: value.strip() for name, value in known.items()}
    assert known["Phase"] == "RUNNING"
    assert known["Ready"] == "yes (3 of 3 machines healthy)"
    assert known["Omni"] == account.endpoint
    assert known["Kubernetes API"] == server_of_a_kubeconfig(account)
    assert known["Add-ons"] == f"cilium {VERSIONS['cilium']}, local-path {VERSIONS['local-path']}"
    rows = [line.split() for line in nodes.splitlines()]
    assert [row[1] for row in rows] == ["ROLE", "controlplane", "worker", "worker"]
    assert {row[2] for row in rows[1:]} == {"RUNNING"}


def server_of_a_kubeconfig(account):
    """The URL that the kubeconfig of the resource uses."""
    client = connect(Connection(account.endpoint, account.service_account_key))
    text = client.management.start_kubeconfig("shop", user="u", groups=(), ttl=timedelta(hours=1)).result()
    return yaml.safe_load(text)["clusters"][0]["cluster"]["server"]


def test_a_reader_sees_all_of_info_and_nothing_is_created(account, monkeypatch, capsys):
    written = len(account.store.audit)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.issue_key("onlooker", role="Reader"))
    assert main(["info", "shop"]) == 0
    assert "Kubernetes API:  http://" in capsys.readouterr().out
    assert len(account.store.audit) == written


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_info_for_programs(account, capsys, form, read):
    assert main(["info", "shop", "--output", form]) == 0
    details = read(capsys.readouterr().out)
    assert details["omni"] == account.endpoint
    assert details["kubernetesApi"] == server_of_a_kubeconfig(account)
    assert {node["set"] for node in details["nodes"]} == {"shop-control-planes", "shop-workers"}
    assert all(node["addresses"] for node in details["nodes"])
    assert details["addons"] == [
        {"name": "cilium", "version": VERSIONS["cilium"], "state": ""},
        {"name": "local-path", "version": VERSIONS["local-path"], "state": "APPLIED"},
    ]


def test_info_shows_an_add_on_that_is_not_applied_yet(account, capsys):
    client = connect(Connection(account.endpoint, account.service_account_key))
    group_id = "110-cluster-shop-component-local-path"
    group = client.state.get(KUBERNETES_MANIFEST_GROUP, group_id)
    odd = KubernetesManifestGroupSpec(data="kind: Odd\napiVersion: a/v1\nmetadata: {name: x}\n", mode=1)
    client.state.modify(KUBERNETES_MANIFEST_GROUP, group_id, lambda current: replace(current, spec=odd))
    shown = ""
    while "local-path 0.0.37 (progressing)" not in shown:
        assert main(["info", "shop"]) == 0
        shown = capsys.readouterr().out
    client.state.modify(KUBERNETES_MANIFEST_GROUP, group_id, lambda current: replace(current, spec=group.spec))
    while "(progressing)" in shown:
        assert main(["info", "shop"]) == 0
        shown = capsys.readouterr().out


def test_a_cluster_that_is_not_there_is_a_message(capsys):
    assert main(["info", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("ksail-pulumi: cluster not found: nowhere")


def test_an_account_without_clusters_is_told_in_words(monkeypatch, capsys):
    with Simulator(machines=1) as omni:
        monkeypatch.setenv("OMNI_ENDPOINT", omni.endpoint)
        monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", omni.service_account_key)
        assert main(["list"]) == 0
        assert capsys.readouterr().out == f"{omni.endpoint} has no clusters.\n"
        for form in ("json", "yaml"):
            assert main(["list", "--output", form]) == 0
            assert capsys.readouterr().out == "[]\n"
