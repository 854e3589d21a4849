from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import main
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster, to_wire
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import Client, connect
from ksail_pulumi.omni.resources import (
    ANNOTATION_CLUSTER_LOCKED,
    CLUSTER,
    CONFIG_PATCH,
    EXTENSIONS_CONFIGURATION,
    KERNEL_ARGS,
    LABEL_CLUSTER,
    LABEL_CLUSTER_MACHINE,
    LABEL_DISABLED,
    LABEL_MACHINE_SET,
    LABEL_SYSTEM_PATCH,
    MACHINE_CLASS,
    MACHINE_SET_NODE,
    MACHINE_STATUS,
    Resource,
    machine_name,
)
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.server import Simulator
from tests.cli.clusters import use

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = OwnershipMark("organization/web/dev/shop")

# In the form that `export` writes: machines and entries in Omni's order.
TEMPLATE = """\
kind: Cluster
name: shop
labels:
    team: web
annotations:
    example.com/cost-center: "4711"
kubernetes:
    version: v1.36.3
    manifests:
        - name: namespaces
          mode: one-time
          labels:
            part: base
          inline:
            apiVersion: v1
            kind: Namespace
            metadata:
                name: web
    healthchecks:
        - name: dns
          interval: 1m30s
          job:
            apiVersion: batch/v1
            kind: Job
            metadata:
                name: dns
talos:
    version: v1.13.8
features:
    enableWorkloadProxy: true
    backupConfiguration:
        interval: 6h
patches:
    - name: patches/text.yaml
      inline: |
        # kept as it is
        machine: {sysctls: {"a.b": "1"}}
    - name: last
      idOverride: 900-last
      labels:
        tier: base
      inline:
        machine:
            sysctls:
                c.d: "yes"
systemExtensions:
    - siderolabs/util-linux-tools
---
kind: ControlPlane
machines:
    - MACHINE-0
upgradeStrategy:
    type: Rolling
    rolling:
        maxParallelism: 1
---
kind: Workers
name: cloud
machineClass:
    name: big
    size: unlimited
---
kind: Workers
labels:
    pool: general
machines:
    - MACHINE-1
    - MACHINE-2
updateStrategy:
    type: Rolling
    rolling:
        maxParallelism: 2
deleteStrategy:
    type: Rolling
    rolling:
        maxParallelism: 3
systemExtensions: []
---
kind: Machine
name: MACHINE-1
labels:
    rack: b2
locked: true
patches:
    - name: address
      inline:
        machine:
            network:
                interfaces:
                    - addresses:
                        - 10.5.0.2/24
                      interface: eth0
kernelArgs:
    - console=ttyS0
---
kind: Machine
name: MACHINE-2
install:
    disk: /dev/vda
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with Simulator(machines=6) as omni:
        yield omni


@pytest.fixture(scope="module")
def client(account: Simulator) -> Iterator[Client]:
    client = connect(Connection(account.endpoint, account.service_account_key))
    yield client
    client.close()


@pytest.fixture(scope="module")
def template(client: Client) -> str:
    """A template of machines that exist, in a form that comes out as it went in."""
    machines = sorted(each.id for each in client.state.list(MACHINE_STATUS))
    text = TEMPLATE
    for number in (0, 1, 2):
        text = text.replace(f"MACHINE-{number}", machines[number])
    return text


@pytest.fixture(scope="module")
def shop(client: Client, template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The cluster of the template."""
    match = specs_pb2.MachineClassSpec(match_labels=["pool = nobody"])
    client.state.create(Resource(MACHINE_CLASS, "big", match))
    path = tmp_path_factory.mktemp("template") / "cluster.yaml"
    path.write_text(template)
    spec = parse_cluster({**load_template(path), "waitFor": "none"})
    create(spec, MARK, Session(client, Deadline.after(600)))
    return spec.name


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account)


def test_a_cluster_comes_back_as_the_template_that_it_was_made_from(shop, template, capsys):
    assert main(["export", shop]) == 0
    captured = capsys.readouterr()
    assert captured.out == template
    assert captured.err == ""


def test_the_program_registers_what_the_cluster_is(shop, template, tmp_path, capsys):
    """Runs the exported program in Pulumi's own mock of an engine."""
    assert main(["export", shop, "--as", "python", "--file", str(tmp_path / "__main__.py")]) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "cluster.yaml").write_text(template)
    (tmp_path / "run.py").write_text(RUN)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (registered,) = json.loads(done.stdout)
    assert registered.pop("__adopt") is True
    assert main(["export", shop, "--as", "template"]) == 0
    (tmp_path / "cluster.yaml").write_text(capsys.readouterr().out)
    inputs = {key: value for key, value in registered.items() if not key.startswith("__") and value is not None}
    assert to_wire(parse_cluster(inputs)) == to_wire(parse_cluster(load_template(tmp_path / "cluster.yaml")))


RUN = """\
import json
import runpy

import pulumi


class Engine(pulumi.runtime.Mocks):
    def __init__(self):
        self.registered = []

    def new_resource(self, args):
        if args.typ.endswith(":OmniCluster"):
            self.registered.append(args.inputs)
        return [args.inputs["name"], {**args.inputs, "kubeconfig": "k"}]

    def call(self, args):
        return {}


engine = Engine()
pulumi.runtime.set_mocks(engine, project="web", stack="dev", organization="organization")


@pulumi.runtime.test
def program():
    runpy.run_path("__main__.py")


program()
print(json.dumps(engine.registered))
"""


def test_the_program_is_laid_out_as_formatters_leave_it(shop, tmp_path, capsys):
    assert main(["export", shop, "--as", "python"]) == 0
    program = capsys.readouterr().out
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [ruff, "format", "--isolated", "-"], input=program, capture_output=True, text=True, check=True
    )
    assert done.stdout == program


@pytest.mark.usefixtures("shop")  # which has the machines that it names before a class takes any
def test_what_others_made_is_in_it_and_what_omni_made_is_not(client, tmp_path, capsys):
    """A cluster that nobody made with this package: its machines by a class, a patch with an ID of its own."""
    client.state.create(
        Resource(MACHINE_CLASS, "any", specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/connected"]))
    )
    inputs = {"name": "other", "controlPlane": {"machineClass": {"name": "any", "size": 1}}, "waitFor": "running"}
    create(parse_cluster(inputs), MARK, Session(client, Deadline.after(600)))
    labels = {LABEL_CLUSTER: "other"}
    patch = specs_pb2.ConfigPatchSpec(data="machine:\n  sysctls: {}\n")
    client.state.create(Resource(CONFIG_PATCH, "from-the-ui", patch, {**labels, "mine": "yes"}, {"name": "mine"}))
    assert client.state.list(MACHINE_SET_NODE, labels), "Omni has allocated a machine"
    capsys.readouterr()
    assert main(["export", "other", "--as", "template"]) == 0
    cluster, control_plane = capsys.readouterr().out.split("---\n")
    assert control_plane == "kind: ControlPlane\nmachineClass:\n    name: any\n    size: 1\n"
    assert cluster == CLUSTER_OF_OTHERS


def test_what_is_left_out_of_every_form_is_named(client, tmp_path, capsys):
    """The settings of a machine that Omni chose by a class, and what belongs to nothing of the cluster."""
    client.state.create(
        Resource(MACHINE_CLASS, "picky", specs_pb2.MachineClassSpec(match_labels=["omni.sidero.dev/connected"]))
    )
    inputs = {"name": "by-class", "controlPlane": {"machineClass": {"name": "picky", "size": 1}}, "waitFor": "running"}
    create(parse_cluster(inputs), MARK, Session(client, Deadline.after(600)))
    cluster = {LABEL_CLUSTER: "by-class"}
    (node,) = client.state.list(MACHINE_SET_NODE, cluster)
    of_machine = {**cluster, LABEL_CLUSTER_MACHINE: node.id}
    patch = specs_pb2.ConfigPatchSpec(data="machine:\n  sysctls: {}\n")
    extensions = specs_pb2.ExtensionsConfigurationSpec(extensions=["siderolabs/gvisor"])
    for each in (
        Resource(CONFIG_PATCH, "400-cm-mine", patch, of_machine),
        Resource(CONFIG_PATCH, "400-cm-gone", patch, {**cluster, LABEL_CLUSTER_MACHINE: "gone"}),
        Resource(CONFIG_PATCH, "400-of-no-set", patch, {**cluster, LABEL_MACHINE_SET: "by-class-none"}),
        Resource(CONFIG_PATCH, "200-off", patch, {**cluster, LABEL_DISABLED: ""}, {"name": "off"}),
        Resource(EXTENSIONS_CONFIGURATION, "schematic-mine", extensions, of_machine),
        Resource(KERNEL_ARGS, node.id, specs_pb2.KernelArgsSpec(args=["quiet"])),
        Resource(CONFIG_PATCH, "000-cm-install-disk", patch, {**of_machine, LABEL_SYSTEM_PATCH: ""}),
    ):
        client.state.create(each)
    (machine,) = (machine_name(each) for each in client.state.list(MACHINE_STATUS) if each.id == node.id)
    by_omni = f"is left out: Omni has chosen machine {machine} for by-class-control-planes by its machine class"
    for form in ("template", "python", "ksail"):
        capsys.readouterr()
        assert main(["export", "by-class", "--as", form]) == 0
        captured = capsys.readouterr()
        assert captured.err.splitlines()[:7] == [
            f"ksail-pulumi: list of system extensions schematic-mine {by_omni}",
            f"ksail-pulumi: patch 000-cm-install-disk {by_omni}",
            "ksail-pulumi: patch 200-off is disabled in Omni, which no input can express",
            "ksail-pulumi: patch 400-cm-gone is left out: machine gone is not in the cluster",
            f"ksail-pulumi: patch 400-cm-mine {by_omni}",
            "ksail-pulumi: patch 400-of-no-set is left out: the cluster has no machine set by-class-none",
            f"ksail-pulumi: list of kernel arguments {node.id} {by_omni}",
        ]
        assert node.id not in captured.out


CLUSTER_OF_OTHERS = """\
kind: Cluster
name: other
kubernetes:
    version: v1.36.3
talos:
    version: v1.13.8
patches:
    - name: mine
      idOverride: from-the-ui
      labels:
        mine: "yes"
      inline: |
        machine:
          sysctls: {}
"""


def test_a_lock_is_told_where_a_template_cannot_hold_it(client, shop, capsys):
    def lock(cluster: Resource) -> Resource:
        return replace(cluster, annotations={**cluster.annotations, ANNOTATION_CLUSTER_LOCKED: ""})

    client.state.modify(CLUSTER, shop, lock)
    assert main(["export", shop, "--as", "template"]) == 0
    assert capsys.readouterr().err == "ksail-pulumi: the cluster is locked, which a template cannot express\n"
    assert main(["export", shop, "--as", "python"]) == 0
    assert "    locked=True,\n" in capsys.readouterr().out


def test_a_ksail_project_is_written_with_its_patches(shop, tmp_path, capsys):
    path = tmp_path / "ksail.yaml"
    assert main(["export", shop, "--as", "ksail", "--file", str(path)]) == 0
    told = capsys.readouterr().err
    assert "systemExtensions is left out: ksail.yaml has no field for it" in told
    assert load_ksail(path, {}).spec["name"] == shop
    files = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert files == {"ksail.yaml", "talos/cluster/00-patches-text.yaml", "talos/cluster/01-last.yaml"}
    assert main(["export", shop, "--as", "ksail"]) == 0
    captured = capsys.readouterr()
    assert captured.out == path.read_text()
    assert "talos/cluster/01-last.yaml is not printed; use --file to write it next to ksail.yaml" in captured.err


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_patches_of_a_former_export_are_refused_since_the_next_read_would_apply_them(shop, tmp_path, capsys, force):
    path = tmp_path / "ksail.yaml"
    old = [tmp_path / "talos/cluster/00-old.yaml", tmp_path / "talos/workers/old.yml"]
    for each in old:
        each.parent.mkdir(parents=True)
        each.write_text("debug: true\n")
    assert main(["export", shop, "--as", "ksail", "--file", str(path), *force]) == 1
    assert capsys.readouterr().err == (
        f"ksail-pulumi: {old[0]}, {old[1]}: the cluster has no such patch, but the next `pulumi up` with the "
        "ksail.yaml would apply it: delete it, or choose another folder\n"
    )
    assert not path.exists()
    assert main(["export", shop, "--as", "template", "--file", str(tmp_path / "cluster.yaml")]) == 0
    for each in old:
        each.unlink()
    (tmp_path / "talos/cluster/notes.md").write_text("mine")
    (tmp_path / "talos/cluster/cluster-name.yaml").write_text("cluster: {clusterName: mine}\n")
    assert main(["export", shop, "--as", "ksail", "--file", str(path)]) == 0
    assert main(["export", shop, "--as", "ksail", "--file", str(path), "--force"]) == 0


def test_an_unknown_cluster_is_a_message(capsys):
    assert main(["export", "nowhere", "--as", "python"]) == 1
    assert capsys.readouterr().err.startswith("ksail-pulumi: cluster not found: nowhere")


def test_no_file_is_written_over_without_being_told_to(shop, tmp_path, capsys):
    path = tmp_path / "cluster.yaml"
    path.write_text("mine\n")
    assert main(["export", shop, "--as", "template", "--file", str(path)]) == 1
    assert capsys.readouterr().err == f"ksail-pulumi: {path}: the file exists; use --force to overwrite it\n"
    assert path.read_text() == "mine\n"
    assert main(["export", shop, "--as", "template", "--file", str(path), "--force"]) == 0
    assert path.read_text().startswith("kind: Cluster\n")
