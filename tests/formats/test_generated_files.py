"""Files as people write them are read, planned, exported and read again, and the plan is the same."""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from ksail_pulumi.formats.ksail import write as ksail
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.project import write_files
from ksail_pulumi.formats.python import program_text
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.formats.template.write import template_text
from ksail_pulumi.model.parse import ClusterSpec, parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import Assignment
from ksail_pulumi.plan.observe import observe
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider.spelling import to_wire as from_python
from tests.plan.rendering import rendered
from tests.sweeps import sample

from . import generated

SEEDS = range(67)  # for each of the three kinds
SAMPLE = 7


def planned(spec: ClusterSpec) -> list[Resource]:
    """What is written to Omni: a set with a number gets the next machines."""
    free = iter(generated.MACHINES)
    sets = {
        each.id(spec.name): each.machines if each.wanted is None else tuple(islice(free, each.wanted))
        for each in spec.machine_sets
    }
    assignment = Assignment({set_id: members for set_id, members in sets.items() if members is not None})
    return desired_resources(spec, Versions("1.13.8", "1.36.3"), assignment, OwnershipMark("organization/a/b/c"))


def compared(made: list[Resource]) -> Mapping[tuple[str, str], Any]:
    return {each.key: rendered(each) for each in made}


def exported(made: list[Resource]) -> dict[str, Any]:
    return to_wire(observe(made))


def as_template(made: list[Resource], folder: Path) -> ClusterSpec:
    path = folder / "exported.yaml"
    path.write_text(template_text(exported(made)))
    return parse_cluster(load_template(path))


def as_program(made: list[Resource]) -> ClusterSpec:
    """The inputs in the text of the program: it calls `OmniCluster` with literals."""
    calls = [each for each in ast.walk(ast.parse(program_text(exported(made)))) if isinstance(each, ast.Call)]
    (call,) = (each for each in calls if isinstance(each.func, ast.Name) and each.func.id == "OmniCluster")
    inputs = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg and each.arg != "opts"}
    return parse_cluster({"name": ast.literal_eval(call.args[0]), **from_python(inputs)})


def as_ksail(made: list[Resource], folder: Path) -> ClusterSpec:
    project = ksail.ksail_project(exported(made), "https://lab.omni.siderolabs.io:443")
    assert not project.unsaid
    write_files(project.files, folder / "exported")
    return parse_cluster(load_ksail(folder / "exported" / ksail.KSAIL_YAML, {}).spec)


@pytest.mark.parametrize("seed", sample(SEEDS, SAMPLE))
def test_what_is_generated_says_what_it_should(seed: int) -> None:
    """To another reader: PyYAML."""
    pick = random.Random(seed)
    values = generated.patch_documents(pick)
    text = generated.layout(pick).documents(values)
    assert [each for each in yaml.safe_load_all(text) if each is not None] == values


@pytest.mark.parametrize("seed", sample(SEEDS, SAMPLE))
def test_a_template_comes_back_to_the_same_plan(seed: int, tmp_path: Path) -> None:
    made = planned(parse_cluster(load_template(generated.template(seed, tmp_path))))
    assert compared(planned(as_template(made, tmp_path))) == compared(made)
    assert compared(planned(as_program(made))) == compared(made)


@pytest.mark.parametrize("seed", sample(SEEDS, SAMPLE))
def test_a_ksail_project_comes_back_to_the_same_plan(seed: int, tmp_path: Path) -> None:
    made = planned(parse_cluster(load_ksail(generated.ksail_project(seed, tmp_path), {}).spec))
    assert compared(planned(as_ksail(made, tmp_path))) == compared(made)
    assert compared(planned(as_template(made, tmp_path))) == compared(made)


@pytest.mark.parametrize("seed", sample(SEEDS, SAMPLE))
def test_the_inputs_of_a_program_come_back_to_the_same_plan(seed: int, tmp_path: Path) -> None:
    inputs = generated.program(seed, tmp_path)
    made = planned(parse_cluster(inputs, base=tmp_path / "cluster"))
    assert compared(planned(as_program(made))) == compared(made)
    assert compared(planned(as_template(made, tmp_path))) == compared(made)
