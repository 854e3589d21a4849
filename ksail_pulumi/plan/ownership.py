"""Whose a cluster is, and whether its creation has finished: what this package writes into annotations in Omni.

The state of a stack says which cluster a resource has, by the cluster's UUID. The annotations serve where there is no
state: before the first one is saved, and for everybody who looks at Omni.
"""

from __future__ import annotations

import getpass
import json
import os
import pathlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ksail_pulumi.omni import resources as omni

if TYPE_CHECKING:
    from ksail_pulumi.omni.resources import Resource

ANNOTATION_OWNER = "ksail-pulumi/owner"
ANNOTATION_CREATION = "ksail-pulumi/creation"
ANNOTATION_MACHINE_CONFIG = "ksail-pulumi/machine-config"
MANAGER = "Pulumi"
_CLUSTER_KIND = "pulumi-python:dynamic/ksail:OmniCluster"


@dataclass(frozen=True)
class OwnershipMark:
    """Which Pulumi resource a resource in Omni belongs to, written into its annotations.

    Attributes:
        owner: `organization/project/stack/resource`, see `owner_by_urn`.
        former: Marks that this resource had before, when the stack or the resource had another name.
    """

    owner: str
    former: frozenset[str] = frozenset()

    @property
    def urn(self) -> str:
        """The URN of the cluster with this mark; `""` if the mark does not have it."""
        if self.owner.count("/") < 3:
            return ""
        _, project, stack, resource = self.owner.split("/", 3)
        kind, name = resource.split("::", 1) if "::" in resource else (_CLUSTER_KIND, resource)
        return f"urn:pulumi:{stack}::{project}::{kind}::{name}"

    @property
    def stack(self) -> str:
        """The stack, as `organization/project/stack`."""
        return "/".join(self.owner.split("/", 3)[:3])

    def annotations(self) -> dict[str, str]:
        """The annotations that make a resource ours; Omni's UI shows the first one."""
        return {omni.ANNOTATION_MANAGED_BY_GITOPS: MANAGER, ANNOTATION_OWNER: self.owner}

    def names(self, owner: str | None) -> bool:
        """Whether this is our mark, or one that we had before."""
        return owner == self.owner or owner in self.former

    def owns(self, resource: Resource) -> bool:
        """Whether a resource is ours, given that its cluster is.

        In a cluster any mark of this package counts: whose the cluster is was decided by its UUID, and a crash may have
        left a former mark behind. What stays with a machine has no cluster label, so its mark must be ours. What a
        `MachineConfig` has set is never a cluster's, even if the resources of both have the same name.
        """
        owner = self.owner_of(resource)
        if owner is None or of_machine_config(resource):
            return False
        return bool(resource.cluster) or self.names(owner)

    @staticmethod
    def owner_of(resource: Resource) -> str | None:
        """The owner that stands in a resource's annotations, whoever it is; None if nobody marked it."""
        return resource.annotations.get(ANNOTATION_OWNER)


@dataclass(frozen=True)
class MachineConfigMark(OwnershipMark):
    """The mark on the resources of a `MachineConfig`."""

    def annotations(self) -> dict[str, str]:
        """The annotations that make a resource ours, and no cluster's."""
        return {**super().annotations(), ANNOTATION_MACHINE_CONFIG: ""}

    def owns(self, resource: Resource) -> bool:
        """Whether a resource is ours."""
        return of_machine_config(resource) and self.names(self.owner_of(resource))


def of_machine_config(resource: Resource) -> bool:
    """Whether a `MachineConfig` has set it, whichever that is."""
    return ANNOTATION_MACHINE_CONFIG in resource.annotations


def owner_by_urn(organization: str, urn: str) -> str:
    """The mark of the resource with this URN: unique in an organization, and readable.

    A resource without a parent is `organization/project/stack/name`. A parent's type is a part of the URN, so two
    components may have a child of the same name: these are `organization/project/stack/TYPES::name`.
    """
    stack, project, kind, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    plain = "$" not in kind and "::" not in name
    return f"{organization}/{project}/{stack}/{name if plain else f'{kind}::{name}'}"


def forgetting(urn: str) -> str:
    """The command that removes a resource from its stack and changes nothing else; without a URN it asks for one."""
    return f"`pulumi state delete --target-dependents '{urn}'`" if urn else "`pulumi state delete --target-dependents`"


@dataclass(frozen=True)
class Creation:
    """A creation that has not finished: Omni has the cluster, and perhaps no state knows of it.

    Attributes:
        by: Who creates it, `user@host`.
        process: The ID of the process on that host.
        machine: Tells hosts of one name and containers apart: the boot and the process namespace, `""` if not known.
        run: A random ID of this one attempt.
        at: When it was begun or last renewed; an attempt that runs renews it.
        done: Whether the attempt has ended. The mark stays until Pulumi has the answer.
    """

    by: str
    process: int
    machine: str
    run: str
    at: datetime
    done: bool = False

    @classmethod
    def begin(cls) -> Creation:
        """A creation by this process, from now on."""
        import platform  # slow to import, and `list` and `info` only read

        by = f"{_user()}@{platform.node()}"
        return cls(by, os.getpid(), _machine(), os.urandom(8).hex(), datetime.now(UTC))

    @classmethod
    def of(cls, cluster: Resource) -> Creation | None:
        """The unfinished creation of a cluster; None if it has finished, or was not made by this package."""
        try:
            stored = json.loads(cluster.annotations[ANNOTATION_CREATION])
            return cls(
                by=str(stored["by"]),
                process=int(stored["process"]),
                machine=str(stored.get("machine", "")),
                run=str(stored["run"]),
                at=datetime.fromisoformat(stored["at"]).astimezone(UTC),
                done=bool(stored["done"]),
            )
        except (KeyError, ValueError, TypeError):
            return None

    def on(self, cluster: Resource) -> Resource:
        """The cluster with this mark."""
        stored = {
            "by": self.by,
            "process": self.process,
            "machine": self.machine,
            "run": self.run,
            "at": self.at.isoformat(timespec="seconds"),
            "done": self.done,
        }
        text = json.dumps(stored, separators=(",", ":"))
        return replace(cluster, annotations={**cluster.annotations, ANNOTATION_CREATION: text})


def without_creation(cluster: Resource) -> Resource:
    """The cluster without the mark of an unfinished creation."""
    rest = {key: value for key, value in cluster.annotations.items() if key != ANNOTATION_CREATION}
    return replace(cluster, annotations=rest)


def _machine() -> str:
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{pathlib.Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run as a user without a name
        return "unknown"
