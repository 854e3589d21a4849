"""A context in a kubeconfig file through the life of a stack, and a kubeconfig without a token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.access.tokens import claims_of
from ksail_pulumi.cli.app import main
from tests.e2e import server

if TYPE_CHECKING:
    from pathlib import Path

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project

OTHERS = """\
apiVersion: v1
kind: Config
contexts:
- name: prod
  context: {cluster: prod, user: prod, namespace: shop}
current-context: prod
users:
- name: prod
  user: {token: secret}
clusters:
- name: prod
  cluster: {server: https://prod}
"""


def contexts(file: Path) -> list[str]:
    return [each["name"] for each in yaml.safe_load(file.read_text())["contexts"]]


@pytest.mark.sweep
def test_up_keeps_a_context_that_destroy_removes(project: Project, omni: Client, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(OTHERS)
    project.environment["KUBECONFIG"] = str(file)
    project.init()
    project.clusters({"west": {"kubeconfig": {"file": "~nobody-of-this-name/config"}}})
    refused = project.preview(fails=True)
    assert "~nobody-of-this-name/config: user not found" in refused.output
    assert "Traceback" not in refused.output
    project.clusters({"west": {"kubeconfig": {"context": "mine"}}})
    project.preview()
    assert file.read_text() == OTHERS
    project.up()
    assert contexts(file) == ["prod", "mine"]
    assert file.stat().st_mode & 0o777 == 0o600
    project.preview("--expect-no-changes")
    project.up("--expect-no-changes")

    # A relative path begins in the folder of the program. Only the child with the kubeconfig and its cluster change.
    project.clusters({"west": {"kubeconfig": {"file": "kube/west"}}})
    preview = project.preview()
    assert preview.changes == {"update": 2, "unchanged": 3}, preview.output
    assert 'context "mine" in' in preview.output
    project.up()
    west = project.folder / "kube" / "west"
    assert (contexts(file), contexts(west)) == (["prod"], ["admin@west"])

    west.unlink()
    refresh = project.refresh()
    assert "is missing or was changed: the next `pulumi up` writes it again" in refresh.output
    assert not west.exists()
    up = project.up()
    assert up.changes == {"updated": 1, "unchanged": 4}, up.output
    assert contexts(west) == ["admin@west"]

    project.clusters({"west": {"kubeconfig": {"file": str(file)}}})
    project.up()
    del project.environment["KUBECONFIG"]
    project.destroy()  # the state has the path
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(OTHERS)


@pytest.mark.sweep
def test_the_context_of_a_cluster_that_stays_comes_back(project: Project, omni: Client, tmp_path: Path) -> None:
    file = tmp_path / "config"
    project.init()
    west = {"kubeconfig": {"file": str(file)}}
    project.clusters({"west": {**west, "locked": True}})
    project.up()
    assert "is locked and cannot be deleted" in project.destroy(fails=True).output
    assert contexts(file) == []
    project.up()
    assert contexts(file) == ["admin@west"]
    project.clusters({"west": {**west, "locked": False}})
    project.up()
    project.destroy()
    assert contexts(file) == []


@pytest.mark.sweep
def test_a_replaced_cluster_gets_its_context_again(project: Project, omni: Client, tmp_path: Path) -> None:
    file = tmp_path / "config"
    project.init()
    project.clusters({"west": {"kubeconfig": {"form": "exec", "file": str(file)}}})
    project.up()
    before = Context.current(file.read_text()).target[2]
    project.up("--replace", project.urn("west"))
    after = Context.current(file.read_text()).target[2]
    assert after == server.uuids(omni)["west"] != before
    project.clusters({})
    project.up()
    assert contexts(file) == []


@pytest.mark.sweep
def test_a_kubeconfig_can_call_the_command_for_its_token(
    project: Project,
    omni: Client,
    omni_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.init()
    project.clusters({"west": {}})
    project.up()
    project.clusters({"west": {"kubeconfig": {"form": "exec"}}})
    preview = project.preview()
    assert preview.changes == {"update": 2, "unchanged": 3}, preview.output
    assert "Kubeconfig west-kubeconfig update" in preview.output
    project.up()
    text = project.outputs(show_secrets=True)["westKubeconfig"]
    user = Context.current(text).user
    assert list(user) == ["exec"]
    for name, value in omni_environment.items():
        monkeypatch.setenv(name, value)
    assert main(user["exec"]["args"]) == 0
    credential = json.loads(capsys.readouterr().out)
    assert claims_of(credential["status"]["token"])["cluster_uuid"] == server.uuids(omni)["west"]
    project.refresh("--expect-no-changes")
    project.up("--expect-no-changes")
