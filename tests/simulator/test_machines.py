from __future__ import annotations

import uuid

import pytest

from ksail_pulumi.simulator.machines import Machines, MachineSetup, Schematic


def test_the_same_seed_makes_the_same_machines_and_another_one_makes_others() -> None:
    first = Machines(5, seed=7, talos_version="1.13.8")
    again = Machines(5, seed=7, talos_version="1.13.8")
    other = Machines(5, seed=8, talos_version="1.13.8")

    def facts(machines: Machines) -> list[tuple[str, str, int, int, int]]:
        return [(item.id, item.address, item.cores, item.memory_gib, item.disk_gb) for item in machines]

    assert facts(first) == facts(again)
    assert not {item.id for item in first} & {item.id for item in other}


def test_machines_have_valid_and_distinct_uuids_and_are_found_by_number_or_id() -> None:
    machines = Machines(100, seed=0, talos_version="1.13.8")
    ids = {machine.id for machine in machines}
    assert len(ids) == len(machines) == 100
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in ids)
    assert machines[machines[42].id] is machines[42]
    assert machines.find("nobody") is None


def test_a_set_up_is_kept() -> None:
    setup = MachineSetup(id="10001802-c798-4da7-a410-f09abb48c8d8", talos_version="1.12.10", installed=True, cores=2)
    machine = Machines([setup, MachineSetup()], seed=0, talos_version="1.13.8")[0]
    assert (machine.id, machine.talos_version, machine.installed, machine.cores) == (
        "10001802-c798-4da7-a410-f09abb48c8d8",
        "1.12.10",
        True,
        2,
    )
    assert Machines([MachineSetup()], seed=0, talos_version="1.13.8")[0].talos_version == "1.13.8"


def test_two_machines_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="an ID of its own"):
        Machines([MachineSetup(id="a"), MachineSetup(id="a")], seed=0, talos_version="1.13.8")


def test_a_machine_in_maintenance_is_named_by_its_uuid() -> None:
    machine = Machines(1, seed=0, talos_version="1.13.8")[0]
    assert machine.maintenance
    assert machine.name == machine.id


def test_a_schematic_is_named_by_its_content() -> None:
    plain, with_gvisor = Schematic(), Schematic(extensions=("siderolabs/gvisor",))
    assert plain.id == Schematic().id != with_gvisor.id
    assert len(plain.id) == 64
    assert "siderolabs/gvisor" in with_gvisor.raw(("talos.events.sink=x",))


@pytest.mark.parametrize("machines", ["x", ["x"], 3.0, MachineSetup()])
def test_what_is_no_machines_is_refused(machines):
    with pytest.raises(TypeError, match="should be a number, or a list of MachineSetup"):
        Machines(machines, seed=0, talos_version="1.13.8")
