"""Components as inputs: what may be written, what it comes to, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.model.addons import VERSIONS
from ksail_pulumi.model.parse import InvalidCluster, parse_cluster, to_wire

NAMES = {
    "cni": ("flannel", "none", "cilium", "calico"),
    "policyEngine": ("kyverno", "gatekeeper"),
    "gitOpsEngine": ("flux", "argocd"),
    "csi": ("local-path",),
}
SWITCHES = {"metricsServer": "metrics-server", "certManager": "cert-manager"}
DETAILS = ({"version": "1.2.3"}, {"url": "https://example.org/manifest.yaml"})


def chosen(components: dict[str, Any]) -> dict[str, tuple[str, str | None, str | None]]:
    spec = parse_cluster({"name": "prod", "addons": components})
    return {field: (each.name, each.version, each.url) for field, each in spec.addons.chosen()}


def problems(components: Any) -> list[str]:
    with pytest.raises(InvalidCluster) as raised:
        parse_cluster({"name": "prod", "addons": components})
    return [str(problem) for problem in raised.value.problems]


def test_a_component_is_a_name_a_switch_or_a_mapping() -> None:
    components = {
        "cni": "cilium",
        "metricsServer": True,
        "certManager": {"version": "v1.2.3"},
        "policyEngine": {"name": "kyverno", "url": "https://example.org/kyverno.yaml"},
        "csi": {"name": "local-path"},
    }
    assert chosen(components) == {
        "cni": ("cilium", None, None),
        "metricsServer": ("metrics-server", None, None),
        "certManager": ("cert-manager", "1.2.3", None),
        "policyEngine": ("kyverno", None, "https://example.org/kyverno.yaml"),
        "csi": ("local-path", None, None),
    }


def test_what_is_off_is_not_chosen() -> None:
    assert chosen({"metricsServer": False, "certManager": None}) == {}
    assert chosen({}) == {}
    assert parse_cluster({"name": "prod"}).addons == parse_cluster({"name": "prod", "addons": {}}).addons


MISTAKES = {
    'addons.cni: should be flannel, none, cilium or calico, not "weave"': {"cni": "weave"},
    "addons.cni: should be flannel, none, cilium or calico, or a mapping with name, and version, url, inline or file": {
        "cni": True
    },
    "addons.cni: name is required: flannel, none, cilium or calico": {"cni": {"version": "1.2.3"}},
    "addons.csi: should be local-path, or a mapping with name, and version, url, inline or file": {
        "csi": ["local-path"]
    },
    "addons.metricsServer: should be true or false, or a mapping with version, url, inline or file": {
        "metricsServer": "yes"
    },
    "addons.certManager: should be true or false, or a mapping with version, url, inline or file": {
        "certManager": {"name": "other"}
    },
    "addons.cni.version: flannel comes with Talos and has no version": {"cni": {"name": "flannel", "version": "1.2.3"}},
    "addons.cni.url: none installs nothing and has no url": {"cni": {"name": "none", "url": "https://a.b/c"}},
    "addons.cni.version: should be a string, not the number 1.2": {"cni": {"name": "cilium", "version": 1.2}},
    "addons.cni.version: version should be in semver format, like 1.36.3": {
        "cni": {"name": "cilium", "version": "1.20"}
    },
    "addons.csi.url: should be the http or https URL of a manifest, without a user name": {
        "csi": {"name": "local-path", "url": "ftp://example.org/a"}
    },
    "addons.csi.url: should be a string, not a number": {"csi": {"name": "local-path", "url": 5}},
    "addons.cni.version: version and url are mutually exclusive: the URL determines the version": {
        "cni": {"name": "cilium", "version": "1.2.3", "url": "https://a.b/c"}
    },
    "addons.certManager.version: version and inline are mutually exclusive: keep one of them": {
        "certManager": {"version": "1.2.3", "inline": {"kind": "A"}}
    },
    "addons.certManager.url: url and inline are mutually exclusive: keep one of them": {
        "certManager": {"url": "https://a.b/c", "inline": {"kind": "A"}}
    },
    "addons.certManager.inline: error loading JSON manifest into unstructured: Object 'Kind' is missing in "
    "document 1": {"certManager": {"inline": {"a": 1}}},
    "addons.cni.inline: the machines download the manifest of a network plugin: give its url": {
        "cni": {"name": "cilium", "inline": {"kind": "A"}}
    },
    "addons.csi.source: local-path deploys nothing and has no source": {
        "csi": {"name": "local-path", "source": {"url": "https://a/b"}}
    },
    "addons.gitOpsEngine.source: username and password belong together: give both or neither": {
        "gitOpsEngine": {"name": "flux", "source": {"url": "https://a/b", "username": "x"}}
    },
    "addons.gitOpsEngine.source.url: should be an https or oci URL without a user name: https://host/repository or "
    "oci://host/repository": {"gitOpsEngine": {"name": "flux", "source": {"url": "https://u:p@a/b"}}},
    "addons.gitOpsEngine.source.url: should be a string, not a number": {
        "gitOpsEngine": {"name": "flux", "source": {"url": 5}}
    },
    "addons.cni.verison: unknown field; did you mean version?": {"cni": {"name": "cilium", "verison": "1.2.3"}},
    "addons.gitopsEngine: unknown field; did you mean gitOpsEngine?": {"gitopsEngine": "flux"},
    "addons: should be a mapping, not a list": ["cilium"],
}


@pytest.mark.parametrize(("message", "components"), MISTAKES.items())
def test_a_mistake_is_told_with_its_field(message: str, components: Any) -> None:
    assert problems(components) == [message]


@pytest.mark.parametrize("url", ["http://u:p@a/b", "https://u@a/b", "https://a#@b/c", "https://a?@b/c"])
def test_the_url_of_a_manifest_has_no_user(url: str) -> None:
    (found,) = problems({"certManager": {"url": url}})
    assert found.startswith("addons.certManager.url: should be the http or https URL of a manifest, without")
    assert parse_cluster({"name": "prod", "addons": {"certManager": {"url": "http://a/b@c?d=@"}}})


@pytest.mark.parametrize("more", [{}, {"username": "u", "password": "p"}])
def test_a_source_is_not_read_without_tls(more: dict[str, str]) -> None:
    (found,) = problems({"gitOpsEngine": {"name": "flux", "source": {"url": "http://a/b", **more}}})
    assert found.startswith("addons.gitOpsEngine.source.url: should be an https or oci URL without a user name")


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems({"cni": "weave", "csi": "nfs", "certManager": 1})) == 3


def named(field: str) -> st.SearchStrategy[Any]:
    def forms(name: str) -> st.SearchStrategy[Any]:
        details = DETAILS if name not in ("flannel", "none") else ()
        return st.sampled_from([name, *({"name": name, **each} for each in details)])

    return st.sampled_from(NAMES[field]).flatmap(forms)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **{field: named(field) for field in NAMES},
            **{field: st.sampled_from([True, *DETAILS]) for field in SWITCHES},
        },
    )
)
def test_what_was_written_is_written_again(components: dict[str, Any]) -> None:
    inputs = {"name": "prod", "addons": components}
    assert to_wire(parse_cluster(inputs)) == inputs


def test_the_documentation_names_the_versions() -> None:
    text = (Path(__file__).parents[2] / "docs" / "addons.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for name, version in VERSIONS.items():
        assert any(name.replace("-", "_") in row.replace("-", "_") and f"| {version} |" in row for row in rows), name


KSAIL = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  cluster:
    distribution: Talos
    provider: Omni
"""


def from_ksail(folder: Path, fields: str) -> Any:
    (folder / "ksail.yaml").write_text(KSAIL + "".join(f"    {line}\n" for line in fields.splitlines()))
    return load_ksail(folder / "ksail.yaml", {})


def test_the_fields_of_a_ksail_yaml_are_components(tmp_path: Path) -> None:
    fields = (
        "cni: Cilium\nmetricsServer: Enabled\ncertManager: true\npolicyEngine: Gatekeeper\n"
        "gitOpsEngine: ArgoCD\ncsi: Enabled"
    )
    config = from_ksail(tmp_path, fields)
    assert config.spec["addons"] == {
        "cni": "cilium",
        "metricsServer": True,
        "certManager": True,
        "policyEngine": "gatekeeper",
        "gitOpsEngine": "argocd",
        "csi": "local-path",
    }
    assert config.warnings == ()


def test_what_a_ksail_yaml_leaves_off_is_no_component(tmp_path: Path) -> None:
    fields = (
        "cni: Default\nmetricsServer: Default\ncertManager: Disabled\npolicyEngine: None\n"
        "gitOpsEngine: None\ncsi: false"
    )
    assert "addons" not in from_ksail(tmp_path, fields).spec


def test_a_component_that_ksail_does_not_know_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigFileError, match=r"ksail.yaml:8: spec.cluster.cni: should be 'Default', 'Cilium' or 'Calico'"
    ):
        from_ksail(tmp_path, "cni: Weave")


def test_the_approver_in_the_talos_folder_gives_way_to_that_of_the_component(tmp_path: Path) -> None:
    folder = tmp_path / "talos" / "cluster"
    folder.mkdir(parents=True)
    (folder / "kubelet-csr-approver.yaml").write_text("cluster: {inlineManifests: []}\n")
    (folder / "sysctls.yaml").write_text("machine: {sysctls: {}}\n")

    without = from_ksail(tmp_path, "csi: Default")
    assert [each["name"] for each in without.spec["patches"]] == ["kubelet-csr-approver", "sysctls"]
    config = from_ksail(tmp_path, "metricsServer: Enabled")
    assert [each["name"] for each in config.spec["patches"]] == ["sysctls"]
    (warning,) = config.warnings
    assert "kubelet-csr-approver.yaml: skipped, because metricsServer installs its own approver. " in warning
    assert (
        "A cluster that was created by KSail keeps its approver until its config patch is deleted in Omni or ownership"
        in warning
    )
