"""The emulated machines: what hardware each one is, and what it does at the moment. They do nothing by themselves."""

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
"""The network in which this Omni reaches its machines (SideroLink)."""


class Stage(IntEnum):
    """What a machine does, numbered as in ClusterMachineStatus."""

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
    """What one emulated machine is to be like; what is left out is made up from the seed.

    Attributes:
        id: Its UUID.
        talos_version: The Talos version that it starts with, without `v`.
        installed: Whether Talos is on its disk already.
        cores: Processor cores.
        memory_gib: Memory in GiB.
        disk_gb: The size of its disk in GB (10^9 bytes).
        arch: `amd64` or `arm64`.
        platform: Talos' name of the platform.
        extensions: The system extensions in the image that it booted from.
        labels: Labels that its owner gave it (`MachineLabels`).
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
    """What a Talos image is made of beyond Talos: system extensions and kernel arguments, both of the user's choice."""

    extensions: tuple[str, ...] = ()
    kernel_args: tuple[str, ...] = ()

    def raw(self, connection: Sequence[str]) -> str:
        """The YAML from which the image factory makes the image; `connection` are Omni's own kernel arguments."""
        return _schematic_text(self, tuple(connection))

    @property
    def id(self) -> str:
        """The image factory's name for it: a hash of its content."""
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
    """One machine: its hardware, which stays, and its state, which the controllers move.

    Attributes:
        index: Its number, from 0.
        address: Where Omni reaches it.
        installed: Whether Talos is on its disk.
        maintenance: Whether it waits for a configuration.
        stage: What it does.
        ready: Whether all its services are well.
        config: The configuration that it runs.
        error: Why the last configuration was not taken; `""` for no reason.
        doing: The long action that it is in, `""` for none: `configure`, `apply`, `upgrade`, `reset`; a new control
            plane waits for `etcd` and then for its `services`.
        boots: How often it has booted.
        node_name: What it calls itself as a node.
        removed: Whether it was taken out of Omni.
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
        """Randomness that is always the same for this machine and purpose."""
        return random.Random(f"{self.secret}/{purpose}")  # noqa: S311

    @property
    def name(self) -> str:
        """Its host name: its UUID in maintenance, a name of its own as a node."""
        return self.id if self.maintenance else self.node_name


class Machines:
    """All emulated machines, by number or by ID."""

    def __init__(self, machines: int | Sequence[MachineSetup], *, seed: int, talos_version: str) -> None:
        """Make the machines.

        Args:
            machines: How many, or what each one is like.
            seed: The same seed makes the same machines.
            talos_version: What they run unless their set-up says otherwise, without `v`.

        Raises:
            ValueError: Two of them have the same ID.
        """
        self.seed = seed
        setups = [MachineSetup()] * machines if isinstance(machines, int) else machines
        self._machines = [_make(setup, index, seed, talos_version) for index, setup in enumerate(setups)]
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
        # As in a real pool: some have been in a cluster before, some have just booted from an ISO image.
        installed=setup.installed if setup.installed is not None else index % 3 != 2,
        cores=setup.cores or cores,
        memory_gib=setup.memory_gib or memory,
        disk_gb=setup.disk_gb or draw.choice((120, 240, 480)),
        secret=secret,
    )
