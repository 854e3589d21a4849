"""The clusters and machine classes that come before a cluster in its program, from what the program sends along."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.parse import InvalidCluster, parse_cluster
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.endpoint import another_omni
from ksail_pulumi.omni.resources import MACHINE_CLASS, Resource
from ksail_pulumi.plan.machine_class import DeclaredClass
from ksail_pulumi.plan.reservations import Earlier
from ksail_pulumi.provider.properties import ADOPT, CLASSES, DEPENDS, EARLIER
from ksail_pulumi.provider.run import this_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.model.parse import ClusterSpec
    from ksail_pulumi.provider.settings import Settings


def earlier_clusters(urn: str, settings: Settings, inputs: Mapping[str, Any]) -> list[Earlier]:
    """The clusters in the same Omni that the program declares before a resource; `check` has remembered them."""
    here = settings.endpoint_for(inputs)
    found: list[Earlier] = []
    for line in this_run.remembered(urn).get(EARLIER, "").splitlines():
        declared = _read(line)
        endpoint = settings.endpoint_for(declared.inputs)
        if declared.spec is None or another_omni(here, endpoint):
            continue
        freed = this_run.freed(endpoint, declared.spec.name)
        found.append(Earlier(declared.spec, adopt=declared.adopt, replaced=freed))
    return found


@dataclass(frozen=True)
class _Declared:
    inputs: Mapping[str, Any]
    adopt: bool
    spec: ClusterSpec | None


@lru_cache(maxsize=4096)  # every cluster comes with all that are declared before it
def _read(line: str) -> _Declared:
    inputs = json.loads(line)
    adopt = bool(inputs.pop(ADOPT, False))
    try:
        return _Declared(inputs, adopt, parse_cluster(inputs))
    except InvalidCluster:
        return _Declared(inputs, adopt, None)  # its own check reports it


def classes_of_program(urn: str, settings: Settings, inputs: Mapping[str, Any]) -> list[DeclaredClass]:
    """The machine classes in the same Omni that the program declares before a cluster. Only in a preview."""
    here = settings.endpoint_for(inputs)
    found: list[DeclaredClass] = []
    for declared in this_run.remembered(urn).get(CLASSES, ()):
        if not declared.get("name") or another_omni(here, settings.endpoint_for(declared)):
            continue
        selectors = declared.get("matchLabels") or ()
        spec = specs_pb2.MachineClassSpec(match_labels=[each for each in selectors if isinstance(each, str)])
        if declared["autoProvision"]:
            spec.auto_provision.SetInParent()
        found.append(DeclaredClass(Resource(MACHINE_CLASS, declared["name"], spec), bool(declared[DEPENDS])))
    return found
