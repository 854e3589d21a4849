"""Every field of a ksail.yaml, its patches and a cluster template with a canary: none that may be secret shows."""

from __future__ import annotations

import base64
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.formats.template.read import load_template
from tests.secrecy.positions import Position, canary, ksail, template

if TYPE_CHECKING:
    from pathlib import Path

ID = "10000000-0000-4000-8000-000000000001"
DOCUMENTS: dict[str, dict[str, Any]] = {
    "Cluster": {
        "kind": "Cluster",
        "name": "west",
        "kubernetes": {"version": "v1.36.3"},
        "talos": {"version": "v1.13.8"},
    },
    "ControlPlane": {"kind": "ControlPlane", "machines": [ID]},
    "Workers": {"kind": "Workers", "machines": []},
    "Machine": {"kind": "Machine", "name": ID},
}
# Text of a patch that cannot be read, or that Omni would refuse: what stands where a password may.
PATCHES = {
    "no mapping": "{}",
    "a list": "- {}\n",
    "a list of operations": "- op: add\n  path: /machine/token\n  value: {}\n",
    "an alias": "machine:\n  token: *{}\n",
    "a tag": "machine:\n  token: !{} x\n",
    "a value with a tag": "machine:\n  token: !!int {}\n",
    "a character": "machine:\n  token: {}\x01\n",
    "a percent": "machine:\n  token: %{}\n",
    "an open quote": "machine:\n  token: '{}\n",
    "an open bracket": "machine:\n  token: [{}\n",
    "a wrong indent": "machine:\n  token: {}\n a: b\n",
    "a key without a colon": "machine:\n  token: {}\n  b\n",
    "a tab": "machine:\n\ttoken: {}\n",
    "a forbidden field": "cluster:\n  token: {}\n",
    "two of a kind": "kind: A\nname: {0}\n---\nkind: A\nname: {0}\n",
    "an object of Kubernetes": "apiVersion: v1\nkind: Secret\ndata: {{a: {}}}\n",
    "a forbidden kind": "kind: KubeClusterConfig\na: {}\n",
    "an unset variable": "machine:\n  token: {}${{NOT_SET}}\n",
}


def refusal(read: Any, *arguments: Any) -> str:
    """What a file ends with, and what is odd about it."""
    try:
        found = read(*arguments)
    except ConfigFileError as error:
        return f"{error!r} {''.join(traceback.format_exception(error))}"
    return "\n".join(getattr(found, "warnings", ()))


def leaks(position: Position, text: str) -> str | None:
    return f"{position.name}: {text[:300]}" if position.private and position.leaks(text) else None


def test_no_field_of_a_ksail_yaml_shows_what_may_be_secret(tmp_path: Path) -> None:
    file = tmp_path / "ksail.yaml"
    everywhere = ksail()
    assert len(everywhere) > 300
    shown = []
    for each in everywhere:
        file.write_text(yaml.safe_dump(each.data))
        text = refusal(load_ksail, file, {})
        assert leaks(each, text) is None
        shown += [each] if each.leaks(text) else []
    assert len(shown) > 20  # there is hardly a field in it that could hold a secret
    assert not [each for each in shown if each.kind == "long text"]


@pytest.mark.parametrize("kind", sorted(template_file.KINDS))
def test_no_field_of_a_template_shows_what_may_be_secret(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    everywhere = template(kind)
    assert len(everywhere) > 100
    found = []
    for each in everywhere:
        documents = {**DOCUMENTS, kind: {**DOCUMENTS[kind], **each.data}}
        file.write_text(yaml.safe_dump_all(documents.values()))
        found.append(leaks(each, refusal(load_template, file)))
    assert [each for each in found if each] == []


@pytest.mark.parametrize("kind", PATCHES)
def test_no_file_of_a_patch_shows_what_stands_in_it(kind: str, tmp_path: Path) -> None:
    """In a KSail project, in a template, and read by the program."""
    secret = canary()
    text = PATCHES[kind].format(secret)
    (tmp_path / "talos" / "cluster").mkdir(parents=True)
    (tmp_path / "talos" / "cluster" / "a.yaml").write_text(text)
    (tmp_path / "ksail.yaml").write_text("spec: {provider: {omni: {}}}\n")
    documents = {**DOCUMENTS, "Cluster": {**DOCUMENTS["Cluster"], "patches": [{"file": "talos/cluster/a.yaml"}]}}
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump_all(documents.values()))
    told = refusal(load_ksail, tmp_path / "ksail.yaml", {}) + refusal(load_template, tmp_path / "cluster.yaml")
    assert secret[:6] not in told


@pytest.mark.parametrize("kind", ["an alias", "a tag", "an open quote", "a value with a tag", "a character"])
def test_a_file_that_is_no_yaml_shows_nothing_of_what_stands_in_it(kind: str, tmp_path: Path) -> None:
    secret = canary()
    for name, read in (("ksail.yaml", load_ksail), ("cluster.yaml", load_template)):
        (tmp_path / name).write_text(PATCHES[kind].format(secret))
        told = refusal(read, tmp_path / name)
        assert told
        assert secret[:6] not in told


def test_a_variable_of_the_environment_does_not_show_either(tmp_path: Path) -> None:
    secret = canary()
    (tmp_path / "talos" / "cluster").mkdir(parents=True)
    (tmp_path / "talos" / "cluster" / "a.yaml").write_text("cluster:\n  token: ${TOKEN}\n")
    (tmp_path / "ksail.yaml").write_text("spec: {provider: {omni: {}}}\n")
    told = refusal(load_ksail, tmp_path / "ksail.yaml", {"TOKEN": secret})
    assert 'overriding "cluster.token" is not allowed' in told
    assert secret[:6] not in told


@pytest.mark.parametrize(
    "field",
    ["endpoint", "endpointEnvVar", "serviceAccountKeyEnvVar", "talosVersion", "kubernetesVersion", "machineClass"],
)
def test_a_key_that_was_put_into_a_ksail_yaml_is_not_printed(field: str, tmp_path: Path) -> None:
    key = base64.b64encode(b'{"name": "a", "pgp_key": "-----BEGIN PGP PRIVATE KEY BLOCK-----\\n"}').decode()
    file = tmp_path / "ksail.yaml"
    file.write_text(yaml.safe_dump({"metadata": {"name": "west"}, "spec": {"provider": {"omni": {field: key}}}}))
    told = refusal(load_ksail, file, {})
    assert key[:20] not in told
    assert key[-20:] not in told
    if field not in ("talosVersion", "kubernetesVersion", "machineClass"):
        assert f"spec.provider.omni.{field}: " in told
        assert "looks like a service account key of Omni" in told
