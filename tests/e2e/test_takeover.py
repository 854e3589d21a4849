"""A cluster that KSail made, taken over by a program that reads the same KSail project, with the real `pulumi`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.omni.resources import CONFIG_PATCH, LABEL_CLUSTER
from tests.e2e.project import need
from tests.ksail_made import PATCHES, create_with_ksail, write_project

if TYPE_CHECKING:
    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project, Run

SYSCTLS = "cluster/sysctls.yaml"


def said(run: Run) -> str:
    """What was printed, each message on one line."""
    return " ".join(run.output.split())


@pytest.mark.sweep
@pytest.mark.usefixtures("published")
def test_the_patches_of_a_cluster_that_ksail_made_are_the_programs_from_then_on(
    project: Project, omni: Client, cluster_name: str, free_machines: list[str]
) -> None:
    need(free_machines, 2)
    name, machines = cluster_name, free_machines[:2]
    write_project(project.folder, name, machines)
    create_with_ksail(omni, project.folder, name, machines)
    program = project.folder / "__main__.py"

    def write_program(options: str) -> None:
        lines = ("import pulumi", "from ksail_pulumi import OmniCluster", f"OmniCluster.from_ksail(opts={options})")
        program.write_text("\n".join(lines) + "\n")

    def patches() -> dict[str, str]:
        return {each.id: each.spec.data for each in omni.state.list(CONFIG_PATCH, {LABEL_CLUSTER: name})}

    before = patches()
    sysctls = f"202-cluster-{name}-sysctls"
    write_program(f'pulumi.ResourceOptions(import_="{name}")')
    project.init()

    preview = said(project.preview())
    assert f"cluster {name} exists and is taken over" in preview
    assert (
        f"patch 201-cluster-{name}-kubelet-csr-approver is not in this program and stays: it wins over "
        f"100-cluster-{name}-component-metrics-server, 200-cluster-{name}-kubelet-cert-rotation and loses to "
        f"{sysctls}, 400-{name}-workers-labels"
    ) in preview
    assert 'to remove what stays, set ownership="exclusive" or delete it in Omni' in preview
    assert (
        "skipped, because metricsServer installs its own approver. A cluster that was created by KSail keeps" in preview
    )
    assert "changes patch" not in preview
    assert "reboot if" not in preview, "nothing about the patches changes"

    assert project.up().changes == {"created": 5}
    assert patches().items() >= before.items()
    assert patches().keys() - before.keys() == {f"100-cluster-{name}-component-metrics-server"}
    assert project.refresh().changes == {"unchanged": 5}

    write_program("None")  # the option has done its work
    (project.folder / "talos" / SYSCTLS).write_text(PATCHES[SYSCTLS].replace("1024", "4096"))
    preview = said(project.preview())
    assert f"changes patch {sysctls} on all machines of the cluster" in preview
    assert "is not in this program" not in preview
    assert project.up().changes == {"updated": 1, "unchanged": 4}
    assert [(key, text) for key, text in patches().items() if "sysctls" in key] == [
        (sysctls, PATCHES[SYSCTLS].replace("1024", "4096"))
    ]
    assert project.refresh().changes == {"unchanged": 5}
    assert project.preview("--expect-no-changes").changes == {"unchanged": 5}
