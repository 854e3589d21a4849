"""Add-ons of a cluster with the real `pulumi` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import CONFIG_PATCH
from tests.e2e.project import need

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project


@pytest.mark.sweep
def test_components_are_turned_on_changed_and_off(
    project: Project, omni: Client, name: str, free_machines: list[str]
) -> None:
    need(free_machines, 1)

    def ask(**components: object) -> None:
        project.clusters({"web": {"name": name, "addons": components}})

    def preview_and_up() -> str:
        return project.run("up", "--yes").output

    ask(cni="cilium", cert_manager={"version": "1.20.0"})
    project.init()
    assert "add-ons: cilium 1.20.2, cert-manager 1.20.0" in preview_and_up()
    assert project.refresh().changes == {"unchanged": 5}

    ask(cni="calico", cert_manager=True)
    refused = project.preview(fails=True)
    assert "addons.cni" in refused.output
    assert "cannot be changed (cilium -> calico)" in refused.output

    ask(cni="cilium", metrics_server=True, cert_manager={"version": "1.21.2"})
    changed = preview_and_up()
    assert "cert-manager 1.20.0 -> 1.21.2: Omni then syncs the manifests of the cluster" in changed
    assert "adds metrics-server 0.9.0" in changed
    assert "warning" not in changed

    ask(cni="cilium", metrics_server=True)
    assert "removes cert-manager 1.21.2 from the machine configuration" in preview_and_up()
    patches = {each.annotations.get("name") for each in omni.state.list(CONFIG_PATCH) if name in each.id}
    assert {each for each in patches if each and each.startswith("component-")} == {
        "component-cni",
        "component-metrics-server",
    }
    project.preview("--expect-no-changes")
