from __future__ import annotations

import pytest

from ksail_pulumi.omni.api import resource_pb2
from ksail_pulumi.simulator import envelope
from ksail_pulumi.simulator.store import StoreError


@pytest.mark.parametrize(
    ("version", "fault"),
    [
        ("", "invalid syntax"),
        ("1.5", "invalid syntax"),
        ("\N{ARABIC-INDIC DIGIT THREE}", "invalid syntax"),
        ("9223372036854775808", "value out of range"),
        ("9" * 5000, "value out of range"),
    ],
)
def test_a_version_that_go_cannot_read_is_refused_in_its_words(version: str, fault: str) -> None:
    wire = resource_pb2.Resource(
        metadata=resource_pb2.Metadata(version=version, phase="running"), spec=resource_pb2.Spec()
    )
    with pytest.raises(StoreError) as raised:
        envelope.check(True, wire)
    assert raised.value.text == f'error parsing version: strconv.ParseInt: parsing "{version}": {fault}'


@pytest.mark.parametrize("version", ["undefined", "1", "+5", "-3", "0009223372036854775807"])
def test_a_version_that_go_can_read_is_taken(version: str) -> None:
    wire = resource_pb2.Resource(
        metadata=resource_pb2.Metadata(version=version, phase="running"), spec=resource_pb2.Spec()
    )
    envelope.check(True, wire)
