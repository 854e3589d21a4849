"""The machines of an account as they are in Omni: what `machines` shows, and which ones a selector matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.selectors import OMNI_PREFIX, parse_selector
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import MACHINE_SET_NODE, MACHINE_STATUS, TALOS_VERSION, enum_name
from ksail_pulumi.plan.machines import NONE_TAKEN, Availability
from ksail_pulumi.plan.versions import resolve_versions
from ksail_pulumi.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.omni.resources import Resource


class MachineOverview(TypedDict):
    """A machine of the account.

    Attributes:
        id: Its ID.
        hostname: Its hostname; `""` while it has none.
        cluster: The cluster that it is in; `""` for none.
        role: `CONTROL_PLANE` or `WORKER` in a cluster, else `NONE`.
        free: Whether a new cluster can take it.
        whyNotFree: Why it cannot; `""` for a free machine.
        connected: Whether it is connected to Omni.
        talosVersion: The Talos version that runs on it, without `v`.
        arch: Its architecture, such as `amd64`.
        cores: Its processor cores.
        memoryBytes: Its memory.
        diskBytes: The size of all its disks together.
        addresses: Its IP addresses.
        labels: Its own labels.
        omniLabels: The labels that Omni gives it, without their prefix. Selectors match both.
    """

    id: str
    hostname: str
    cluster: str
    role: str
    free: bool
    whyNotFree: str
    connected: bool
    talosVersion: str
    arch: str
    cores: int
    memoryBytes: int
    diskBytes: int
    addresses: list[str]
    labels: dict[str, str]
    omniLabels: dict[str, str]


def list_machines(client: Client, selector: str) -> list[MachineOverview]:
    """The machines that a selector matches, by ID, in one round trip; `""` matches all.

    Free is what a new cluster with the newest Talos version can take.

    Raises:
        InputError: The selector is not valid.
        OmniError: Omni did not answer.
    """
    calls = [client.state.start_list(kind) for kind in (MACHINE_STATUS, MACHINE_SET_NODE, TALOS_VERSION)]
    statuses, nodes, versions = (call.result() for call in calls)
    held = {node.id: node.cluster for node in nodes}
    pool = Availability("", resolve_versions(None, None, versions), held, taken=NONE_TAKEN, named=())
    return [_overview(each, pool) for each in matching(statuses, selector)]


def matching(statuses: Iterable[Resource], selector: str) -> list[Resource]:
    """The statuses of machines that a selector matches, by ID.

    Raises:
        InputError: The selector is not valid.
    """
    try:
        wanted = parse_selector(selector)
    except ValueError as error:
        raise InputError("selector", f"{shown(selector)} is not a selector: {error}") from None
    return sorted((each for each in statuses if wanted.matches(each.labels)), key=lambda each: each.id)


def _overview(status: Resource, pool: Availability) -> MachineOverview:
    spec = status.spec
    reason = pool.why_not(status)
    labels = dict(sorted(status.labels.items()))
    return {
        "id": status.id,
        "hostname": spec.network.hostname,
        "cluster": pool.cluster_of(status),
        "role": enum_name(specs_pb2.MachineStatusSpec.Role, spec.role),
        "free": reason is None,
        "whyNotFree": reason or "",
        "connected": spec.connected,
        "talosVersion": spec.talos_version.removeprefix("v"),
        "arch": spec.hardware.arch,
        "cores": sum(each.core_count for each in spec.hardware.processors),
        "memoryBytes": sum(each.size_mb for each in spec.hardware.memory_modules) * 2**20,
        "diskBytes": sum(each.size for each in spec.hardware.blockdevices if not (each.readonly or each.cdrom)),
        "addresses": list(spec.network.addresses),
        "labels": {key: value for key, value in labels.items() if not key.startswith(OMNI_PREFIX)},
        "omniLabels": {
            key.removeprefix(OMNI_PREFIX): value for key, value in labels.items() if key.startswith(OMNI_PREFIX)
        },
    }
