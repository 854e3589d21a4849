"""The three ways to write inputs, and the one form they take on the wire."""

import dataclasses
import typing

import pulumi
import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.model import addons as components
from ksail_pulumi.model import cluster as models
from ksail_pulumi.provider import inputs, spelling
from ksail_pulumi.provider.inputs import (
    ComponentArgs,
    ComponentsArgs,
    ControlPlaneArgs,
    KubeconfigArgs,
    MachineArgs,
    MachineClassArgs,
    OmniClusterArgs,
    OnDeleteArgs,
    PatchArgs,
    WorkersArgs,
)
from ksail_pulumi.provider.spelling import to_wire

WIRE = {
    "talosVersion": "1.13.8",
    "controlPlane": {"machineClass": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"idOverride": "x_y", "inline": "a: 1"}]}},
    "components": {"cni": "cilium", "certManager": {"version": "1.21.2"}, "gitOpsEngine": {"name": "flux"}},
    "kubeconfig": {"renewBefore": "24h"},
    "waitFor": "running",
    "onDelete": {"disconnectedMachines": "wait"},
}
CLASSES = OmniClusterArgs(
    talos_version="1.13.8",
    control_plane=ControlPlaneArgs(machine_class=MachineClassArgs(name="big_ones", size=3), labels={"my_label": "1"}),
    workers=[WorkersArgs(name="gpu", count=2, patches=[PatchArgs(name="p", inline={"machine_x": {"a_b": 1}})])],
    machines={"my_uuid": MachineArgs(patches=[PatchArgs(id_override="x_y", inline="a: 1")])},
    components=ComponentsArgs(
        cni="cilium", cert_manager=ComponentArgs(version="1.21.2"), git_ops_engine=ComponentArgs(name="flux")
    ),
    kubeconfig=KubeconfigArgs(renew_before="24h"),
    wait_for="running",
    on_delete=OnDeleteArgs(disconnected_machines="wait"),
)
SNAKE_CASE = {
    "talos_version": "1.13.8",
    "control_plane": {"machine_class": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"id_override": "x_y", "inline": "a: 1"}]}},
    "components": {"cni": "cilium", "cert_manager": {"version": "1.21.2"}, "git_ops_engine": {"name": "flux"}},
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
    with pytest.raises(InputError, match=r"workers\[0\]\.machineClass: is given twice"):
        to_wire({"workers": [{"machine_class": {}, "machineClass": {}}]})


def test_an_unknown_name_reaches_the_check():
    assert to_wire({"control_plan": {"count": 1}}) == {"controlPlan": {"count": 1}}


def test_names_inside_an_output_are_respelled_too(loop):
    async def known():
        wire = to_wire({"workers": pulumi.Output.from_input([{"machine_class": {"name": "big"}}])})
        return await wire["workers"].future()

    assert loop.run_until_complete(known()) == [{"machineClass": {"name": "big"}}]


NAMES = [name for name in vars(inputs) if name.endswith("Args")]
MODELS = {"OmniClusterArgs": "ClusterSpec"}
READ_BY_THE_PROGRAM = {"file"}


@pytest.mark.parametrize("name", NAMES)
def test_the_classes_have_the_fields_of_the_model_and_their_names_on_the_wire(name):
    fields = {field.name for field in dataclasses.fields(getattr(inputs, name))} - READ_BY_THE_PROGRAM
    model_name = MODELS.get(name, name.removesuffix("Args"))
    model = getattr(models, model_name, None) or getattr(components, model_name)
    assert {field: spelling.wire_name(field) for field in fields} == {
        field: info.alias for field, info in model.model_fields.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_dictionaries_have_the_fields_and_types_of_the_classes(name):
    fields = {field.name: field.type.removesuffix(" | None") for field in dataclasses.fields(getattr(inputs, name))}
    twin = getattr(inputs, f"{name}Dict")
    found = {key: reference.__forward_arg__ for key, reference in twin.__annotations__.items()}
    assert found == fields
    assert not twin.__total__
    assert typing.is_typeddict(twin)
