"""The three ways to write inputs, and the one form they take on the wire."""

import dataclasses
import typing

import pulumi
import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.provider import args
from ksail_pulumi.provider.args import (
    KubeconfigArgs,
    MachineArgs,
    MachineClassArgs,
    MachineSetArgs,
    OmniClusterArgs,
    OnDeleteArgs,
    PatchArgs,
    WorkersArgs,
    to_wire,
)
from ksail_pulumi.spec import cluster as models

WIRE = {
    "talosVersion": "1.13.8",
    "controlPlane": {"machineClass": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"idOverride": "x_y", "inline": "a: 1"}]}},
    "kubeconfig": {"renewBefore": "24h"},
    "waitFor": "running",
    "onDelete": {"disconnectedMachines": "wait"},
}
CLASSES = OmniClusterArgs(
    talos_version="1.13.8",
    control_plane=MachineSetArgs(machine_class=MachineClassArgs(name="big_ones", size=3), labels={"my_label": "1"}),
    workers=[WorkersArgs(name="gpu", count=2, patches=[PatchArgs(name="p", inline={"machine_x": {"a_b": 1}})])],
    machines={"my_uuid": MachineArgs(patches=[PatchArgs(id_override="x_y", inline="a: 1")])},
    kubeconfig=KubeconfigArgs(renew_before="24h"),
    wait_for="running",
    on_delete=OnDeleteArgs(disconnected_machines="wait"),
)
SNAKE_CASE = {
    "talos_version": "1.13.8",
    "control_plane": {"machine_class": {"name": "big_ones", "size": 3}, "labels": {"my_label": "1"}},
    "workers": [{"name": "gpu", "count": 2, "patches": [{"name": "p", "inline": {"machine_x": {"a_b": 1}}}]}],
    "machines": {"my_uuid": {"patches": [{"id_override": "x_y", "inline": "a: 1"}]}},
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


PAIRS = [
    ("OmniClusterArgs", "ClusterSpec"),
    ("MachineSetArgs", "ControlPlane"),
    ("WorkersArgs", "Workers"),
    ("MachineArgs", "Machine"),
    ("MachineClassArgs", "MachineClass"),
    ("PatchArgs", "Patch"),
    ("KubeconfigArgs", "Kubeconfig"),
    ("OnDeleteArgs", "OnDelete"),
]


@pytest.mark.parametrize(("name", "model"), PAIRS)
def test_the_classes_have_the_fields_of_the_model(name, model):
    fields = {field.name for field in dataclasses.fields(getattr(args, name))}
    on_the_program_side_only = {"file"} if name == "PatchArgs" else set()
    assert fields - on_the_program_side_only == set(getattr(models, model).model_fields)


@pytest.mark.parametrize("name", [name for name, _ in PAIRS])
def test_the_dictionaries_have_the_fields_and_types_of_the_classes(name):
    fields = {field.name: field.type.removesuffix(" | None") for field in dataclasses.fields(getattr(args, name))}
    twin = getattr(args, f"{name}Dict")
    found = {key: reference.__forward_arg__ for key, reference in twin.__annotations__.items()}
    assert found == fields
    assert not twin.__total__
    assert typing.is_typeddict(twin)
