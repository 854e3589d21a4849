"""The command that kubectl runs for a token: an exec plugin (client.authentication.k8s.io/v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

API_VERSION = "client.authentication.k8s.io/v1"
_HINT = (
    "ksail-pulumi prints the token for this cluster: install it, put it on PATH, set OMNI_SERVICE_ACCOUNT_KEY to the "
    "key of an Omni service account."
)


@dataclass(frozen=True)
class Plugin:
    """How `ksail-pulumi token` is called for a cluster.

    Attributes:
        cluster: The cluster's name.
        endpoint: The URL of its Omni.
        uuid: The UUID of the cluster: for another cluster of the same name there is no token.
        key_variable: The environment variable with the service account key; `""` for the usual ones.
        user: The user in Kubernetes; `""` for the usual one.
        groups: The groups of the user; None for the usual one.
        ttl: How long a token is valid, as a Go duration; `""` for the usual time.
    """

    cluster: str
    endpoint: str
    uuid: str = ""
    key_variable: str = ""
    user: str = ""
    groups: Sequence[str] | None = None
    ttl: str = ""

    def user_entry(self) -> dict[str, Any]:
        """The user of a kubeconfig, with the fields that kubectl adds when it writes the file."""
        return {
            "exec": {
                "apiVersion": API_VERSION,
                "args": self._arguments(),
                "command": "ksail-pulumi",
                "env": None,
                "installHint": _HINT,
                "interactiveMode": "Never",
                "provideClusterInfo": False,
            }
        }

    def _arguments(self) -> list[str]:
        options = {"--key-variable": self.key_variable, "--user": self.user, "--ttl": self.ttl}
        return [
            *("token", self.cluster, "--endpoint", self.endpoint, "--uuid", self.uuid),
            *(part for option, value in options.items() if value for part in (option, value)),
            *(part for group in self._groups() for part in ("--group", group)),
        ]

    def _groups(self) -> Sequence[str]:
        if self.groups is None:
            return ()
        return self.groups or ("",)  # no group is not the usual one


def cluster_of(user: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the UUID of the cluster in the user of a kubeconfig that calls `ksail-pulumi token`; else `""`."""
    plugin = user.get("exec")
    arguments = plugin.get("args") if isinstance(plugin, dict) else None
    match arguments:
        case ["token", str(name), *rest] if "--uuid" in rest[:-1]:
            return name, str(rest[rest.index("--uuid") + 1])
    return "", ""


def credential(token: str, expires: datetime | None) -> dict[str, Any]:
    """What kubectl reads from an exec plugin."""
    end = {"expirationTimestamp": f"{expires:%Y-%m-%dT%H:%M:%SZ}"} if expires else {}
    return {"apiVersion": API_VERSION, "kind": "ExecCredential", "status": {"token": token, **end}}
