"""The emulated machines: hardware and current state. The controllers change them."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

import yaml

from ksail_pulumi.simulator.clock import Handle

LINK_PREFIX = "fdae:41e4:649b:9303"
"""The network that connects Omni and its machines (SideroLink)."""


class Stage(IntEnum):
    """The stages of a machine, numbered as in ClusterMachineStatus."""

    UNKNOWN = 0
    BOOTING = 1
    INSTALLING = 2
    CONFIGURING = 3
    RUNNING = 4
    DESTROYING = 5
    UPGRADING = 6
    REBOOTING = 7


@dataclass(frozen=True)
class MachineSetup:
    """The properties of one emulated machine; those left out are generated from the seed.

    Attributes:
        id: The UUID.
        talos_version: The Talos version at the start, without `v`.
        installed: Whether Talos is installed on the disk.
        cores: Processor cores.
        memory_gib: Memory in GiB.
        disk_gb: Disk size in GB (10^9 bytes).
        arch: `amd64` or `arm64`.
        platform: The Talos platform name.
        extensions: The system extensions in the image that it booted from.
        labels: Labels that a user gave it (`MachineLabels`).
    """

    id: str = ""
    talos_version: str = ""
    installed: bool | None = None
    cores: int = 0
    memory_gib: int = 0
    disk_gb: int = 0
    arch: str = "amd64"
    platform: str = "metal"
    extensions: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Schematic:
    """The user's additions to a Talos image: system extensions and kernel arguments."""

    extensions: tuple[str, ...] = ()
    kernel_args: tuple[str, ...] = ()

    def raw(self, connection: Sequence[str]) -> str:
        """The YAML of the schematic as the image factory gets it; `connection` are Omni's own kernel arguments."""
        return _schematic_text(self, tuple(connection))

    @property
    def id(self) -> str:
        """The schematic ID: a hash of the content."""
        return _schematic_id(self)


@lru_cache
def _schematic_text(schematic: Schematic, connection: tuple[str, ...]) -> str:
    customization: dict[str, object] = {"extraKernelArgs": [*connection, *schematic.kernel_args]}
    if schematic.extensions:
        customization["systemExtensions"] = {"officialExtensions": list(schematic.extensions)}
    return yaml.safe_dump({"customization": customization}, indent=4)


@lru_cache
def _schematic_id(schematic: Schematic) -> str:
    return hashlib.sha256(schematic.raw(()).encode()).hexdigest()


@dataclass(frozen=True)
class MachineConfig:
    """The configuration that Omni wants on a machine of a cluster.

    Attributes:
        digest: A hash over everything in it.
        cluster: The cluster's name.
        control_plane: Whether the machine is a control plane.
        talos_version: The Talos version of its install image, without `v`.
        components: The version of every Kubernetes component, by its name.
    """

    digest: str
    cluster: str
    control_plane: bool
    talos_version: str
    schematic: Schematic
    components: Mapping[str, str]


@dataclass
class EmulatedMachine:
    """One machine: its hardware, which is constant, and its state, which the controllers change.

    Attributes:
        index: The number, from 0.
        address: The SideroLink address.
        installed: Whether Talos is installed on the disk.
        maintenance: Whether it waits for a configuration.
        stage: The current stage.
        ready: Whether all services are healthy.
        config: The configuration that it runs.
        error: Why the last configuration was refused; `""` if it was not.
        doing: The current action, `""` for none: `configure`, `apply`, `upgrade`, `reset`; a new control plane waits
            for `etcd` and then for its `services`.
        boots: The number of boots.
        node_name: The name of the Kubernetes node.
        removed: Whether it was removed from Omni.
    """

    setup: MachineSetup
    index: int
    id: str
    address: str
    talos_version: str
    schematic: Schematic
    installed: bool
    cores: int
    memory_gib: int
    disk_gb: int
    secret: str
    maintenance: bool = True
    stage: Stage = Stage.CONFIGURING
    ready: bool = True
    config: MachineConfig | None = None
    error: str = ""
    doing: str = ""
    boots: int = 1
    removed: bool = False
    node_name: str = ""
    timer: Handle | None = field(default=None, repr=False)
    running_components: Mapping[str, str] = field(default_factory=dict)

    def random(self, purpose: str) -> random.Random:
        """A random generator that is always the same for this machine and purpose."""
        return random.Random(f"{self.secret}/{purpose}")  # noqa: S311

    @property
    def name(self) -> str:
        """The host name: the UUID in maintenance, the node name in a cluster."""
        return self.id if self.maintenance else self.node_name


class Machines:
    """All emulated machines, by number or by ID."""

    def __init__(
        self, machines: int | Sequence[MachineSetup] | Sequence[EmulatedMachine], *, seed: int, talos_version: str
    ) -> None:
        """Make the machines.

        Args:
            machines: The number of machines, or each one: its setup, or a machine as it is.
            seed: The same seed makes the same machines.
            talos_version: The Talos version of machines whose setup has none, without `v`.

        Raises:
            TypeError: `machines` is neither a number nor a list of setups.
            ValueError: Two of them have the same ID.
        """
        self.seed = seed
        setups: Sequence[MachineSetup | EmulatedMachine] = (
            [MachineSetup()] * machines if isinstance(machines, int) else machines
        )
        if not isinstance(setups, list | tuple) or not all(
            isinstance(each, MachineSetup | EmulatedMachine) for each in setups
        ):
            # Also the fixture `omni` says this, of the parameter of a test.
            raise TypeError("the machines of a simulated Omni should be a number, or a list of MachineSetup")
        self._machines = [
            setup if isinstance(setup, EmulatedMachine) else _make(setup, index, seed, talos_version)
            for index, setup in enumerate(setups)
        ]
        self._by_id = {machine.id: machine for machine in self._machines}
        if len(self._by_id) < len(self._machines):
            raise ValueError("each machine needs an ID of its own")

    def __iter__(self) -> Iterator[EmulatedMachine]:
        return iter(self._machines)

    def __len__(self) -> int:
        return len(self._machines)

    def __getitem__(self, key: int | str) -> EmulatedMachine:
        return self._machines[key] if isinstance(key, int) else self._by_id[key]

    def find(self, machine_id: str) -> EmulatedMachine | None:
        """The machine with this ID, or None."""
        return self._by_id.get(machine_id)


def _make(setup: MachineSetup, index: int, seed: int, talos_version: str) -> EmulatedMachine:
    secret = f"{seed}/{index}"
    draw = random.Random(secret)  # noqa: S311
    groups = ":".join(f"{draw.getrandbits(16):x}" for _ in range(4))
    cores, memory = draw.choice(((4, 8), (8, 16), (8, 32), (16, 64)))
    return EmulatedMachine(
        setup=setup,
        index=index,
        id=setup.id or str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        address=f"{LINK_PREFIX}:{groups}",
        talos_version=setup.talos_version or talos_version,
        schematic=Schematic(extensions=setup.extensions),
        # As in a real account: some were in a cluster before, some just booted from an ISO image.
        installed=setup.installed if setup.installed is not None else index % 3 != 2,
        cores=setup.cores or cores,
        memory_gib=setup.memory_gib or memory,
        disk_gb=setup.disk_gb or draw.choice((120, 240, 480)),
        secret=secret,
    )
