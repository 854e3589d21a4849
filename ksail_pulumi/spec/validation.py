"""What cannot be a cluster, found without asking Omni; the texts are omnictl's where it has one."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ksail_pulumi.spec.durations import duration
from ksail_pulumi.spec.patches import patch_problems
from ksail_pulumi.spec.problems import Problem
from ksail_pulumi.spec.reasons import field_path
from ksail_pulumi.spec.selectors import OMNI_PREFIX, parse_selector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ksail_pulumi.spec.models import ClusterSpec, MachineSet, Patch

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_TTL_HOURS = 87600  # Omni's limit for a service account's kubeconfig


def validate(spec: ClusterSpec) -> list[Problem]:
    """Everything about a cluster that its fields alone do not tell, one problem for a field."""
    problems: dict[str, Problem] = {}
    for problem in _rules(spec):
        problems.setdefault(problem.field, problem)
    return list(problems.values())


def _rules(spec: ClusterSpec) -> Iterator[Problem]:
    yield from _name(spec)
    yield from _metadata("", spec.labels, spec.annotations)
    yield from _patches("", spec.patches)
    for index, machine_set in enumerate(spec.machine_sets):
        yield from _machine_set(spec.set_field(index), machine_set)
    yield from _control_plane(spec)
    yield from _worker_names(spec)
    yield from _machine_use(spec)
    for machine_id, machine in spec.machines.items():
        prefix = field_path(["machines", machine_id])
        if not _UUID.fullmatch(machine_id):
            yield Problem(prefix, f'invalid machine ID "{machine_id}": it should be a UUID')
        yield from _metadata(prefix + ".", machine.labels, machine.annotations)
        yield from _patches(prefix + ".", machine.patches)
    yield from _kubeconfig(spec)


def _name(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.name:
        yield Problem("name", "name is required")
    elif not all(character.isalpha() or character.isdecimal() or character in "-_" for character in spec.name):
        yield Problem("name", "name should only contain letters, digits, dashes and underscores")


def _metadata(
    prefix: str, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None
) -> Iterator[Problem]:
    for kind, entries in (("label", labels), ("annotation", annotations)):
        for key, value in (entries or {}).items():
            field = field_path([f"{prefix}{kind}s", key]) if not prefix else prefix + field_path([f"{kind}s", key])
            if key.startswith(OMNI_PREFIX):
                yield Problem(field, f'{kind} "{key}" is invalid: prefix "{OMNI_PREFIX}" is reserved for internal use')
            elif any(ord(character) < 32 or ord(character) == 127 for character in key + value):
                yield Problem(field, "cannot hold control characters, also no line breaks")


def _patches(prefix: str, patches: Sequence[Patch] | None) -> Iterator[Problem]:
    for index, patch in enumerate(patches or ()):
        field = f"{prefix}patches[{index}]"
        yield from _metadata(field + ".", patch.labels, patch.annotations)
        if patch.inline is None:
            yield Problem(field, "path or inline is required: give the patch as inline or as file")
            continue
        if not patch.name and not patch.id_override:
            yield Problem(field, "either name or idOverride is required for inline patches")
        yield from patch_problems(f"{field}.inline", patch.inline)


def _machine_set(field: str, machine_set: MachineSet) -> Iterator[Problem]:
    if machine_set.machines is not None and machine_set.machine_class is not None:
        yield Problem(field, "machine set can not have both machines and machine class defined")
    elif machine_set.count is not None and machine_set.wanted is None:
        other = "machines" if machine_set.machines is not None else "machineClass"
        yield Problem(f"{field}.count", f"count and {other} are mutually exclusive: keep one of them")
    if machine_set.selector is not None and machine_set.wanted is None:
        yield Problem(f"{field}.selector", "selector chooses among free machines, so it goes with count only")
    elif machine_set.selector is not None:
        try:
            parse_selector(machine_set.selector)
        except ValueError as error:
            yield Problem(f"{field}.selector", f"not a label selector: {error}")
    for index, machine_id in enumerate(machine_set.machines or ()):
        if not _UUID.fullmatch(machine_id):
            yield Problem(f"{field}.machines[{index}]", f'invalid machine ID "{machine_id}": it should be a UUID')
    yield from _metadata(field + ".", machine_set.labels, machine_set.annotations)
    yield from _patches(field + ".", machine_set.patches)


def _control_plane(spec: ClusterSpec) -> Iterator[Problem]:
    control_plane = spec.control_plane
    if control_plane.count == 0:
        yield Problem("controlPlane.count", "control plane machine set must have at least one node")
    if control_plane.machines == ():
        yield Problem("controlPlane.machines", "control plane machine set must have at least one node")


def _worker_names(spec: ClusterSpec) -> Iterator[Problem]:
    seen = set()
    for index, workers in enumerate(spec.workers):
        name = workers.set_name
        if name == "control-planes":
            yield Problem(f"workers[{index}].name", 'name "control-planes" cannot be used in workers')
        elif not name:
            yield Problem(f"workers[{index}].name", "cannot be empty; leave it out for the default set")
        elif name in seen:
            yield Problem(f"workers[{index}].name", f'duplicate workers with name "{name}"')
        seen.add(name)


def _machine_use(spec: ClusterSpec) -> Iterator[Problem]:
    """A machine is in one set, once; a machine that is described is in one at all."""
    uses: dict[str, str] = {}
    for index, machine_set in enumerate(spec.machine_sets):
        repeated = {machine for machine, times in Counter(machine_set.machines or ()).items() if times > 1}
        for position, machine in enumerate(machine_set.machines or ()):
            field = f"{spec.set_field(index)}.machines[{position}]"
            first = uses.setdefault(machine, field)
            if first == field:
                continue
            if machine in repeated and first.startswith(spec.set_field(index) + "."):
                yield Problem(field, f'machine "{machine}" is named twice')
            elif first.startswith("controlPlane"):
                yield Problem(field, f"machines [{machine}] are used in both controlplane and workers")
            else:
                yield Problem(field, f'machine "{machine}" is used in multiple workers: it is in {first} already')
    if all(machine_set.machines is not None for machine_set in spec.machine_sets):
        for machine in spec.machines:
            if machine not in uses:
                yield Problem(
                    field_path(["machines", machine]), f'machine "{machine}" is not used in controlplane or workers'
                )


def _kubeconfig(spec: ClusterSpec) -> Iterator[Problem]:
    ttl = duration(spec.kubeconfig.ttl)
    if ttl.total_seconds() <= 0:
        yield Problem("kubeconfig.ttl", "should be longer than 0")
    elif ttl.total_seconds() > _LONGEST_TTL_HOURS * 3600:
        yield Problem("kubeconfig.ttl", f"is too long (max allowed: {_LONGEST_TTL_HOURS}h0m0s)")
    elif spec.kubeconfig.renewal >= ttl:
        yield Problem("kubeconfig.renewBefore", f"should be shorter than ttl, which is {spec.kubeconfig.ttl}")
    if not spec.kubeconfig.user:
        yield Problem("kubeconfig.user", "cannot be empty")
