"""The paths of properties in Pulumi's options."""

import re

import pulumi
import pytest

from ksail_pulumi.problems import InvalidCluster
from ksail_pulumi.provider.fields import FIELDS
from ksail_pulumi.provider.paths import replaced_by, to_stored_names
from ksail_pulumi.provider.spelling import to_wire, wire_name

INPUT_OPTIONS = ["ignore_changes", "replace_on_changes", "hide_diffs"]
OPTIONS = [*INPUT_OPTIONS, "additional_secret_outputs"]
MACHINE = "4c4c4544-0044-4a10-8056-b4c04f564433"


def stored(option, *paths):
    opts = pulumi.ResourceOptions(**{option: list(paths)})
    to_stored_names(opts, {})
    return getattr(opts, option)


def refusal(option, paths, **inputs):
    with pytest.raises(InvalidCluster) as caught:
        to_stored_names(pulumi.ResourceOptions(**{option: paths}), to_wire(inputs))
    return str(caught.value)


@pytest.mark.parametrize("option", INPUT_OPTIONS)
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("control_plane", "controlPlane"),
        ("controlPlane", "controlPlane"),
        ("control_plane.machine_class.size", "controlPlane.machineClass.size"),
        ("control_plane.machineClass.size", "controlPlane.machineClass.size"),
        ("control_plane[\"machine_class\"]['size']".replace("'", '"'), "controlPlane.machineClass.size"),
        ("control_plane.*", "controlPlane[*]"),
        ("control_plane.bootstrap_spec.cluster_uuid", "controlPlane.bootstrapSpec.clusterUUID"),
        ("workers[0].machine_class", "workers[0].machineClass"),
        ("workers[*].update_strategy.rolling.max_parallelism", "workers[*].updateStrategy.rolling.maxParallelism"),
        ("workers[0].machines[12]", "workers[0].machines[12]"),
        ("system_extensions[1]", "systemExtensions[1]"),
        (f"machines.{MACHINE}.kernel_args", f"machines.{MACHINE}.kernelArgs"),
        (f'machines["{MACHINE.upper()}"].install.disk_selector', f"machines.{MACHINE}.install.diskSelector"),
        ("machines[*].install", "machines[*].install"),
        ("patches[0].id_override", "patches[0].idOverride"),
        ("patches[0].inline.machine.kubelet.extra_args[3]", "patches[0].inline.machine.kubelet.extra_args[3]"),
        ('labels["example.com/tier"]', 'labels["example.com/tier"]'),
        ('labels["a \\"b\\""]', 'labels["a \\"b\\""]'),
        ("labels.some_label", "labels.some_label"),
        ("kubeconfig", "kubeconfigOptions"),
        ("kubeconfigOptions", "kubeconfigOptions"),
        ("kubeconfig_options", "kubeconfigOptions"),
        ("kubeconfig.renew_before", "kubeconfigOptions.renewBefore"),
        ("talosconfig", "talosconfigEnabled"),
        ("talosconfig_enabled", "talosconfigEnabled"),
        ("addons", "components"),
        ("components", "components"),
        ("addons.git_ops_engine.version", "components.gitOpsEngine.version"),
        ("*", "*"),
    ],
)
def test_paths_of_inputs_are_written_as_in_the_state(option, path, expected):
    assert stored(option, path) == [expected]


@pytest.mark.parametrize("option", INPUT_OPTIONS)
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("control_plan", "; did you mean control_plane?"),
        ("controlplane", "; did you mean control_plane?"),
        ("zzz", "; known names: name, endpoint, service_account_key_env_var, "),
        ("control_plane.sise", '"control_plane.sise" names no input; known names: count, machines, machine_class, '),
        ("control_plane.machine_clas.size", "names no input; did you mean machine_class?"),
        ("control_plane[0]", "names no input; known names: count, "),
        ("control_plane.count.size", "names no input: count has no fields"),
        ("labels.a.b", "names no input: labels has no fields"),
        ("workers.name", "names no input: workers is a list, and needs an index such as [0], or [*]"),
        ("patches.inline", "names no input: patches is a list, and needs an index such as [0], or [*]"),
        ("__owner", '"__owner" names no input'),
        ("*.size", '"*.size" names no input'),
        ("", '"" is not a path such as workers[0].machine_class.size'),
        (".name", '".name" is not a path such as '),
        ("workers[", '"workers[" is not a path such as '),
        ("workers[x]", '"workers[x]" is not a path such as '),
        ("workers[-1]", '"workers[-1]" is not a path such as '),
        ("workers..name", '"workers..name" is not a path such as '),
        ('labels["a]', "is not a path such as "),
        (3, "the number 3 is not a path such as "),
        (None, "none is not a path such as "),
    ],
)
def test_a_path_that_names_no_input_is_refused(option, path, reason):
    found = refusal(option, ["name", path])
    assert found.startswith(f"{option}[1]: ")
    assert reason in found


@pytest.mark.parametrize("option", INPUT_OPTIONS)
@pytest.mark.parametrize(
    ("path", "inputs", "what"),
    [
        ("control_plane.count", {"control_plane": 3}, "controlPlane as a number"),
        ("workers[0].count", {"workers": 3}, "workers as a number"),
        ("workers[*]", {"workers": 3}, "workers as a number"),
        ("addons.cni.version", {"addons": {"cni": "cilium"}}, "components.cni as text"),
        ("addons.metrics_server.version", {"addons": {"metrics_server": True}}, "components.metricsServer as true or"),
        ("patches[1].inline.machine", {"patches": [{}, {"inline": "a: b"}]}, "patches[1].inline as text"),
    ],
)
def test_a_path_into_a_value_that_has_no_parts_is_refused(option, path, inputs, what):
    assert refusal(option, [path], **inputs).startswith(
        f'{option}[0]: "{path}" has no effect: the program gives {what}'
    )


@pytest.mark.parametrize("path", ["control_plane.count", "workers[1].count", "labels.a", "addons.cni", "workers"])
def test_a_path_may_name_an_input_that_the_program_does_not_give_or_know_yet(loop, path):
    inputs = {"control_plane": pulumi.Output.from_input(3), "workers": [{"count": 1}], "addons": {"cni": "cilium"}}
    opts = pulumi.ResourceOptions(ignore_changes=[path])
    to_stored_names(opts, to_wire(inputs))
    assert len(opts.ignore_changes) == 1


@pytest.mark.parametrize("path", ["nodes", "cluster_uuid", "clusterUuid", "phase"])
def test_an_output_has_no_changes_to_ignore(path):
    assert refusal("ignore_changes", [path]) == f'ignore_changes[0]: "{path}" is an output, not an input'
    assert refusal("replace_on_changes", [path]) == f'replace_on_changes[0]: "{path}" is an output, not an input'


def test_the_differences_of_an_output_can_be_hidden():
    assert stored("hide_diffs", "nodes[0].stage", "cluster_uuid") == ["nodes[0].stage", "clusterUuid"]


def test_secret_outputs_are_inputs_or_outputs():
    paths = ["kubeconfig", "kubeconfig_options", "cluster_uuid", "nodes", "control_plane", "addons", "*"]
    expected = ["kubeconfig", "kubeconfigOptions", "clusterUuid", "nodes", "controlPlane", "components", "*"]
    assert stored("additional_secret_outputs", *paths) == expected
    assert stored("additional_secret_outputs", *expected) == expected
    assert refusal("additional_secret_outputs", ["control_plane.count", "nods"]).splitlines() == [
        'additional_secret_outputs[0]: "control_plane.count" is a part of a property: Pulumi can only mark a whole '
        "one as secret",
        'additional_secret_outputs[1]: "nods" names no input or output; did you mean nodes?',
    ]


@pytest.mark.parametrize("option", OPTIONS)
def test_all_mistakes_are_reported_at_once_and_a_text_is_no_list(option):
    assert re.findall(r"^\w+\[\d\]", refusal(option, ["x.", "name", "y."]), re.MULTILINE) == [
        f"{option}[0]",
        f"{option}[2]",
    ]
    assert refusal(option, "name") == f'{option}: should be a list, not "name"'


@pytest.mark.parametrize("name", FIELDS["OmniCluster"])
def test_both_spellings_of_every_input_mean_the_same(name):
    for option in INPUT_OPTIONS:
        assert stored(option, name) == stored(option, wire_name(name))


def test_options_without_paths_stay_as_they_are():
    opts = pulumi.ResourceOptions(protect=True)
    to_stored_names(opts, {})
    assert [getattr(opts, option) for option in OPTIONS] == [None] * 4


OLD = {"talosVersion": "1.12.0", "controlPlane": 3, "workers": [{"count": 1}, {"labels": {"a.b/c": "d"}}]}


@pytest.mark.parametrize(
    ("path", "new", "replaces"),
    [
        ("talosVersion", {"talosVersion": "1.13.0"}, True),
        ("talosVersion", {"controlPlane": 5}, False),
        ("talosVersion", {"talosVersion": None}, True),
        ("*", {"controlPlane": 5}, True),
        ("*", {}, False),
        ("labels", {"labels": {"a": "b"}}, True),
        ("labels.a", {"labels": {"a": "b"}}, False),  # added as a whole
        ("controlPlane.count", {"controlPlane": {"count": 3}}, False),
        ("workers[0].count", {"workers": [{"count": 2}, OLD["workers"][1]]}, True),
        ("workers[1].count", {"workers": [{"count": 2}, OLD["workers"][1]]}, False),
        ("workers[*].count", {"workers": [{"count": 2}, OLD["workers"][1]]}, True),
        ('workers[1].labels["a.b/c"]', {"workers": [{"count": 1}, {"labels": {"a.b/c": "e"}}]}, True),
        ("workers", {"workers": OLD["workers"][:1]}, True),
        ("workers[1]", {"workers": OLD["workers"][:1]}, True),
    ],
)
def test_replace_on_changes_names_what_differs(path, new, replaces):
    inputs = {key: value for key, value in {**OLD, **new}.items() if value is not None}
    assert replaced_by([path], OLD, inputs) is replaces
