"""Add-ons, from the inputs to the objects in Kubernetes and back."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ksail_pulumi.addons.marks import ANNOTATION_ADDON
from ksail_pulumi.addons.patches import APPROVER_VERSION, addon_patch_id, addon_patches
from ksail_pulumi.errors import CancelledError, LifecycleError
from ksail_pulumi.lifecycle.preview import preview
from ksail_pulumi.lifecycle.upstream import cache_file
from ksail_pulumi.model.addons import VERSIONS
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.client import Client
from ksail_pulumi.omni.resources import (
    ANNOTATION_NAME,
    CONFIG_PATCH,
    KUBERNETES_MANIFEST_GROUP,
    LABEL_CLUSTER,
    LABEL_SYSTEM_PATCH,
    Resource,
)
from ksail_pulumi.plan.findings import Findings
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.problems import InvalidCluster
from ksail_pulumi.simulator.kubernetes_objects import TALOS, Key
from ksail_pulumi.simulator.server import Simulator
from tests.published import fill_cache, manifest, serving
from tests.sweeps import sample

from .conftest import Lab

Needs = Callable[[int], list[str]]


def patches(lab: Lab) -> dict[str, str]:
    """The text of the patches that users made, by their ID without what the cluster's name adds."""
    return {
        each.id.replace(f"cluster-{lab.name}-", ""): each.spec.data
        for each in lab.of(CONFIG_PATCH).values()
        if LABEL_SYSTEM_PATCH not in each.labels and not each.owner
    }


def written(simulator: Simulator, since: int) -> list[tuple[str, str, str]]:
    """What a user wrote; a resource that is torn down is destroyed by whoever comes first, him or Omni."""
    entries = [each for each in simulator.store.audit[since:] if each.verb != "destroy"]
    return [(each.verb, each.type.split(".")[0], each.id) for each in entries]


@pytest.fixture(autouse=True)
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_cache(tmp_path, monkeypatch)


def groups(lab: Lab) -> list[str]:
    return sorted(each.replace(f"cluster-{lab.name}-component-", "") for each in lab.of(KUBERNETES_MANIFEST_GROUP))


def staying(addon: str, name: str = "") -> list[str]:
    """The groups that stay when an add-on is removed whose manifest has this name."""
    name = name or addon
    return [f"100-{addon}-definition-things.{name}.example.org", f"100-{addon}-namespace-{name}"]


def config(simulator: Simulator, lab: Lab, name: str, namespace: str = "") -> Any:
    """The settings of an add-on in Kubernetes; None if they are not there."""
    found = simulator.kubernetes(lab.name).get(Key("", "ConfigMap", namespace or name, name))
    return None if found is None else found["data"].get("version")


def definition(simulator: Simulator, lab: Lab, name: str) -> Any:
    key = Key("apiextensions.k8s.io", "CustomResourceDefinition", "", f"things.{name}.example.org")
    found = simulator.kubernetes(lab.name).get(key)
    return None if found is None else found["metadata"]["labels"]["version"]


def until(met: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


METRICS = [f"100-metrics-server-namespace-{name}" for name in ("kubelet-serving-cert-approver", "metrics-server")]


def test_add_ons_come_change_and_go(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "living")
    before = {"certManager": {"version": "1.20.0"}, "metricsServer": {"version": "0.8.1"}, "policyEngine": "kyverno"}
    first = lab.create(addons={**before, "cni": "cilium"})
    assert sorted(patches(lab)) == ["100-component-cni", "100-component-metrics-server"]
    assert "anifest" not in patches(lab)["100-component-metrics-server"]
    assert groups(lab) == [
        *staying("cert-manager"),
        *staying("kyverno"),
        *METRICS,
        "110-cert-manager",
        "110-kyverno",
        "110-metrics-server",
    ]
    versions = {name: config(simulator, lab, name) for name in ("cert-manager", "metrics-server", "kyverno")}
    assert versions == {"cert-manager": "v1.20.0", "metrics-server": "v0.8.1", "kyverno": f"v{VERSIONS['kyverno']}"}
    assert config(simulator, lab, "kubelet-serving-cert-approver") == f"v{APPROVER_VERSION}"

    after = {"certManager": {"version": "1.20.2"}, "metricsServer": {"version": VERSIONS["metrics-server"]}}
    mark = len(simulator.store.audit)
    second = lab.update(first, addons={**after, "cni": "cilium", "policyEngine": "kyverno"})
    assert config(simulator, lab, "cert-manager") == "v1.20.2"
    assert definition(simulator, lab, "cert-manager") == "v1.20.2"
    assert config(simulator, lab, "metrics-server") == f"v{VERSIONS['metrics-server']}"
    assert {id_.split("component-")[1] for _, _, id_ in written(simulator, mark)} == {
        "cert-manager",
        "metrics-server",
        *(each.removeprefix("100-") for each in staying("cert-manager") + METRICS),
    }

    third = lab.update(second, addons={"cni": "cilium"})
    assert groups(lab) == [*staying("cert-manager"), *staying("kyverno"), *METRICS]
    assert sorted(patches(lab)) == ["100-component-cni"]
    until(lambda: config(simulator, lab, "cert-manager") is None)
    until(lambda: config(simulator, lab, "metrics-server") is None)
    assert definition(simulator, lab, "cert-manager") == "v1.20.2"
    read = lab.read(third)
    assert read is not None
    assert read.inputs == third.inputs

    lab.update(third, addons={"cni": "cilium"}, onUpdate={"customResourceDefinitions": "delete"})
    assert groups(lab) == []
    until(lambda: definition(simulator, lab, "cert-manager") is None)


OTHERS: dict[str, tuple[Any, Any, str, str]] = {
    "gatekeeper": ("policyEngine", {"name": "gatekeeper"}, "gatekeeper", "gatekeeper"),
    "flux": ("gitOpsEngine", {"name": "flux"}, "flux", "flux"),
    "argocd": ("gitOpsEngine", {"name": "argocd"}, "argocd", "argocd"),
}


@pytest.mark.parametrize("name", sample(OTHERS))
def test_each_of_the_others_is_added_changed_and_removed(name: str, simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, name)
    field_name, addon, settings, namespace = OTHERS[name]
    first = lab.create()
    second = lab.update(first, addons={field_name: addon})
    assert config(simulator, lab, settings, namespace) == f"v{VERSIONS[name]}"
    own = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "own", "namespace": "default"}, "data": {}}
    third = lab.update(second, addons={field_name: {**addon, "inline": own}})
    namespace = "default"
    assert simulator.kubernetes(lab.name).get(Key("", "ConfigMap", namespace, "own"))
    read = lab.read(third)
    assert read is not None
    assert read.inputs == third.inputs
    lab.update(third, addons={})
    assert groups(lab) == staying(name)
    until(lambda: simulator.kubernetes(lab.name).get(Key("", "ConfigMap", namespace, "own")) is None)


@pytest.mark.sweep
def test_storage_is_added_changed_and_removed(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "stored")
    deployment = Key("apps", "Deployment", "local-path-storage", "local-path-provisioner")

    def image() -> str:
        found = simulator.kubernetes(lab.name).get(deployment)
        return "" if found is None else found["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":v")[2]

    first = lab.create(addons={"csi": {"name": "local-path", "version": "0.0.36"}})
    assert image() == "0.0.36"
    second = lab.update(first, addons={"csi": {"name": "local-path", "version": "0.0.37"}})
    assert image() == "0.0.37"
    lab.update(second, addons={})
    assert groups(lab) == ["100-local-path-namespace-local-path-storage"]
    until(lambda: not image())


SOURCE = {"url": "oci://ghcr.io/org/apps", "username": "bot", "password": "s3cret-token"}


def test_a_gitops_engine_gets_its_source(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "sourced")
    kinds = [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "names": {"kind": kind, "plural": plural}, "versions": [{"name": version}]},
        }
        for group, kind, plural, version in (
            ("source.toolkit.fluxcd.io", "OCIRepository", "ocirepositories", "v1"),
            ("source.toolkit.fluxcd.io", "GitRepository", "gitrepositories", "v1"),
            ("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", "v1"),
        )
    ]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flux", "namespace": "flux-system"}}
    flux = {"name": "flux", "inline": [*kinds, namespace, account]}
    first = lab.create(addons={"gitOpsEngine": {**flux, "source": SOURCE}})
    kubernetes = simulator.kubernetes(lab.name)
    secret = kubernetes.get(Key("", "Secret", "flux-system", "flux-system"))
    assert secret is not None
    login = {"username": "bot", "password": "s3cret-token"}
    assert json.loads(secret["stringData"][".dockerconfigjson"]) == {"auths": {"ghcr.io": login}}
    origin = kubernetes.get(Key("source.toolkit.fluxcd.io", "OCIRepository", "flux-system", "flux-system"))
    assert origin is not None
    assert origin["spec"]["ref"] == {"tag": "latest"}
    for each in (*lab.of(KUBERNETES_MANIFEST_GROUP).values(), *lab.told):
        assert "s3cret" not in str(getattr(each, "annotations", each))
    read = lab.read(first)
    assert read is not None
    assert read.inputs == first.inputs

    git = {"url": "https://github.com/org/apps", "revision": "prod", "path": "./clusters/west"}
    lab.update(first, addons={"gitOpsEngine": {**flux, "source": git}})
    repository = kubernetes.get(Key("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "flux-system"))
    assert repository is not None
    assert repository["spec"]["ref"] == {"branch": "prod"}
    until(lambda: kubernetes.get(Key("", "Secret", "flux-system", "flux-system")) is None)


def test_a_cluster_of_the_release_before_moves_over_without_losing_objects(simulator: Simulator, omni: Client) -> None:
    """Talos has created the objects, and has them in its inventory, out of which Omni takes nothing."""
    lab = Lab(omni, "moving")
    with serving({"/cert-manager.yaml": manifest("cert-manager", "1.20.0")}) as url:
        asked = {
            "certManager": {"url": f"{url}/cert-manager.yaml"},
            "csi": "local-path",
            "metricsServer": {"url": f"{url}/cert-manager.yaml"},
        }
        spec = lab.spec(addons=asked)
        old = lab.create()
        for patch in addon_patches(spec.addons, began="1.13.8", groups=False):
            marks = {ANNOTATION_NAME: patch.name, ANNOTATION_ADDON: patch.annotation, **lab.mark.annotations()}
            spec_of = specs_pb2.ConfigPatchSpec(data=patch.text)
            patch_id = addon_patch_id(lab.name, patch.field)
            omni.state.create(Resource(CONFIG_PATCH, patch_id, spec_of, {LABEL_CLUSTER: lab.name}, marks))
        kubernetes = simulator.kubernetes(lab.name)
        storage = Key("storage.k8s.io", "StorageClass", "", "local-path")
        until(lambda: kubernetes.get(storage) is not None and config(simulator, lab, "cert-manager") is not None)
        kubernetes.patch(storage, {"metadata": {"labels": {"by": "hand"}}})
        gone: list[str] = []
        delete = kubernetes.delete
        kubernetes.delete = lambda key: (gone.append(str(key)), delete(key))[1]  # type: ignore[method-assign]

        state = {**old.to_wire(), "components": asked}
        outputs = lab.update(state, addons=asked)
    assert outputs.ready
    assert gone == []
    assert sorted(patches(lab)) == ["100-component-metrics-server"]
    found = kubernetes.get(storage)
    assert found is not None
    assert found["metadata"]["labels"] == {"by": "hand"}
    assert found["metadata"]["annotations"]["config.k8s.io/owning-inventory"] == "omni-user-inventory"
    assert storage.entry not in kubernetes.listed(TALOS)
    assert any(line.startswith("taking over ") for line in lab.told)


def test_a_manifest_is_fetched_once_and_pinned_by_its_checksum(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "pinned")
    pages = {"/a.yaml": manifest("own", "1")}
    with serving(pages) as url:
        asked = {"certManager": {"url": f"{url}/a.yaml"}}
        first = lab.create(addons=asked)
        checksums = [hashlib.sha256(each.encode()).hexdigest() for each in (f"{url}/a.yaml", pages["/a.yaml"])]
        assert first.checksums == dict([checksums])
        pages["/a.yaml"] = manifest("own", "2")
        second = lab.update(first, addons=asked, features={"enableWorkloadProxy": True})  # nothing is fetched
        assert second.checksums == first.checksums

        omni.state.teardown(KUBERNETES_MANIFEST_GROUP, "110-cluster-pinned-component-cert-manager")
        until(lambda: groups(lab) == staying("cert-manager", "own"))
        third = lab.update(second, addons=asked)  # from the cache
        assert config(simulator, lab, "own") == "v1"
        cache_file(f"{url}/a.yaml").unlink()
        omni.state.teardown(KUBERNETES_MANIFEST_GROUP, "110-cluster-pinned-component-cert-manager")
        until(lambda: groups(lab) == staying("cert-manager", "own"))
        with pytest.raises(InvalidCluster) as raised:
            lab.update(third, addons=asked)
    assert str(raised.value).startswith(
        "addons.certManager.url: the manifest at this address has changed since it was first installed (SHA-256 "
    )


def test_a_takeover_leaves_add_ons_as_they_are_and_the_next_fetch_is_pinned(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "adopted")
    pages = {"/a.yaml": manifest("own", "1")}
    with serving(pages) as url:
        asked = {"certManager": {"url": f"{url}/a.yaml"}}
        lab.create(addons=asked)
        pages["/a.yaml"] = manifest("own", "2")
        lab.mark = OwnershipMark("org/test/dev/other")
        taken = lab.create(adopt=True, addons=asked)  # nothing is fetched
        assert (taken.checksums, config(simulator, lab, "own")) == ({}, "v1")
        assert preview(lab.spec(addons=asked), lab.spec(addons=asked), lab.mark, omni) == Findings()

        cache_file(f"{url}/a.yaml").unlink()
        omni.state.teardown(KUBERNETES_MANIFEST_GROUP, "110-cluster-adopted-component-cert-manager")
        until(lambda: groups(lab) == staying("cert-manager", "own"))
        checksum = hashlib.sha256(pages["/a.yaml"].encode()).hexdigest()
        assert list(lab.update(taken, addons=asked).checksums.values()) == [checksum]


def test_what_cannot_be_fetched_is_said_by_preview_and_up_alike(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "unfetched")
    remedy = "Give the manifest as `file` or `inline` if this machine cannot reach that address"
    with serving({"/empty.yaml": "# nothing"}) as url:
        cases = {
            f"{url}/missing.yaml": f"cannot be fetched: the answer has the HTTP status 404. {remedy}",
            f"{url}/empty.yaml": "has no Kubernetes objects",
            "http://127.0.0.1:1/a.yaml": f"cannot be fetched: Connection refused. {remedy}",
            "https://nowhere.invalid/a.yaml": (
                f"cannot be fetched: the name of its host is not known here (no network?). {remedy}"
            ),
        }
        for address, reason in cases.items():
            asked = {"certManager": {"url": address}}
            text = f"addons.certManager.url: the manifest at this address {reason}"
            assert [str(each) for each in preview(lab.spec(addons=asked), None, lab.mark, omni).failures] == [text]
            with pytest.raises(InvalidCluster) as raised:
                lab.create(addons=asked)
            assert str(raised.value) == text
    asked = {"certManager": {"version": "0.0.1"}}
    (failure,) = preview(lab.spec(addons=asked), None, lab.mark, omni).failures
    assert str(failure).startswith(
        "addons.certManager: its manifest at https://github.com/cert-manager/cert-manager/releases/download/v0.0.1/"
        "cert-manager.yaml cannot be fetched: "
    )
    assert groups(lab) == []


def test_a_preview_says_what_it_could_not_verify(simulator: Simulator, omni: Client, monkeypatch: Any) -> None:
    lab = Lab(omni, "slow")
    monkeypatch.setattr("ksail_pulumi.lifecycle.preview._FETCH_SECONDS", 0.0)
    with serving({"/a.yaml": manifest("own", "1")}) as url:
        found = preview(lab.spec(addons={"certManager": {"url": f"{url}/a.yaml"}}), None, lab.mark, omni)
    assert found.warnings == (
        "addons.certManager: its manifest was not fetched within 0 s, so it is not verified that it can be; "
        "`pulumi up` waits longer",
    )
    assert found.failures == ()


def test_a_version_left_out_stays_what_the_cluster_has(lab: Lab, needs: Needs) -> None:
    needs(1)
    first = lab.create(addons={"certManager": {"version": "1.20.0"}})
    before = groups(lab)
    second = lab.update(first, addons={"certManager": True})

    assert groups(lab) == before
    read = lab.read(second)
    assert read is not None
    assert read.inputs["addons"] == {"certManager": True}


def test_a_refresh_shows_by_component_what_somebody_did(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "drifted")
    asked = {"certManager": True, "csi": "local-path", "cni": "flannel", "metricsServer": True}
    first = lab.create(addons=asked)
    prefix = "110-cluster-drifted-component-"

    omni.state.teardown(KUBERNETES_MANIFEST_GROUP, f"{prefix}local-path")
    until(lambda: "110-local-path" not in groups(lab))
    gone = lab.read(first)
    assert gone is not None
    assert gone.inputs["addons"] == {"certManager": True, "cni": "flannel", "metricsServer": True}

    def edited(resource: Any) -> Any:
        return replace(resource, spec=specs_pb2.KubernetesManifestGroupSpec(data="kind: A\n", mode=1))

    omni.state.modify(KUBERNETES_MANIFEST_GROUP, f"{prefix}cert-manager", edited)
    changed = lab.read(first)
    assert changed is not None
    assert changed.inputs["addons"] == {"cni": "flannel", "metricsServer": True}
    (shown,) = changed.inputs["manifests"]
    assert shown["name"] == "component-cert-manager"

    again = lab.update(first, addons=asked)
    restored = lab.read(again)
    assert restored is not None
    assert restored.inputs == first.inputs


def test_a_changed_network_plugin_is_synced_once_the_cluster_is_ready(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "synced")
    first = lab.create(addons={"cni": {"name": "calico", "version": "3.32.1"}})
    second = lab.update(first, addons={"cni": {"name": "calico", "version": "3.32.2"}})

    assert lab.told[-1] == "syncing the manifests of the add-ons"
    assert omni.management.start_sync_manifests("synced", timeout=10).result() == 0  # nothing is left to sync

    lab.told.clear()
    lab.update(second, addons={"cni": {"name": "calico", "version": "3.32.2"}, "certManager": True})
    assert "syncing the manifests of the add-ons" not in lab.told


def test_a_sync_that_fails_is_told_and_the_update_stands(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "unsynced")
    first = lab.create(addons={"cni": {"name": "calico", "version": "3.32.1"}})
    warnings: list[str] = []

    def cut_the_connection(line: str) -> None:
        if line.startswith("syncing"):
            simulator.faults.unavailable = 50

    lab.on_progress = cut_the_connection
    session = replace(lab.session(), warn=warnings.append)
    assert lab.update(first, session=session, addons={"cni": {"name": "calico", "version": "3.32.2"}}).ready
    (warning,) = warnings
    assert warning.endswith(
        "After you fix this, run `omnictl cluster kubernetes manifest-sync unsynced --dry-run=false`"
    )


def test_the_network_plugin_of_a_running_cluster_is_not_changed(lab: Lab, needs: Needs) -> None:
    needs(1)
    spec = lab.spec(addons={"cni": "cilium"})
    lab.create(addons={"cni": "cilium"})

    def failures(cni: Any) -> list[str]:
        found = preview(lab.spec(addons={"cni": cni} if cni else {}), spec, lab.mark, lab.client)
        return [str(each) for each in found.failures]

    (failure,) = failures("calico")
    assert failure.startswith("addons.cni: the network plugin of a running cluster cannot be changed")
    assert "(cilium -> calico)" in failure
    assert "(cilium -> flannel)" in failures(None)[0]
    assert "how cilium is installed" in failures({"name": "cilium", "url": "https://example.org/cilium.yaml"})[0]
    assert failures({"name": "cilium", "version": "1.19.5"}) == []


def test_an_interrupted_sync_saves_the_cluster(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "interrupted")
    first = lab.create(addons={"cni": {"name": "calico", "version": "3.32.1"}})

    def interrupt(line: str) -> None:
        if line.startswith("syncing"):
            simulator.faults.round_trip = 1.0
            lab.cancelled.set()

    lab.on_progress = interrupt
    with pytest.raises(CancelledError, match="manifest-sync interrupted") as raised:
        lab.update(first, addons={"cni": {"name": "calico", "version": "3.32.2"}})
    assert raised.value.outputs is not None
    assert raised.value.outputs.inputs["addons"] == {"cni": {"name": "calico", "version": "3.32.2"}}


def test_add_ons_that_somebody_changes_between_fetch_and_plan_are_an_error(simulator: Simulator, omni: Client) -> None:
    lab = Lab(omni, "raced")
    first = lab.create(addons={"certManager": True})

    def remove(line: str) -> None:
        if line == "fetching the manifests of add-ons":
            omni.state.teardown(KUBERNETES_MANIFEST_GROUP, "110-cluster-raced-component-cert-manager")
            until(lambda: "110-cert-manager" not in groups(lab))

    lab.on_progress = remove
    with pytest.raises(LifecycleError, match="somebody has changed the add-ons of cluster 'raced' in the meantime"):
        lab.update(first, addons={"certManager": True, "policyEngine": "kyverno"})


def test_a_manifest_that_does_not_come_ends_with_the_deadline(
    simulator: Simulator, omni: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(omni, "late")
    release = threading.Event()
    monkeypatch.setattr("ksail_pulumi.lifecycle.upstream._obtained", lambda *_: release.wait(60) and "")
    with pytest.raises(InvalidCluster, match=r"addons\.certManager: its manifest was not fetched in time"):
        lab.create(session=lab.session(seconds=2), addons={"certManager": True})
    lab.cancelled.set()
    with pytest.raises(CancelledError, match="fetching the manifests of add-ons was interrupted"):
        lab.create(addons={"certManager": True})
    release.set()
