"""Machine classes: their form in Omni and back, and the classes that a program declares."""

from __future__ import annotations

import pytest

from ksail_pulumi.model.machine_class import MachineClassInputs
from ksail_pulumi.model.parse import parse_inputs
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import MACHINE_CLASS, MACHINE_SET, Resource
from ksail_pulumi.plan.machine_class import (
    DeclaredClass,
    class_inputs,
    class_spec,
    kind_problems,
    users_of,
    with_class,
    with_declared,
)

LABELS = {"name": "c", "matchLabels": ["a = b, !c", "d"]}
PROVISIONED = {
    "name": "c",
    "autoProvision": {
        "providerId": "talemu",
        "providerData": "cpus:   4  # comment\n",
        "kernelArgs": ["a=1"],
        "metaValues": [{"key": 12, "value": "x"}],
        "grpcTunnel": False,
    },
}


def inputs(wire: dict[str, object]) -> MachineClassInputs:
    return parse_inputs(wire, MachineClassInputs)


def a_class(name: str, *labels: str) -> Resource:
    return Resource(MACHINE_CLASS, name, specs_pb2.MachineClassSpec(match_labels=labels))


def a_set(name: str, **fields: str) -> Resource:
    spec = specs_pb2.MachineSetSpec()
    for field, used in fields.items():
        getattr(spec, field).name = used
    return Resource(MACHINE_SET, name, spec)


@pytest.mark.parametrize("wire", [LABELS, PROVISIONED], ids=["labels", "auto-provision"])
def test_what_is_written_is_read_back_in_the_users_form(wire: dict[str, object]) -> None:
    spec = class_spec(inputs(wire))
    assert {"name": "c", **class_inputs(spec, inputs(wire))} == wire
    assert {"name": "c", **class_inputs(spec, None)} == wire


def test_settings_that_mean_something_else_are_drift() -> None:
    spec = class_spec(inputs(PROVISIONED))
    spec.auto_provision.provider_data = "cpus: 4\n"
    assert class_inputs(spec, inputs(PROVISIONED)) == {"autoProvision": PROVISIONED["autoProvision"]}
    spec.auto_provision.provider_data = "cpus: 5\n"
    assert class_inputs(spec, inputs(PROVISIONED))["autoProvision"]["providerData"] == "cpus: 5\n"


def test_the_deprecated_field_of_a_set_counts_as_use() -> None:
    sets = [a_set("x", machine_class="c"), a_set("a", machine_allocation="c"), a_set("o", machine_allocation="d")]
    assert [each.id for each in users_of("c", sets)] == ["a", "x"]


def test_the_kind_of_an_unused_class_can_change() -> None:
    assert list(kind_problems(a_class("c", "a"), inputs(PROVISIONED), [])) == []
    written = with_class(a_class("c", "a"), inputs(PROVISIONED), {"mark": "1"})
    assert (list(written.spec.match_labels), written.spec.auto_provision.provider_id) == ([], "talemu")


def test_a_declared_class_takes_the_place_of_an_existing_one_only_if_the_cluster_waits_for_it() -> None:
    existing = [a_class("c", "now"), a_class("d", "now")]
    declared = [
        DeclaredClass(a_class("c", "then"), depends=True),
        DeclaredClass(a_class("d", "then"), depends=False),
        DeclaredClass(a_class("e", "then"), depends=False),
    ]
    found, uncertain = with_declared(existing, declared)
    assert {each.id: list(each.spec.match_labels) for each in found} == {"c": ["then"], "d": ["now"], "e": ["then"]}
    assert uncertain == {"e"}
