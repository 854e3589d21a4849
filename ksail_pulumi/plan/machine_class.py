"""A machine class as a resource of Omni, and what a change of it means for the machine sets that use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.patches import patch_text, same_configuration
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ksail_pulumi.model.machine_class import AutoProvision, MachineClassInputs


@dataclass(frozen=True)
class DeclaredClass:
    """A machine class that the program of a cluster declares.

    Attributes:
        resource: The class as it will be, without the settings of its infra provider.
        depends: Whether it will exist when the cluster is created.
    """

    resource: Resource
    depends: bool


_TUNNEL = {None: specs_pb2.UNSET, True: specs_pb2.ENABLED, False: specs_pb2.DISABLED}


def class_spec(wanted: MachineClassInputs) -> specs_pb2.MachineClassSpec:
    """The spec of a class in Omni."""
    spec = specs_pb2.MachineClassSpec(match_labels=wanted.match_labels or ())
    if (provision := wanted.auto_provision) is not None:
        spec.auto_provision.CopyFrom(
            specs_pb2.MachineClassSpec.Provision(
                provider_id=provision.provider_id,
                kernel_args=provision.kernel_args or (),
                meta_values=[
                    specs_pb2.MetaValue(key=each.key, value=each.value) for each in provision.meta_values or ()
                ],
                provider_data=patch_text(provision.provider_data) if provision.provider_data is not None else "",
                grpc_tunnel=_TUNNEL[provision.grpc_tunnel],
            )
        )
    return spec


def class_inputs(spec: specs_pb2.MachineClassSpec, wanted: MachineClassInputs | None) -> dict[str, Any]:
    """The inputs of a class on the wire, in the user's own form where they still describe it."""
    found: dict[str, Any] = {}
    if spec.match_labels:
        found["matchLabels"] = list(spec.match_labels)
    if spec.HasField("auto_provision"):
        found["autoProvision"] = _provision(spec.auto_provision, wanted.auto_provision if wanted else None)
    return found


def _provision(spec: specs_pb2.MachineClassSpec.Provision, wanted: AutoProvision | None) -> dict[str, Any]:
    found: dict[str, Any] = {"providerId": spec.provider_id}
    given = wanted.provider_data if wanted is not None else None
    if given is not None and same_configuration(patch_text(given), spec.provider_data):
        found["providerData"] = given
    elif spec.provider_data:
        found["providerData"] = spec.provider_data
    if spec.kernel_args:
        found["kernelArgs"] = list(spec.kernel_args)
    if spec.meta_values:
        found["metaValues"] = [{"key": each.key, "value": each.value} for each in spec.meta_values]
    tunnel = next((given for given, number in _TUNNEL.items() if number == spec.grpc_tunnel), None)
    if tunnel is not None:
        found["grpcTunnel"] = tunnel
    return found


def users_of(name: str, machine_sets: Iterable[Resource]) -> list[Resource]:
    """The machine sets that use a class. Omni reads the deprecated field too."""
    return sorted(
        (each for each in machine_sets if name in (each.spec.machine_allocation.name, each.spec.machine_class.name)),
        key=lambda each: each.id,
    )


def kind_problems(actual: Resource, wanted: MachineClassInputs, users: Sequence[Resource]) -> Iterator[Problem]:
    """Refuse to change the kind of a class in use.

    Omni accepts it, and deprovisions all machines of a set at the set's next change.
    """
    provisioned = actual.spec.HasField("auto_provision")
    if not users or provisioned == (wanted.auto_provision is not None):
        return
    before, after = ("autoProvision", "matchLabels") if provisioned else ("matchLabels", "autoProvision")
    yield Problem(
        (after,),
        f"cannot replace {before} while machine sets use the class: Omni would deprovision all machines of a set at "
        f"the next change of it. {_in_use(users)}. Create another machine class for them, and change this one "
        "when no set uses it",
    )


def deletion_warning(name: str, users: Sequence[Resource]) -> Iterator[str]:
    """A warning if a class that will be deleted is in use."""
    if users:
        yield f"machine class {name} will be deleted, and Omni refuses that while machine sets use it. {_in_use(users)}"


def effects(actual: Resource, wanted: MachineClassInputs, users: Sequence[Resource]) -> Iterator[str]:
    """What a change means for the machines that exist."""
    if not users or wanted.auto_provision is None or actual.spec == class_spec(wanted):
        return
    yield f"only machines that are created later follow the change. {_in_use(users)}"


def takeover(actual: Resource, wanted: MachineClassInputs, owner: str | None) -> Iterator[str]:
    """What happens to a class that is taken over."""
    now, then = class_inputs(actual.spec, wanted), class_inputs(class_spec(wanted), wanted)
    changed = sorted(key for key in {**now, **then} if now.get(key) != then.get(key))
    whose = f", which is managed by {owner}," if owner else ""
    what = f"changed: {', '.join(changed)}" if changed else "not changed"
    yield f"machine class {actual.id}{whose} is taken over, and {what}"


def _in_use(users: Sequence[Resource]) -> str:
    return f"In use by: {', '.join(f'{each.id} of cluster {each.cluster}' for each in users)}"


def unknown_provider(wanted: MachineClassInputs, providers: Sequence[Resource] | None) -> Iterator[Problem]:
    """Refuse an infra provider that Omni does not know, if its providers could be read."""
    if wanted.auto_provision is None or providers is None:
        return
    known = sorted(each.id for each in providers)
    if wanted.auto_provision.provider_id not in known:
        listed = f"known are {', '.join(known)}" if known else "there are none"
        yield Problem(
            ("autoProvision", "providerId"),
            f"infra provider {{provider}} not found; {listed}",
            provider=wanted.auto_provision.provider_id,
        )


def with_class(actual: Resource | None, wanted: MachineClassInputs, annotations: dict[str, str]) -> Resource:
    """The resource to write; labels and annotations of others are kept."""
    if actual is None:
        return Resource(omni.MACHINE_CLASS, wanted.name, class_spec(wanted), annotations=annotations)
    return replace(
        actual,
        spec=omni.with_known_fields(actual.spec, class_spec(wanted)),
        annotations={**actual.annotations, **annotations},
    )


def with_declared(classes: Sequence[Resource], declared: Iterable[DeclaredClass]) -> tuple[list[Resource], set[str]]:
    """The classes that a cluster can use, and the names of those that may not exist when it is created."""
    found, uncertain = {each.id: each for each in classes}, set()
    for each in declared:
        name = each.resource.id
        if each.depends or name not in found:
            found[name] = each.resource
            uncertain |= set() if each.depends else {name}
    return list(found.values()), uncertain
