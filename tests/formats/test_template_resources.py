"""Templates and the resources that omnictl makes of them: `data/templates/NAME.yaml` and `NAME-resources.yaml`.

The pairs hold what omnictl sets, in its order; only the annotations that say who manages a resource are not in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from ksail_pulumi.formats.template import file as template_file
from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.formats.template.write import template_text
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.model.reasons import model_in
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import Assignment
from ksail_pulumi.plan.ownership import OwnershipMark
from tests.plan.rendering import by_type, rendered

FOLDER = Path(__file__).parent / "data" / "templates"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.endswith("-resources"))
MARK = OwnershipMark("organization/shop/dev/edge")


def resources(path: Path) -> list[dict[str, Any]]:
    spec = parse_cluster(load_template(path))
    sets = {each.id(spec.name): each.machines for each in spec.machine_sets if each.machines is not None}
    versions = Versions(spec.talos_version or "", spec.kubernetes_version or "")
    made = [rendered(each) for each in desired_resources(spec, versions, Assignment(sets), MARK)]
    for metadata in (each["metadata"] for each in made):
        annotations = {key: value for key, value in metadata["annotations"].items() if key not in MARK.annotations()}
        metadata["annotations"] = annotations
        if not annotations:
            del metadata["annotations"]
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_template_becomes_the_resources_that_omnictl_makes_of_it(name):
    expected = list(yaml.safe_load_all((FOLDER / f"{name}-resources.yaml").read_text()))
    assert by_type(resources(FOLDER / f"{name}.yaml")) == by_type(expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_that_was_read_can_be_written_again(name, tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(template_text(load_template(FOLDER / f"{name}.yaml")))
    assert resources(path) == resources(FOLDER / f"{name}.yaml")
    assert template_text(load_template(path)) == path.read_text()


def fields_of(model: type[BaseModel], found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All fields of a model and of those in it, each with the name of its model."""
    for name, info in model.model_fields.items():
        found.add((model.__name__, info.alias or name))
        if inner := model_in(info.annotation):
            fields_of(inner, found)
    return found


def used_fields(model: type[BaseModel], value: dict[str, Any]) -> set[tuple[str, str]]:
    used = set()
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if value.get(alias) is not None:
            used.add((model.__name__, alias))
            parts = value[alias] if isinstance(value[alias], list) else [value[alias]]
            if inner := model_in(info.annotation):
                used |= set().union(*(used_fields(inner, part) for part in parts))
    return used


def test_every_field_of_a_template_is_in_one_of_them():
    known = set().union(*(fields_of(model, set()) for model in template_file.KINDS.values()))
    used = set()
    for name in NAMES:
        for document in yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()):
            used |= used_fields(template_file.KINDS[document["kind"]], document)
    assert known - used == set()
