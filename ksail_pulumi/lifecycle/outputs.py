"""What a verb hands back: the cluster as plain data, and how it is written into a state file.

Light to import: what the provider's `diff` needs of a cluster's outputs is here and in `credentials`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 3
"""Version of the outputs' form: 2 has marks of unfinished creations, 3 has the credentials in children."""

SAME_SINCE = 2
"""The first form whose outputs mean the same as today's, so no update is needed for them."""

KUBECONFIG_INPUT = "kubeconfigOptions"
TALOSCONFIG_INPUT = "talosconfigEnabled"
"""Where the outputs keep the inputs `kubeconfig` and `talosconfig`: outputs of the same names hold the texts."""

ADDONS_INPUT = "components"
"""Where the outputs keep the input `addons`: it had this name at first, and states are read for ever."""

_RENAMED = {"kubeconfig": KUBECONFIG_INPUT, "talosconfig": TALOSCONFIG_INPUT, "addons": ADDONS_INPUT}
_INPUT_OF = {stored: name for name, stored in _RENAMED.items()}

SECRETS = ("kubeconfig", "talosconfig")
"""The credentials: outputs of the cluster's children; until form 2 of the cluster."""

FACTS = ("clusterUuid", "phase", "ready", "nodes", *SECRETS, "schema")
"""The keys of stored outputs that are not inputs."""


CHECKSUMS = "__checksums"
"""The key of stored outputs for the SHA-256 of fetched manifests, by that of their URLs, which may contain secrets."""

CONNECTING = ("endpoint", "serviceAccountKeyEnvVar")
"""The inputs of every resource that say how to reach Omni."""


class ClusterNode(TypedDict):
    """A machine of a cluster.

    Attributes:
        id: The machine's ID.
        hostname: The machine's hostname, its name in Kubernetes; `""` while it has none.
        role: `controlplane` or `worker`.
        set: The ID of the machine set, `<cluster>-control-planes` or `<cluster>-<workers>`.
        stage: Omni's name for the machine's stage: `RUNNING`, `BOOTING`, …
        addresses: The machine's IP addresses in the cluster's network.
    """

    id: str
    hostname: str
    role: str
    set: str
    stage: str
    addresses: list[str]


@dataclass(frozen=True)
class ClusterOutputs:
    """A cluster as it is.

    Attributes:
        name: Its name, which is the resource's ID too.
        inputs: The inputs that describe it, on the wire, with its versions filled in.
        cluster_uuid: Omni's UUID of it, `""` while it has none.
        phase: Omni's name for its phase, `RUNNING`; `UNKNOWN` while there is no status.
        ready: Whether all of it was ready, in the sense of waiting for `ready`, when it was looked at.
        nodes: Its machines, control plane first.
        creation: The attempt whose mark of an unfinished creation is on the cluster; `""` for none. Not stored.
        reverted: Whether the cluster has other versions than its inputs ask for, because an upgrade failed. Not stored.
        checksums: The SHA-256 of the fetched manifests of add-ons, by that of their URLs.
    """

    name: str
    inputs: Mapping[str, Any] = field(repr=False)
    cluster_uuid: str = ""
    phase: str = "UNKNOWN"
    ready: bool = False
    nodes: tuple[ClusterNode, ...] = ()
    creation: str = ""
    reverted: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Plain JSON for the state: every input under its key (but see `_RENAMED`) and the facts."""
        wire = stored_inputs(self.inputs)
        wire |= {
            "clusterUuid": self.cluster_uuid,
            "phase": self.phase,
            "ready": self.ready,
            "nodes": list(self.nodes),
            "schema": SCHEMA,
            **({CHECKSUMS: dict(self.checksums)} if self.checksums else {}),
        }
        return wire


def stored_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs under the keys that they have among stored outputs; `inputs_in` is the way back."""
    return {stored_name(key): value for key, value in inputs.items()}


def stored_name(key: str) -> str:
    """The key that an input has among stored outputs."""
    return _RENAMED.get(key, key)


def inputs_in(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that stored outputs hold, under their own keys. Keys that begin with `__` are the engine's."""
    return {input_name(key): value for key, value in wire.items() if key not in FACTS and not key.startswith("__")}


def input_name(key: str) -> str:
    """The name of the input that stored outputs keep under a key."""
    return _INPUT_OF.get(key, key)


def reached(wire: Mapping[str, Any]) -> bool:
    """Whether stored outputs show a cluster that got as far as its `waitFor` asks."""
    match wire.get("waitFor", "ready"):
        case "none":
            return True
        case "running":
            return wire.get("phase") == "RUNNING"
        case _:
            return bool(wire.get("ready"))
