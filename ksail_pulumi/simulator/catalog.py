"""The Talos and Kubernetes versions, system extensions and features of the simulated Omni.

The versions and features are those of an Omni v1.10.4 in the autumn of 2026.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from ksail_pulumi.omni.api import specs_pb2, system_pb2
from ksail_pulumi.omni.resources import (
    FEATURES_CONFIG,
    KUBERNETES_VERSION,
    SYS_VERSION,
    TALOS_EXTENSIONS,
    TALOS_VERSION,
    Resource,
)
from ksail_pulumi.simulator.store import Store

TALOS_VERSIONS = ("1.12.10", "1.12.11", "1.13.6", "1.13.7", "1.13.8")
KUBERNETES_VERSIONS = ("1.33.9", "1.34.8", "1.35.6", "1.35.7", "1.36.2", "1.36.3")
EXTENSIONS = ("gvisor", "hello-runtime-service", "intel-ucode", "iscsi-tools", "qemu-guest-agent", "util-linux-tools")
NEWEST_KUBERNETES_MINOR = {12: 35, 13: 36}
"""The newest Kubernetes 1.x that each Talos 1.x supports."""


OMNI_VERSIONS = {1: "v1.4.9", 2: "v1.10.4", 3: "v1.11.0"}
"""A version of Omni for each API version. Only 2 was compared with a real server."""


@dataclass(frozen=True)
class Catalog:
    """The catalog of one simulated Omni.

    Attributes:
        talos: Talos versions, without `v`, oldest first.
        kubernetes: Kubernetes versions, without `v`, oldest first.
        extensions: Names of the official system extensions, without `siderolabs/`.
        backend_version: The version of Omni itself.
        api_version: Omni's `backend_api_version`.
        account: The name of the account; part of the names in kubeconfigs.
        backup_minimum: The shortest allowed time between etcd backups.
        backup_maximum: The longest one.
    """

    talos: tuple[str, ...] = TALOS_VERSIONS
    kubernetes: tuple[str, ...] = KUBERNETES_VERSIONS
    extensions: tuple[str, ...] = EXTENSIONS
    backend_version: str = OMNI_VERSIONS[2]
    api_version: int = 2
    account: str = "local"
    embedded_discovery: bool = True
    backup_minimum: timedelta = timedelta(hours=1)
    backup_maximum: timedelta = timedelta(hours=24)
    image_factory: str = "https://factory.talos.dev"
    newest_kubernetes_minor: dict[int, int] = field(default_factory=lambda: dict(NEWEST_KUBERNETES_MINOR))

    def compatible_kubernetes(self, talos: str) -> list[str]:
        """The Kubernetes versions that a Talos version supports."""
        newest = self.newest_kubernetes_minor[minor(talos)]
        return [version for version in self.kubernetes if minor(version) <= newest]

    def upgradable_talos(self, talos: str) -> list[str]:
        """The Talos versions that can replace one: all others at most one minor version away."""
        return [other for other in self.talos if other != talos and abs(minor(other) - minor(talos)) <= 1]

    def populate(self, store: Store) -> None:
        """Write the catalog into a store, as Omni's own resources."""
        for talos in self.talos:
            version = specs_pb2.TalosVersionSpec(
                version=talos,
                compatible_kubernetes_versions=self.compatible_kubernetes(talos),
                upgradable_talos_versions=self.upgradable_talos(talos),
                image_factory_url=self.image_factory,
            )
            store.put(Resource(TALOS_VERSION, talos, version, owner="VersionsController"))
            store.put(Resource(TALOS_EXTENSIONS, talos, self._extensions(talos), owner="TalosExtensionsController"))
        for kubernetes in self.kubernetes:
            spec = specs_pb2.KubernetesVersionSpec(version=kubernetes)
            store.put(Resource(KUBERNETES_VERSION, kubernetes, spec, owner="VersionsController"))
        store.put(Resource(FEATURES_CONFIG, "features-config", self._features()))
        system = system_pb2.SysVersionSpec(
            backend_version=self.backend_version,
            instance_name=self.account,
            backend_api_version=self.api_version,
        )
        store.put(Resource(SYS_VERSION, "current", system))

    def _extensions(self, talos: str) -> specs_pb2.TalosExtensionsSpec:
        return specs_pb2.TalosExtensionsSpec(
            items=[
                specs_pb2.TalosExtensionsSpec.Info(
                    name=f"siderolabs/{name}",
                    author="Sidero Labs",
                    version=f"v{talos}",
                    description=name,
                    ref=f"ghcr.io/siderolabs/{name}:v{talos}",
                    digest="sha256:" + hashlib.sha256(f"{name}:v{talos}".encode()).hexdigest(),
                )
                for name in self.extensions
            ]
        )

    def _features(self) -> specs_pb2.FeaturesConfigSpec:
        features = specs_pb2.FeaturesConfigSpec(
            embedded_discovery_service=self.embedded_discovery,
            audit_log_enabled=True,
            image_factory_base_url=self.image_factory,
            account=specs_pb2.Account(id="00000000-0000-4000-8000-000000000001", name=self.account),
        )
        settings = features.etcd_backup_settings
        settings.tick_interval.FromTimedelta(timedelta(minutes=1))
        settings.min_interval.FromTimedelta(self.backup_minimum)
        settings.max_interval.FromTimedelta(self.backup_maximum)
        return features


def minor(version: str) -> int:
    """The minor version."""
    return int(version.split(".")[1])
