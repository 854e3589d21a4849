"""Add-ons as patches: what they contain, and what a preview says about them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.addons.catalogue import published
from ksail_pulumi.addons.marks import ANNOTATION_ADDON
from ksail_pulumi.addons.patches import AddonPatch, addon_patches, intact, recorded
from ksail_pulumi.model.addons import VERSIONS
from ksail_pulumi.model.parse import ClusterSpec, parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2, system_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.findings import Findings, findings
from ksail_pulumi.plan.snapshot import Snapshot
from ksail_pulumi.simulator.validations.talos_config import faults
from tests.plan.builders import CATALOG, MANIFESTS, MARK, assigned, cluster_spec, desired, inputs_of, machine

GOLDEN = Path(__file__).parent / "data" / "components"
URL = "https://example.org/manifest.yaml"
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "default"}}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "cni-none": ({"cni": "none"}, "1.13.8"),
    "cni-cilium": ({"cni": "cilium"}, "1.13.8"),
    "cni-calico": ({"cni": "calico"}, "1.13.8"),
    "cni-by-url": ({"cni": {"name": "calico", "url": URL}}, "1.13.8"),
    "metrics-server": ({"metricsServer": True}, "1.13.8"),
    "metrics-server-by-url": ({"metricsServer": {"url": URL}}, "1.13.8"),
    "cert-manager": ({"certManager": {"version": "1.20.2"}}, "1.13.8"),
    "kyverno": ({"policyEngine": "kyverno"}, "1.13.8"),
    "gatekeeper": ({"policyEngine": "gatekeeper"}, "1.13.8"),
    "flux": ({"gitOpsEngine": "flux"}, "1.13.8"),
    "argocd": ({"gitOpsEngine": "argocd"}, "1.13.8"),
    "argocd-by-url": ({"gitOpsEngine": {"name": "argocd", "url": URL}}, "1.13.8"),
    "local-path": ({"csi": "local-path"}, "1.13.8"),
    "local-path-by-url": ({"csi": {"name": "local-path", "url": URL}}, "1.13.8"),
    "talos-1.14-cni-calico": ({"cni": "calico"}, "1.14.0"),
    "talos-1.14-cni-by-url": ({"cni": {"name": "cilium", "url": URL}}, "1.14.0"),
    "talos-1.14-metrics-server": ({"metricsServer": True}, "1.14.0"),
}
CHOICES: dict[str, list[Any]] = {
    "cni": ["flannel", "none", "cilium", "calico", {"name": "cilium", "url": URL}],
    "metricsServer": [True, {"version": "0.8.1"}, {"url": URL}],
    "certManager": [True, {"url": URL}],
    "policyEngine": ["kyverno", "gatekeeper", {"name": "kyverno", "version": "1.18.2"}],
    "gitOpsEngine": ["flux", "argocd", {"name": "argocd", "url": URL}],
    "csi": ["local-path", {"name": "local-path", "url": URL}],
}
COMPONENTS = st.fixed_dictionaries({}, optional={name: st.sampled_from(each) for name, each in CHOICES.items()})


def patches_of(components: dict[str, Any], began: str = "1.13.8", **options: Any) -> tuple[AddonPatch, ...]:
    """The patches for an Omni without groups of manifests: they have everything."""
    return addon_patches(cluster_spec(addons=components).addons, began=began, groups=False, **options)


def objects_in(patches: tuple[AddonPatch, ...]) -> list[dict[str, Any]]:
    """The Kubernetes objects that stand in patches."""
    documents = [document for patch in patches for document in yaml.safe_load_all(patch.text)]
    inline = [each for document in documents for each in document.get("cluster", {}).get("inlineManifests", ())]
    return [each for manifest in inline for each in yaml.safe_load_all(manifest["contents"])]


@pytest.mark.parametrize("name", CASES)
def test_the_whole_patch_of_a_component_is_this_text(name: str) -> None:
    components, began = CASES[name]
    (patch,) = patches_of(components, began)
    assert patch.text == (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")


def test_every_golden_text_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)


@given(COMPONENTS)
def test_any_combination_makes_patches_that_omni_takes(components: dict[str, Any]) -> None:
    patches = patches_of(components)
    assert [patch.field for patch in patches] == [
        field for field in CHOICES if components.get(field, "flannel") != "flannel"
    ]
    assert [faults(patch.text) for patch in patches] == [[] for _ in patches]


@given(COMPONENTS, st.sampled_from(["1.13.8", "1.14.0"]))
def test_nothing_in_a_combination_has_the_name_of_something_else(components: dict[str, Any], began: str) -> None:
    patches = patches_of(components, began)
    assert len({patch.name for patch in patches}) == len(patches)
    documents = [document for patch in patches for document in yaml.safe_load_all(patch.text)]
    manifests = [each["name"] for each in documents if "name" in each]
    manifests += [
        each["name"] for document in documents for each in document.get("cluster", {}).get("inlineManifests", ())
    ]
    assert len(set(manifests)) == len(manifests)
    objects = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects_in(patches)
    ]
    assert len(set(objects)) == len(objects)


@given(COMPONENTS)
def test_objects_live_where_talos_lets_them(components: dict[str, Any]) -> None:
    objects = objects_in(patches_of(components))
    labels = {
        each["metadata"]["name"]: each["metadata"].get("labels", {}) for each in objects if each["kind"] == "Namespace"
    }
    for each in objects:
        namespace = each["metadata"].get("namespace")
        assert namespace in (None, "kube-system", *labels)
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        if pod.get("hostNetwork") or any("hostPath" in volume for volume in pod.get("volumes", ())):
            free = labels.get(namespace, {}).get("pod-security.kubernetes.io/enforce") == "privileged"
            assert namespace == "kube-system" or free


@given(COMPONENTS)
def test_components_are_read_back_as_they_were_written(components: dict[str, Any]) -> None:
    spec = cluster_spec(addons=components)
    assert inputs_of(desired(spec), mark=MARK, previous=spec) == to_wire(spec)


def test_users_patches_come_after_those_of_components() -> None:
    spec = cluster_spec(addons={"cni": "none"}, patches=[{"name": "mine", "inline": {"machine": {}}}])
    ids = [each.id for each in desired(spec) if each.type == omni.CONFIG_PATCH]
    assert ids == ["100-cluster-prod-component-cni", "200-cluster-prod-mine"]


def test_documents_about_the_control_plane_go_to_it_alone() -> None:
    talos_1_14 = patches_of({"cni": "cilium", "metricsServer": True}, "1.14.0")
    assert [patch.control_plane_only for patch in talos_1_14] == [True, False]
    assert not any(patch.control_plane_only for patch in patches_of({"cni": "cilium", "metricsServer": True}))


def test_another_version_of_what_a_job_installs_is_another_job() -> None:
    names = {
        each["metadata"]["name"]
        for version in ("1.20.1", "1.20.2")
        for each in objects_in(patches_of({"cni": {"name": "cilium", "version": version}}))
        if each["kind"] == "Job"
    }
    assert len(names) == 2


@pytest.mark.parametrize(
    ("version", "definitions"),
    [
        ("3.29.1", []),
        ("3.31.4", ["operator-crds.yaml"]),
        ("3.32.2", ["v1_crd_projectcalico_org.yaml"]),
        ("3.33.0", ["v3_projectcalico_org.yaml"]),
    ],
)
def test_calico_keeps_its_definitions_in_another_file_from_time_to_time(version: str, definitions: list[str]) -> None:
    files = [url.rsplit("/", 1)[1] for url in published("calico", version)]
    assert files == [*definitions, "tigera-operator.yaml"]


def live(spec: ClusterSpec, actual: list[Resource] | None = None) -> list[Resource]:
    return [replace(each, version=1) for each in desired(spec, actual=actual or [])]


def test_a_version_that_is_left_out_stays_what_is_installed() -> None:
    before = live(cluster_spec(addons={"certManager": {"version": "1.20.0"}, "policyEngine": "kyverno"}))

    def versions(components: dict[str, Any]) -> list[str | None]:
        return [patch.addon.version for patch in patches_of(components, actual=before)]

    assert versions({"certManager": True}) == ["1.20.0"]
    assert versions({"certManager": {"version": "1.21.0"}}) == ["1.21.0"]
    assert versions({"policyEngine": "gatekeeper"}) == [VERSIONS["gatekeeper"]]
    assert versions({"certManager": {"url": URL}}) == [None]


@pytest.mark.parametrize("annotation", ["", "not JSON", "[]", '{"name": 5}', '{"version": "1.2.3"}', '"x"', "null"])
def test_an_annotation_that_says_nothing_is_no_trouble(annotation: str) -> None:
    spec = cluster_spec(addons={"cni": "none", "certManager": True})
    odd = [
        each
        if "component" not in each.id
        else replace(each, annotations={**each.annotations, ANNOTATION_ADDON: annotation})
        if "component" in each.id
        else each
        for each in live(spec)
    ]
    assert all(recorded(each) is None and not intact(each) for each in odd)
    wire = inputs_of(odd, mark=MARK, previous=spec)
    assert wire["addons"] == {}
    assert wire["patches"][0]["idOverride"] == "100-cluster-prod-component-cni"
    assert [each["name"] for each in wire["manifests"]] == [
        "component-cert-manager-definition-things.cert-manager.example.org",
        "component-cert-manager-namespace-cert-manager",
        "component-cert-manager",
    ]


def test_an_exported_cluster_keeps_the_patches_of_components_as_its_own() -> None:
    resources = live(cluster_spec(addons={"cni": "cilium", "metricsServer": True, "certManager": True}))
    exported = parse_cluster(inputs_of(resources))
    assert (len(exported.patches or ()), len(exported.manifests or ())) == (2, 6)
    snapshot = Snapshot(resources=resources, talos_versions=CATALOG, bootstrap_status=BOOTSTRAPPED)
    assert findings(exported, snapshot, mark=MARK).failures == ()


# What is told


OLD = cluster_spec(talosVersion="1.13.8", kubernetesVersion="1.36.3")
BOOTSTRAPPED = Resource(
    omni.CLUSTER_BOOTSTRAP_STATUS, "prod", specs_pb2.ClusterBootstrapStatusSpec(bootstrapped=True), {}
)


def told(
    components: dict[str, Any], before: dict[str, Any] | None = None, *, talos: str = "1.13.8", **inputs: Any
) -> Findings:
    """The findings for a cluster with these components, which is new or has had others."""
    versions = {"talosVersion": talos, "kubernetesVersion": "1.36.3" if talos == "1.13.8" else "1.35.7"}
    spec = cluster_spec(addons=components, **versions, **inputs)
    statuses = [machine(number) for number in range(1, 4)]
    if before is None:
        return findings(spec, Snapshot(statuses=statuses, talos_versions=CATALOG), mark=MARK, texts=MANIFESTS)
    old = cluster_spec(addons=before, **versions)
    current = Versions(versions["talosVersion"], versions["kubernetesVersion"])
    resources = [replace(each, version=1) for each in desired(old, versions=current)]
    nodes = [each for each in resources if each.type == omni.MACHINE_SET_NODE]
    held = {each.id for each in nodes}
    snapshot = Snapshot(
        resources=resources,
        statuses=[machine(number, cluster="prod" if machine(number).id in held else "") for number in range(1, 4)],
        nodes=nodes,
        talos_versions=CATALOG,
        bootstrap_status=BOOTSTRAPPED,
    )
    return findings(spec, snapshot, mark=MARK, previous=old, texts=MANIFESTS)


def test_a_new_cluster_is_told_with_its_components() -> None:
    found = told({"cni": "cilium", "certManager": {"url": URL}})
    assert found.forecasts[-1] == f"add-ons: cilium {VERSIONS['cilium']}, cert-manager from {URL}"
    assert found.warnings == ()


def test_without_a_network_plugin_nothing_becomes_ready() -> None:
    (warning,) = told({"cni": "none"}).warnings
    assert warning.startswith("addons.cni is none: no node becomes ready")
    assert told({"cni": "none"}, waitFor="running").warnings == ()
    assert told({"cni": "none"}, before={"cni": "none"}).warnings == ()


def test_changes_of_components_are_told_in_their_own_words() -> None:
    old = {"certManager": {"version": "1.20.0"}}
    removed = f"removes kyverno {VERSIONS['kyverno']}: Omni deletes its objects; its custom resource definitions and "
    inside = "all objects of these kinds and in these namespaces"

    assert told({"certManager": True, "metricsServer": True}, before={"certManager": True}).forecasts == (
        f"adds metrics-server {VERSIONS['metrics-server']}: Omni applies it to the cluster, without a reboot; kubelets "
        "restart to get certificates",
    )
    assert told({"certManager": {"version": "1.21.0"}}, before=old).forecasts == (
        "cert-manager 1.20.0 -> 1.21.0: Omni applies it to the cluster",
    )
    assert told({"certManager": {"inline": CONFIG_MAP}}, before=old).forecasts == (
        "cert-manager 1.20.0 -> (objects of the program): Omni applies it to the cluster",
    )
    assert told({}, before={"policyEngine": "kyverno"}).forecasts == (f"{removed}namespaces stay, with {inside}",)
    assert told({}, before={"policyEngine": "kyverno"}, onUpdate={"customResourceDefinitions": "delete"}).forecasts == (
        f"removes kyverno {VERSIONS['kyverno']}: Omni deletes its objects, its custom resource definitions and "
        f"namespaces, and with them {inside}",
    )
    assert told({"policyEngine": "gatekeeper"}, before={"policyEngine": "kyverno"}).forecasts == (
        f"adds gatekeeper {VERSIONS['gatekeeper']}: Omni applies it to the cluster, without a reboot",
        f"{removed}namespaces stay, with {inside}",
    )
    assert told({}, before={"metricsServer": {"inline": CONFIG_MAP}}).forecasts == (
        "removes metrics-server (objects of the program): Omni deletes its objects",
    )


def test_definitions_that_stayed_can_be_deleted_later() -> None:
    spec = cluster_spec(addons={}, onUpdate={"customResourceDefinitions": "delete"})
    kept = live(cluster_spec(), live(cluster_spec(addons={"certManager": True})))
    assert sorted(each.id for each in kept if each.type == omni.KUBERNETES_MANIFEST_GROUP) == [
        "100-cluster-prod-component-cert-manager-definition-things.cert-manager.example.org",
        "100-cluster-prod-component-cert-manager-namespace-cert-manager",
    ]
    snapshot = Snapshot(resources=kept, talos_versions=CATALOG, bootstrap_status=BOOTSTRAPPED, nodes=nodes_of(kept))
    found = findings(spec, snapshot, mark=MARK, previous=cluster_spec())
    assert (
        "deletes the custom resource definitions and namespaces of cert-manager, and with them all objects of these "
        "kinds and in these namespaces"
    ) in found.forecasts
    assert findings(cluster_spec(), snapshot, mark=MARK, previous=cluster_spec()).forecasts == ()


def test_a_definition_stays_in_its_group_when_others_grow() -> None:
    def definition(name: str, size: int) -> dict[str, Any]:
        kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        return {**kind, "metadata": {"name": f"{name}.example.org"}, "spec": {"text": "x" * size}}

    def held(size: int) -> dict[str, str]:
        own = [CONFIG_MAP, definition("a", size), definition("b", 1000), definition("c", 900_000)]
        spec = cluster_spec(addons={"certManager": {"inline": own}})
        groups = [each for each in desired(spec) if each.type == omni.KUBERNETES_MANIFEST_GROUP]
        return {each.id: re.findall(r"^ +name: (\S+)$", each.spec.data, re.M)[0] for each in groups}

    small = held(1000)
    assert len(small) == 4
    assert held(1_400_000) == small


def test_an_add_on_has_something_that_goes_with_it() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    (problem,) = told({"certManager": {"inline": namespace}}).failures
    assert str(problem) == (
        "addons.certManager.inline: its manifest has nothing but custom resource definitions and namespaces: use "
        "`manifests` for them"
    )


def nodes_of(resources: list[Resource]) -> list[Resource]:
    return [each for each in resources if each.type == omni.MACHINE_SET_NODE]


def by_talos(
    components: dict[str, Any], before: dict[str, Any], *, talos: str = "1.13.8", api: int = 1, **inputs: Any
) -> Findings:
    """The findings for a cluster whose add-ons Talos has created, by default in an Omni without groups."""
    versions = {"talosVersion": talos, "kubernetesVersion": "1.36.3" if talos == "1.13.8" else "1.35.7"}
    spec, old = (cluster_spec(addons=each, **versions, **inputs) for each in (components, before))
    current = Versions(versions["talosVersion"], versions["kubernetesVersion"])
    patches = addon_patches(old.addons, began=talos, groups=False)
    resources = [
        replace(each, version=1) for each in desired_resources(old, current, assigned(old), MARK, addons=patches)
    ]
    nodes = nodes_of(resources)
    snapshot = Snapshot(
        resources=resources,
        statuses=[
            machine(number, cluster="prod" if machine(number).id in {each.id for each in nodes} else "")
            for number in range(1, 4)
        ],
        nodes=nodes,
        talos_versions=CATALOG,
        bootstrap_status=BOOTSTRAPPED,
        sys_version=Resource(omni.SYS_VERSION, "current", system_pb2.SysVersionSpec(backend_api_version=api)),
    )
    return findings(spec, snapshot, mark=MARK, previous=old, texts=MANIFESTS)


def test_an_omni_without_groups_leaves_add_ons_to_talos() -> None:
    sync = "`omnictl cluster kubernetes manifest-sync prod --dry-run=false`"
    removed = (
        f"removes kyverno {VERSIONS['kyverno']} from the machine configuration; its objects stay in Kubernetes: "
        f"{sync} deletes them, and all else that Talos created and that is no longer configured"
    )
    assert by_talos({}, {"policyEngine": "kyverno"}).forecasts == (removed,)
    assert by_talos({"csi": "local-path"}, {}).forecasts == (
        f"adds local-path {VERSIONS['local-path']}: Talos creates it in the cluster, without a reboot",
    )
    (line,) = by_talos({}, {"certManager": True}, talos="1.12.11").forecasts
    assert line.endswith("its objects stay in Kubernetes: delete them with kubectl")
    (line,) = by_talos({}, {"gitOpsEngine": "argocd"}).forecasts
    assert line.endswith("its objects stay in Kubernetes: delete them with kubectl")


def test_add_ons_that_talos_has_created_move_to_omni() -> None:
    asked = {"certManager": True, "metricsServer": True, "cni": "cilium"}
    assert by_talos(asked, asked, api=2).forecasts == (
        f"metrics-server {VERSIONS['metrics-server']}: Omni takes over its objects, which Talos has created",
        f"cert-manager {VERSIONS['cert-manager']}: Omni takes over its objects, which Talos has created",
    )
    (line,) = by_talos({"certManager": True}, {"certManager": True}, api=2, waitFor="running").forecasts
    assert line.endswith('which Talos has created, but only in an `up` that waits: set waitFor to "ready" for it')
    (line,) = by_talos({"gitOpsEngine": "argocd"}, {"gitOpsEngine": "argocd"}, api=2).forecasts
    assert line.endswith(
        "the account argocd-installer of the earlier release stays bound to cluster-admin: `kubectl delete "
        "clusterrolebinding argocd-installer` removes that"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cni": {"name": "calico", "version": "3.32.1"}}, {"cni": {"name": "calico", "version": "3.32.2"}}),
        ({"policyEngine": "kyverno"}, {}),
    ],
)
def test_no_preview_names_a_sync_while_add_ons_move_to_omni(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = by_talos({"certManager": True, **after}, {"certManager": True, **before}, api=2, waitFor="running")
    assert len(found.forecasts) == 2
    assert "manifest-sync" not in "".join((*found.forecasts, *found.warnings))


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_what_an_engine_has_deployed_stays_without_its_source(engine: str) -> None:
    asked = {"gitOpsEngine": {"name": engine, "source": {"url": "https://example.org/apps"}}}
    gone = f"removes the source of {engine}: what {engine} has deployed stays in Kubernetes"
    assert gone in told({"gitOpsEngine": engine}, before=asked).forecasts
    assert gone in told({}, before=asked).forecasts
    (text,) = (each.spec.data for each in live(cluster_spec(addons=asked)) if each.id.startswith("120-"))
    applied = list(yaml.safe_load_all(text))[-1]
    assert "finalizers" not in applied["metadata"]  # with that of Argo CD, it would delete what it has deployed
    assert applied["spec"].get("deletionPolicy") == {"flux": "Orphan"}.get(engine)


@pytest.mark.parametrize(
    ("asked", "url", "field"),
    [
        ("kyverno", published("kyverno", VERSIONS["kyverno"])[0], "addons.policyEngine"),
        ({"name": "kyverno", "url": URL}, URL, "addons.policyEngine.url"),
    ],
)
def test_a_fetched_manifest_has_nothing_but_objects(
    asked: Any, url: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MANIFESTS, url, MANIFESTS[url] + "---\nkind: List\nitems: []\n---\na: [\n")
    (problem,) = told({"policyEngine": asked}).failures
    assert problem.field == field
    assert " of its manifest is not one Kubernetes object" in problem.reason
    assert " of its manifest is not valid YAML" in problem.reason


def test_nothing_is_told_where_no_component_changes() -> None:
    components = {"cni": "calico", "certManager": True, "csi": "local-path"}
    assert told(components, before=components) == Findings()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({}, {"cni": "cilium"}, "flannel -> cilium"),
        ({"cni": "calico"}, {}, "calico -> flannel"),
        ({"cni": "cilium"}, {"cni": "none"}, "cilium -> none"),
        ({"cni": "cilium"}, {"cni": {"name": "cilium", "url": URL}}, "how cilium is installed"),
    ],
)
def test_the_network_plugin_of_a_running_cluster_stays(before: Any, after: Any, change: str) -> None:
    (problem,) = told(after, before=before).failures
    assert problem.field == "addons.cni"
    assert f"cannot be changed ({change})" in problem.reason


def test_the_patch_of_a_component_is_not_a_patch_of_its_own_as_well() -> None:
    (problem,) = told(
        {"certManager": True},
        patches=[{"idOverride": "100-cluster-prod-component-cert-manager", "inline": {"machine": {}}}],
    ).failures
    assert str(problem) == "patches[0].idOverride: is the ID of addons.certManager: keep one of the two"


def test_the_version_of_the_network_plugin_may_change() -> None:
    def change(name: str, old: str, new: str, **inputs: Any) -> tuple[str, ...]:
        found = told({"cni": {"name": name, "version": new}}, before={"cni": {"name": name, "version": old}}, **inputs)
        assert found.failures == ()
        return found.forecasts

    assert change("cilium", "1.19.5", "1.20.2") == ("cilium 1.19.5 -> 1.20.2: a Job in the cluster installs it",)
    assert change("calico", "3.32.1", "3.32.2") == (
        "calico 3.32.1 -> 3.32.2: Omni then syncs the manifests of the cluster; objects that are no longer in them "
        "stay",
    )
    assert change("calico", "3.32.1", "3.32.2", waitFor="running") == (
        'calico 3.32.1 -> 3.32.2: Talos only creates what is missing; set waitFor to "ready" for it, and Omni applies '
        "the rest",
    )
