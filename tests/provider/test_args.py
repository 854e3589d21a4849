"""The three ways to write inputs, and the one form they take on the wire."""

import ast
import dataclasses
import inspect
from itertools import pairwise

import pulumi
import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.descriptions import described, descriptions
from ksail_pulumi.model import addons, cluster, etcd_backup, machine_class, machine_config
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.provider import inputs
from ksail_pulumi.provider.fields import FIELDS, FORMER_NAMES
from ksail_pulumi.provider.inputs import (
    AddonArgs,
    AddonsArgs,
    ControlPlaneArgs,
    KubeconfigArgs,
    MachineArgs,
    MachineClassArgs,
    OmniClusterArgs,
    OnDeleteArgs,
    PatchArgs,
    WorkersArgs,
)
from ksail_pulumi.provider.spelling import deprecations, to_wire, wire_name

WIRE = {
    "talosVersion": "1.13.8",
    "controlPlane": {"machineClass": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"idOverride": "x_y", "inline": "a: 1"}]}},
    "addons": {"cni": "cilium", "certManager": {"version": "1.21.2"}, "gitOpsEngine": {"name": "flux"}},
    "kubeconfig": {"renewBefore": "24h"},
    "waitFor": "running",
    "onDelete": {"disconnectedMachines": "wait"},
}
CLASSES = OmniClusterArgs(
    talos_version="1.13.8",
    control_plane=ControlPlaneArgs(machine_class=MachineClassArgs(name="big_ones", size=3), labels={"my_label": "1"}),
    workers=[WorkersArgs(name="gpu", count=2, patches=[PatchArgs(name="p", inline={"machine_x": {"a_b": 1}})])],
    machines={"my_uuid": MachineArgs(patches=[PatchArgs(id_override="x_y", inline="a: 1")])},
    addons=AddonsArgs(cni="cilium", cert_manager=AddonArgs(version="1.21.2"), git_ops_engine=AddonArgs(name="flux")),
    kubeconfig=KubeconfigArgs(renew_before="24h"),
    wait_for="running",
    on_delete=OnDeleteArgs(disconnected_machines="wait"),
)
SNAKE_CASE = {
    "talos_version": "1.13.8",
    "control_plane": {"machine_class": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"id_override": "x_y", "inline": "a: 1"}]}},
    "addons": {"cni": "cilium", "cert_manager": {"version": "1.21.2"}, "git_ops_engine": {"name": "flux"}},
    "kubeconfig": {"renew_before": "24h"},
    "wait_for": "running",
    "on_delete": {"disconnected_machines": "wait"},
}


@pytest.mark.parametrize("written", [CLASSES, SNAKE_CASE, WIRE], ids=["classes", "snake_case", "camelCase"])
def test_every_way_of_writing_gives_the_same_wire(written):
    assert to_wire(written) == WIRE


def test_what_was_not_set_is_left_out_and_what_was_set_to_nothing_stays():
    assert to_wire(OmniClusterArgs(patches=[], workers=0)) == {"patches": [], "workers": 0}


def test_an_input_in_both_spellings_is_refused():
    with pytest.raises(InputError, match=r"workers\[0\]\.machineClass: is set twice"):
        to_wire({"workers": [{"machine_class": {}, "machineClass": {}}]})


def test_an_unknown_name_reaches_the_check():
    assert to_wire({"control_plan": {"count": 1}}) == {"controlPlan": {"count": 1}}


def test_names_inside_an_output_are_respelled_too(loop):
    async def known():
        wire = to_wire({"workers": pulumi.Output.from_input([{"machine_class": {"name": "big"}}])})
        return await wire["workers"].future()

    assert loop.run_until_complete(known()) == [{"machineClass": {"name": "big"}}]


FORMERLY = [
    OmniClusterArgs(components=AddonsArgs(cni="cilium", cert_manager=True)),
    {"components": {"cni": "cilium", "cert_manager": True}},
    {"components": {"cni": "cilium", "certManager": True}},
]


@pytest.mark.parametrize("written", FORMERLY, ids=["classes", "snake_case", "camelCase"])
def test_an_input_under_its_former_name_is_the_same_and_is_warned_of(written):
    assert to_wire(written) == {"addons": {"cni": "cilium", "certManager": True}}
    assert deprecations(written) == ["input components is deprecated: use addons"]


@pytest.mark.parametrize("written", [CLASSES, SNAKE_CASE, WIRE], ids=["classes", "snake_case", "camelCase"])
def test_todays_names_are_not_warned_of(written):
    assert deprecations(written) == []


def test_an_input_under_its_former_and_its_present_name_is_refused():
    with pytest.raises(InputError, match="addons: is set twice"):
        to_wire({"addons": {}, "components": {}})


@pytest.mark.parametrize("written", [3, 3.0, {"count": 3}, ControlPlaneArgs(count=3)])
def test_a_number_is_a_control_plane_of_that_many_machines(written):
    spec = parse_cluster({"name": "west", **to_wire({"control_plane": written})})
    assert spec.control_plane == cluster.ControlPlane(count=3)


MODELS = {"OmniCluster": cluster.ClusterSpec}
WITH_CLASSES = [part for part in FIELDS if not part.endswith("Inputs")]
"""The resources other than clusters take keyword arguments only."""


def model_of(part):
    if part in MODELS:
        return MODELS[part]
    return next(
        getattr(module, part)
        for module in (cluster, addons, machine_class, etcd_backup, machine_config)
        if hasattr(module, part)
    )


@pytest.mark.parametrize("part", FIELDS)
def test_every_name_on_the_wire_is_the_models_and_stays_itself(part):
    wire = {
        name: field.wire for name, field in FIELDS[part].items() if part != "OmniCluster" or name not in FORMER_NAMES
    }
    assert wire == {name: info.alias for name, info in model_of(part).model_fields.items()}
    assert {name: wire_name(name, part) for name in wire} == wire
    assert [wire_name(name, part) for name in wire.values()] == list(wire.values())


# Parsed while the tests are collected: CPython 3.11 cannot parse in one thread while another formats a traceback.
INPUTS_TREE = ast.parse(inspect.getsource(inputs))


def described_classes():
    """What stands below each class and each field of `provider/inputs.py`, by class and field."""
    for node in INPUTS_TREE.body:
        if isinstance(node, ast.ClassDef):
            below = {
                field.target.id: " ".join(text.value.value.split())
                for field, text in pairwise(node.body)
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
            }
            yield node.name, ast.get_docstring(node), below


@pytest.mark.parametrize("suffix", ["Args", "ArgsDict"])
def test_every_field_is_described_below_it_in_both_forms(suffix):
    found = {name.removesuffix(suffix): rest for name, *rest in described_classes() if name.endswith(suffix)}
    assert [*found] == WITH_CLASSES
    for part, (docstring, below) in found.items():
        model = model_of(part)
        assert " ".join(docstring.split()) == described(model)
        assert {name: text for name, text in below.items() if name in model.model_fields} == descriptions(model)
        assert below.keys() == FIELDS[part].keys()
        assert all(below.values())


@pytest.mark.parametrize("part", WITH_CLASSES)
def test_the_two_forms_have_the_same_types(part):
    fields = dataclasses.fields(getattr(inputs, f"{part}Args"))
    twin = getattr(inputs, f"{part}ArgsDict")
    found = {key: reference.__forward_arg__ for key, reference in twin.__annotations__.items()}
    assert found == {field.name: field.type.removesuffix(" | None") for field in fields}
    assert not twin.__total__


def test_no_repr_shows_what_may_be_secret():
    patch = PatchArgs(name="p", inline="s3cret", labels={"a": "s3cret"}, description="s3cret")
    assert repr(patch) == "PatchArgs(name='p', file=None, id_override=None)"
