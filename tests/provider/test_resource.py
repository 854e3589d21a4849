"""What a program that declares clusters registers with Pulumi."""

import base64
import inspect
import json

import pulumi
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi import ControlPlaneArgs, OmniCluster, OmniClusterArgs, PatchArgs
from ksail_pulumi.errors import InputError, KsailPulumiError
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.fields import FIELDS, FORMER_NAMES, InputOutputs
from ksail_pulumi.provider.spelling import to_wire

TOKEN = "pulumi-python:dynamic/ksail:OmniCluster"
PICKLED = (
    b"\x80\x04\x95<\x00\x00\x00\x00\x00\x00\x00\x8c\x1dksail_pulumi.provider.cluster\x94"
    b"\x8c\x13OmniClusterProvider\x94\x93\x94)\x81\x94."
)
FACTS = {"clusterUuid": "u-1", "phase": "RUNNING", "ready": True, "nodes": []}
CREDENTIALS = {"clusterUuid": "u-1", "kubeconfig": "k", "talosconfig": "t"}


class Monitor(pulumi.runtime.Mocks):
    def __init__(self):
        self.registered = []
        self.children = []

    def new_resource(self, args):
        if args.typ != TOKEN:
            self.children.append(args)
            return [args.inputs["name"], {**args.inputs, **CREDENTIALS}]
        self.registered.append(args)
        return [args.resource_id or args.inputs["name"], {**args.inputs, **FACTS, "talosVersion": "1.13.8"}]

    def call(self, args):
        return {}

    @property
    def only(self):
        (found,) = self.registered
        return found

    @property
    def inputs(self):
        return {key: value for key, value in self.only.inputs.items() if not key.startswith("__")}


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def monitor(request, loop):
    found = Monitor()
    pulumi.runtime.set_mocks(found, project="shop", stack="dev", organization="organization", preview=request.param)
    return found


def run(program):
    """Run a program to its end and return what its outputs resolve to."""
    outcome = {}

    def whole():
        outputs = program() or {}
        pulumi.Output.all(**outputs).apply(outcome.update)

    pulumi.runtime.test(whole)()
    return outcome


def test_the_provider_is_stored_by_its_name_for_ever():
    stored = base64.b64decode(serialize_provider(OmniClusterProvider()))
    assert stored == PICKLED
    assert OmniClusterProvider.serialize_as_secret_always is False


def test_a_cluster_is_registered_with_its_token_its_inputs_and_its_owner(monitor):
    run(lambda: OmniCluster("west", OmniClusterArgs(control_plane=ControlPlaneArgs(count=3)), workers=2) and None)
    assert (monitor.only.typ, monitor.only.name) == (TOKEN, "west")
    assert monitor.inputs == {"name": "west", "controlPlane": {"count": 3}, "workers": 2}
    assert monitor.only.inputs["__owner"] == "organization/shop/dev/west"
    assert monitor.only.inputs["__provider"] == base64.b64encode(PICKLED).decode()


def test_a_preview_says_so_to_the_check(monitor):
    run(lambda: OmniCluster("west") and None)
    assert monitor.only.inputs.get("__preview", False) is pulumi.runtime.is_dry_run()


def test_keyword_arguments_go_on_top_of_a_dictionary(monitor):
    run(lambda: OmniCluster("west", {"name": "a", "talosVersion": "1.13.7"}, talos_version="1.13.8") and None)
    assert monitor.inputs == {"name": "a", "talosVersion": "1.13.8"}


def test_what_the_inputs_are_made_from_is_not_changed(monitor):
    args = {"control_plane": {"count": 1}}
    run(lambda: OmniCluster("west", args) and None)
    assert args == {"control_plane": {"count": 1}}


def test_what_is_no_input_at_all_stops_the_program(monitor):
    with pytest.raises(pulumi.RunError, match=r"an OmniClusterArgs or a dictionary, not a value of type int"):
        run(lambda: OmniCluster("west", 3) and None)


def test_outputs_are_properties(monitor):
    def program():
        cluster = OmniCluster("west")
        return {
            "name": cluster.name,
            "uuid": cluster.cluster_uuid,
            "talos": cluster.talos_version,
            "ready": cluster.ready,
            "nodes": cluster.nodes,
            "phase": cluster.phase,
        }

    expected = {"name": "west", "uuid": "u-1", "talos": "1.13.8", "ready": True, "nodes": [], "phase": "RUNNING"}
    assert run(program) == expected


GIVEN = {
    "name": "west",
    "endpoint": "https://omni.example",
    "service_account_key_env_var": "MY_KEY",
    "kubernetes_version": "1.36.3",
    "talos_version": "1.13.8",
    "control_plane": 3,
    "workers": [{"name": "gpu", "count": 2}],
    "machines": {"4c4c4544-0000-4000-8000-000000000001": {"locked": True}},
    "patches": [{"name": "p", "inline": "machine: {}"}],
    "system_extensions": ["siderolabs/gvisor"],
    "kernel_args": ["a=b"],
    "features": {"disk_encryption": True},
    "backup": {"interval": "1h"},
    "manifests": [{"name": "m", "mode": "full", "inline": {"kind": "Namespace"}}],
    "health_checks": [{"name": "h", "job": {"kind": "Job"}}],
    "addons": {"cni": "cilium"},
    "labels": {"a": "b"},
    "annotations": {"c": "d"},
    "locked": False,
    "kubeconfig": {"user": "ci"},
    "talosconfig": False,
    "wait_for": "running",
    "backup_before": ["upgrade", "delete"],
    "on_upgrade_failure": "revert",
    "on_update": {"disconnected_machines": "remove"},
    "on_delete": {"disconnected_machines": "wait"},
    "ownership": "exclusive",
}
UNDER_ANOTHER_NAME = {"kubeconfig": "kubeconfig_options", "talosconfig": "talosconfig_enabled"}
OUTPUTS = {name: UNDER_ANOTHER_NAME.get(name, name) for name in GIVEN}


def test_every_input_is_an_output(monitor):
    assert GIVEN.keys() == FIELDS["OmniCluster"].keys() - FORMER_NAMES.keys()

    def program():
        cluster = OmniCluster("west", **GIVEN)
        return {name: getattr(cluster, output) for name, output in OUTPUTS.items()}

    assert to_wire(run(program)) == to_wire(GIVEN)


def test_an_input_that_is_not_given_is_none_as_an_output(monitor):
    def program():
        cluster = OmniCluster("west")
        return {name: getattr(cluster, output) for name, output in OUTPUTS.items()}

    found = run(program)
    given = {"name": "west", "talos_version": "1.13.8"}
    if not pulumi.runtime.is_dry_run():
        assert found == {**dict.fromkeys(GIVEN), **given}


def test_every_output_of_an_input_says_what_it_is():
    properties = inspect.getmembers(InputOutputs, lambda each: isinstance(each, property))
    assert {name for name, _ in properties} == set(OUTPUTS.values())
    assert [name for name, found in properties if not found.__doc__] == []


@pytest.mark.parametrize("written", [OmniClusterArgs(components={"cni": "cilium"}), {"components": {"cni": "cilium"}}])
def test_the_former_name_of_an_input_still_works_with_a_warning(monitor, caplog, written):
    run(lambda: OmniCluster("west", written) and None)
    run(lambda: OmniCluster("west", components={"cni": "cilium"}) and None)
    assert [each.inputs["components"] for each in monitor.registered] == [{"cni": "cilium"}] * 2
    assert caplog.messages == ["input components is deprecated: use addons"] * 2


def test_the_state_keeps_addons_where_it_always_has(monitor, caplog):
    run(lambda: OmniCluster("west", addons={"cni": "cilium"}) and None)
    assert monitor.inputs == {"name": "west", "components": {"cni": "cilium"}}
    assert caplog.messages == []


def test_the_credentials_are_asked_to_be_secret(monitor, monkeypatch):
    options = []
    create = pulumi.dynamic.Resource.__init__
    monkeypatch.setattr(pulumi.dynamic.Resource, "__init__", lambda *args: options.append(args[-1]) or create(*args))
    run(lambda: OmniCluster("west", opts=pulumi.ResourceOptions(additional_secret_outputs=["nodes"])) and None)
    assert set(options[0].additional_secret_outputs) == {"kubeconfig", "talosconfig", "nodes"}


def test_the_credential_options_do_not_stand_where_the_credentials_will(monitor):
    run(lambda: OmniCluster("west", kubeconfig={"user": "ci"}, talosconfig=False) and None)
    assert monitor.inputs == {"name": "west", "kubeconfigOptions": {"user": "ci"}, "talosconfigEnabled": False}


def test_a_subclass_keeps_the_token(monitor):
    class Edge(OmniCluster):
        pass

    run(lambda: Edge("edge") and None)
    assert monitor.only.typ == TOKEN


def test_get_reads_a_cluster_by_its_name(monitor):
    def program():
        cluster = OmniCluster.get("other", "east")
        assert isinstance(cluster.name, pulumi.Output)
        return {"uuid": cluster.cluster_uuid}

    assert run(program) == {"uuid": "u-1"}
    assert (monitor.only.resource_id, monitor.inputs) == ("east", {})


def test_import_becomes_an_adoption_at_create(monitor):
    run(lambda: OmniCluster("west", opts=pulumi.ResourceOptions(import_="legacy", protect=True)) and None)
    assert monitor.inputs == {"name": "legacy"}
    assert monitor.only.inputs["__adopt"] is True
    assert not monitor.only.resource_id


def test_the_options_of_the_user_stay_as_they_were(monitor):
    opts = pulumi.ResourceOptions(import_="legacy")
    run(lambda: OmniCluster("west", opts=opts) and None)
    assert (opts.import_, opts.additional_secret_outputs) == ("legacy", None)


def test_import_of_another_cluster_than_the_name_says_is_refused(monitor):
    with pytest.raises(InputError, match='is "east", but `import_` imports cluster "legacy"'):
        OmniCluster("west", name="east", opts=pulumi.ResourceOptions(import_="legacy"))


def test_the_file_of_a_patch_is_read_where_the_program_runs(monitor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sysctl.yaml").write_text("machine: {}\n")
    run(lambda: OmniCluster("west", patches=[PatchArgs(file="sysctl.yaml")]) and None)
    assert monitor.inputs["patches"] == [{"name": "sysctl.yaml", "inline": "machine: {}\n"}]


def test_a_patch_file_that_is_missing_stops_the_program(monitor):
    with pytest.raises(KsailPulumiError, match=r"patches\[0\]\.file: failed to access the file"):
        OmniCluster("west", patches=[PatchArgs(file="missing.yaml")])


KSAIL = """\
apiVersion: ksail.io/v1alpha1
kind: Cluster
metadata:
  name: my-omni-cluster
spec:
  cluster:
    distribution: Talos
    provider: Omni
    omni:
      endpoint: "https://acme.omni.siderolabs.io:443"
      serviceAccountKeyEnvVar: "MY_CUSTOM_OMNI_KEY"
    talos:
      controlPlanes: 1
      workers: 2
"""


@pytest.fixture
def ksail(tmp_path, monkeypatch):
    monkeypatch.delenv("OMNI_ENDPOINT", raising=False)
    path = tmp_path / "ksail.yaml"
    path.write_text(KSAIL)
    return path


def test_a_ksail_project_is_a_cluster(monitor, ksail):
    run(lambda: OmniCluster.from_ksail(ksail) and None)
    assert monitor.only.name == "my-omni-cluster"
    assert monitor.inputs == {
        "name": "my-omni-cluster",
        "endpoint": "https://acme.omni.siderolabs.io:443",
        "serviceAccountKeyEnvVar": "MY_CUSTOM_OMNI_KEY",
        "controlPlane": {"count": 1},
        "workers": [{"count": 2}],
    }


def test_arguments_win_over_the_ksail_project(monitor, ksail):
    run(lambda: OmniCluster.from_ksail(ksail, "west", workers=3, name="shop-dev") and None)
    assert (monitor.only.name, monitor.inputs["name"], monitor.inputs["workers"]) == ("west", "shop-dev", 3)


def test_the_endpoint_of_the_stack_wins_over_the_ksail_project(monitor, ksail):
    pulumi.runtime.set_config("omni:endpoint", "https://stack")
    try:
        run(lambda: OmniCluster.from_ksail(ksail) and None)
    finally:
        pulumi.runtime.set_all_config({})
    assert "endpoint" not in monitor.inputs


TEMPLATE = """\
kind: Cluster
name: shop
kubernetes: {version: v1.36.3}
talos: {version: v1.13.8}
patches: [{file: patch.yaml}]
---
kind: ControlPlane
machines: [10000000-0000-4000-8000-000000000001]
"""


def test_a_template_of_omnictl_is_a_cluster(monitor, tmp_path):
    (tmp_path / "patch.yaml").write_text("machine: {}\n")
    (tmp_path / "cluster.yaml").write_text(TEMPLATE)
    run(lambda: OmniCluster.from_template(tmp_path / "cluster.yaml", workers=2) and None)
    assert monitor.only.name == "shop"
    assert monitor.inputs == {
        "name": "shop",
        "kubernetesVersion": "1.36.3",
        "talosVersion": "1.13.8",
        "patches": [{"name": "patch.yaml", "inline": "machine: {}\n"}],
        "controlPlane": {"machines": ["10000000-0000-4000-8000-000000000001"]},
        "workers": 2,
    }


def test_a_template_that_the_program_has_rendered_is_a_cluster(monitor, tmp_path, caplog):
    (tmp_path / "patch.yaml").write_text("machine: {}\n")
    text = TEMPLATE.replace("shop", "shop-blue") + "kernelArgs:\n- ${ARGS}\n"
    run(lambda: OmniCluster.from_template(text=text, folder=tmp_path) and None)
    assert (monitor.only.name, monitor.inputs["patches"][0]["inline"]) == ("shop-blue", "machine: {}\n")
    (warning,) = caplog.messages
    assert warning.startswith(
        "template: ${ARGS} (line 10) is passed on unchanged. If a value should replace it, render"
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "a template is given either by its path or as `text`"),
        ({"path": "cluster.yaml", "text": TEMPLATE}, "a template is given either by its path or as `text`"),
        ({"path": "cluster.yaml", "folder": "."}, "folder: is for `text` only: the paths in a file are relative to it"),
        ({"path": 5}, "path: should be a string, not a value of type int"),
        ({"text": TEMPLATE.encode()}, "text: should be a string, not a value of type bytes"),
        ({"text": TEMPLATE, "folder": 5}, "folder: should be a string, not a value of type int"),
        ({"text": ""}, "template: template should contain 1 cluster, got 0"),
        ({"text": TEMPLATE.replace("shop", "${NAME}")}, "template:2: ${NAME} (line 2) is left in the template"),
    ],
)
def test_a_template_that_is_none_is_refused(given, reason):
    with pytest.raises(pulumi.RunError) as caught:
        OmniCluster.from_template(**given)
    assert str(caught.value).startswith(reason)


def test_a_cluster_knows_what_decides_the_machines_of_those_before_it(monitor):
    def program():
        OmniCluster("first", control_plane=3, workers=[{"name": "gpu", "selector": "gpu", "labels": {"a": "b"}}])
        OmniCluster("unknown", workers=[{"count": pulumi.Output.from_input(1)}])
        OmniCluster("taken", opts=pulumi.ResourceOptions(import_="taken"))
        OmniCluster.get("read", "read")
        OmniCluster("last", labels={"a": pulumi.Output.from_input("b")})

    class Program(pulumi.ComponentResource):
        """Stands for the stack, which mocks do not have."""

        def __init__(self):
            super().__init__("test:index:Program", "program", {"name": "program"})

    def within_a_stack():
        before = pulumi.runtime.get_root_resource()
        pulumi.runtime.settings.set_root_resource(Program())
        try:
            program()
        finally:
            pulumi.runtime.settings.set_root_resource(before)

    run(within_a_stack)
    texts = {args.name: args.inputs.get("__earlierClusters") for args in monitor.registered if args.typ == TOKEN}
    earlier = {name: text and [json.loads(line) for line in text.splitlines()] for name, text in texts.items()}
    first = {"name": "first", "controlPlane": 3, "workers": [{"name": "gpu", "selector": "gpu"}]}
    taken = {"name": "taken", "__adopt": True}
    assert earlier == {"first": None, "unknown": [first], "taken": [first], "read": None, "last": [first, taken]}


def context_files(monitor):
    return [each.inputs["contextFile"] for each in monitor.children if "contextFile" in each.inputs]


def test_the_file_of_a_context_begins_in_the_folder_of_the_program(monitor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(lambda: {"cluster": OmniCluster("west", kubeconfig={"file": "kube/west"}).kubeconfig})
    assert context_files(monitor) == [str(tmp_path / "kube" / "west")]


def test_a_ksail_project_keeps_its_context(monitor, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "ksail.yaml"
    file.write_text("metadata: {name: west}\nspec: {cluster: {connection: {kubeconfig: ~/.kube/west}}}\n")
    run(lambda: {"cluster": OmniCluster.from_ksail(file).kubeconfig})
    assert monitor.inputs["kubeconfigOptions"] == {"file": "~/.kube/west"}
    assert context_files(monitor) == [str(tmp_path / ".kube" / "west")]
