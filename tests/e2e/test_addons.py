"""Add-ons of a cluster with the real `pulumi` command."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.addons.marks import installed_addons
from ksail_pulumi.model.addons import FIELDS, VERSIONS
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import (
    CLUSTER_KUBERNETES_MANIFESTS_STATUS,
    CONFIG_PATCH,
    KUBERNETES_MANIFEST_GROUP,
    LABEL_CLUSTER,
)
from ksail_pulumi.simulator.kubernetes_objects import Key
from tests.e2e.project import need
from tests.published import manifest, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project


Status = specs_pb2.ClusterKubernetesManifestsStatusSpec

pytestmark = pytest.mark.usefixtures("published")


def ask(project: Project, name: str, **more: Any) -> None:
    project.clusters({"web": {"name": name, **more}})


def groups(omni: Client, name: str) -> set[str]:
    """The groups of manifests of the add-ons, without what the cluster's name adds."""
    found = omni.state.list(KUBERNETES_MANIFEST_GROUP, {LABEL_CLUSTER: name})
    return {each.annotations["name"].removeprefix("component-") for each in found}


def test_an_add_on_comes_changes_and_goes(
    project: Project, omni: Client, simulator: Simulator, name: str, free_machines: list[str]
) -> None:
    need(free_machines, 1)
    pages = {"/own.yaml": manifest("own", "1")}
    with serving(pages) as url:
        ask(project, name, addons={"cert_manager": {"version": "1.20.0"}, "policy_engine": own(f"{url}/own.yaml")})
        project.init()
        assert "add-ons: cert-manager 1.20.0, kyverno from " in project.run("up", "--yes").output
        names = {"cert-manager": "cert-manager", "kyverno": "own"}
        staying = {f"{addon}-definition-things.{each}.example.org" for addon, each in names.items()}
        staying |= {f"{addon}-namespace-{each}" for addon, each in names.items()}
        assert groups(omni, name) == {"cert-manager", "kyverno", *staying}
        checksums = hashlib.sha256(pages["/own.yaml"].encode()).hexdigest()
        assert checksums in project.run("stack", "export").output
        project.preview("--expect-no-changes")

        ask(project, name, addons={"cert_manager": {"version": "1.21.2"}})
        changed = project.run("up", "--yes").output
    assert "cert-manager 1.20.0 -> 1.21.2: Omni applies it to the cluster" in changed
    assert "Omni deletes its objects; its custom resource definitions and namespaces stay" in changed
    assert "warning" not in changed
    assert groups(omni, name) == {"cert-manager", *staying}
    found = simulator.kubernetes(name).get(Key("", "ConfigMap", "cert-manager", "cert-manager"))
    assert found is not None
    assert found["data"] == {"version": "v1.21.2"}
    assert project.refresh().changes == {"unchanged": 5}


def own(url: str) -> dict[str, str]:
    return {"name": "kyverno", "url": url}


@pytest.mark.sweep
def test_components_are_turned_on_changed_and_off(
    project: Project, omni: Client, name: str, free_machines: list[str]
) -> None:
    need(free_machines, 1)
    password = {"url": "https://github.com/org/apps", "username": "bot", "password": "s3cret-token"}
    rest: dict[str, Any] = {"metrics_server": True, "csi": "local-path", "cni": "cilium"}

    ask(project, name, addons={**rest, "cert_manager": {"version": "1.20.0"}, "policy_engine": "gatekeeper"})
    project.init()
    assert "cilium 1.20.2, metrics-server 0.9.0, cert-manager 1.20.0" in project.run("up", "--yes").output
    assert project.refresh().changes == {"unchanged": 5}

    ask(project, name, addons={"cni": "calico", "cert_manager": True})
    refused = project.preview(fails=True)
    assert "cannot be changed (cilium -> calico)" in refused.output

    ask(project, name, addons={**rest, "cert_manager": {"version": "1.21.2"}, "git_ops_engine": "flux"})
    changed = project.run("up", "--yes").output
    assert "adds flux 2.9.6: Omni applies it to the cluster, without a reboot" in changed
    assert "removes gatekeeper 3.23.1: Omni deletes its objects" in changed

    ask(project, name, addons={"cni": "cilium", "git_ops_engine": {"name": "flux", "inline": FLUX, "source": password}})
    output = project.run("up", "--yes").output
    state = project.run("stack", "export").output
    assert "s3cret" not in output
    assert "s3cret" not in state
    assert project.refresh().changes == {"unchanged": 5}

    ask(project, name, addons={"cni": "cilium"}, on_update={"custom_resource_definitions": "delete"})
    assert "deletes the custom resource definitions and namespaces of cert-manager" in project.run("up", "--yes").output
    assert groups(omni, name) == set()
    patches = {each.annotations.get("name") for each in omni.state.list(CONFIG_PATCH) if name in each.id}
    assert {each for each in patches if each and each.startswith("component-")} == {"component-cni"}
    project.preview("--expect-no-changes")


FORMER = {
    "metrics-server": "0.8.1",
    "cert-manager": "1.20.0",
    "kyverno": "1.18.2",
    "gatekeeper": "3.22.0",
    "flux": "2.9.0",
    "argocd": "3.4.0",
    "local-path": "0.0.36",
}


@pytest.mark.sweep
def test_each_add_on_comes_changes_and_goes(
    project: Project, omni: Client, simulator: Simulator, name: str, free_machines: list[str]
) -> None:
    need(free_machines, 2)
    project.init()
    for versions in (FORMER, {each: VERSIONS[each] for each in FIELDS}):
        asked = catalogue(versions)
        project.clusters({f"c{index}": {"name": f"{name}-{index}", "addons": each} for index, each in enumerate(asked)})
        project.up()
        found: dict[str, str] = {}
        for index in range(len(asked)):
            cluster = f"{name}-{index}"
            resources = omni.state.list(KUBERNETES_MANIFEST_GROUP, {LABEL_CLUSTER: cluster})
            found |= {each.name: each.version for each in installed_addons(resources)}
            assert applied(omni, cluster) == {each.id for each in resources}
            for addon in asked[index].values():
                assert version_in_kubernetes(simulator, cluster, addon["name"]) == addon["version"]
        assert found == versions

    project.clusters({f"c{index}": {"name": f"{name}-{index}"} for index in range(len(asked))})
    project.up()
    for index, addons in enumerate(asked):
        cluster = f"{name}-{index}"
        kept = {each.id for each in omni.state.list(KUBERNETES_MANIFEST_GROUP, {LABEL_CLUSTER: cluster})}
        wait_until(lambda cluster=cluster, kept=kept: set(manifests_status(omni, cluster).groups) == kept)
        assert applied(omni, cluster) == kept
        assert all("-definition-" in each or "-namespace-" in each for each in kept)
        assert {version_in_kubernetes(simulator, cluster, each["name"]) for each in addons.values()} == {None}

    project.destroy()
    assert not [each for each in omni.state.list(CLUSTER_KUBERNETES_MANIFESTS_STATUS) if each.id.startswith(name)]


def catalogue(versions: dict[str, str]) -> list[dict[str, Any]]:
    """The inputs `addons` of clusters that have all add-ons together: some of them exclude each other."""
    asked: list[dict[str, Any]] = [{}, {}]
    for addon, field in FIELDS.items():
        next(each for each in asked if field not in each)[field] = {"name": addon, "version": versions[addon]}
    return asked


def manifests_status(omni: Client, cluster: str) -> Any:
    return omni.state.get(CLUSTER_KUBERNETES_MANIFESTS_STATUS, cluster).spec


def applied(omni: Client, cluster: str) -> set[str]:
    """The groups in Omni's status of a cluster: all of them are applied, with all of their objects."""
    status = manifests_status(omni, cluster)
    assert (status.last_error, status.out_of_sync) == ("", 0)
    for group in status.groups.values():
        assert group.phase == Status.GroupStatus.APPLIED
        assert {each.phase for each in group.manifests.values()} == {Status.ManifestStatus.APPLIED}
    return set(status.groups)


def version_in_kubernetes(simulator: Simulator, cluster: str, addon: str) -> str | None:
    """The version of an add-on that its objects show; None without objects."""
    if addon == "local-path":
        key = Key("apps", "Deployment", "local-path-storage", "local-path-provisioner")
        found = simulator.kubernetes(cluster).get(key)
        image = found["spec"]["template"]["spec"]["containers"][0]["image"] if found else None
        return image.rpartition(":v")[2] if image else None
    found = simulator.kubernetes(cluster).get(Key("", "ConfigMap", addon, addon))
    return found["data"]["version"].removeprefix("v") if found else None


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def definition(kind: str, plural: str, group: str) -> dict[str, Any]:
    names, versions = {"kind": kind, "plural": plural}, [{"name": "v1"}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "versions": versions},
    }


FLUX = [
    definition("GitRepository", "gitrepositories", "source.toolkit.fluxcd.io"),
    definition("Kustomization", "kustomizations", "kustomize.toolkit.fluxcd.io"),
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flux", "namespace": "flux-system"}},
]
