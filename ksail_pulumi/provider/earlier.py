"""The clusters and machine classes that come before a cluster in its program, from what the program sends along."""

from __future__ import annotations

import json
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
    for declared in this_run.remembered(urn).get(EARLIER, ()):
        endpoint = settings.endpoint_for(declared)
        if another_omni(here, endpoint):
            continue
        try:
            spec = _parsed(json.dumps({key: value for key, value in declared.items() if key != ADOPT}))
        except InvalidCluster:
            continue  # its own check reports it
        found.append(Earlier(spec, adopt=bool(declared.get(ADOPT)), replaced=this_run.freed(endpoint, spec.name)))
    return found


@lru_cache(maxsize=4096)  # every cluster comes with all that are declared before it
def _parsed(inputs: str) -> ClusterSpec:
    return parse_cluster(json.loads(inputs))


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
