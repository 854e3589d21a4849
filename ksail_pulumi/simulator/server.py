"""A simulated Omni: gRPC server, resources, machines and service accounts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import grpc
import grpc.aio

from ksail_pulumi.omni.resources import CLUSTER_STATUS
from ksail_pulumi.simulator import access, controllers, definitions
from ksail_pulumi.simulator.catalog import OMNI_VERSIONS, Catalog
from ksail_pulumi.simulator.clock import Clock, FastClock, ManualClock, RealClock
from ksail_pulumi.simulator.controllers.engine import Runtime
from ksail_pulumi.simulator.faults import Faults
from ksail_pulumi.simulator.kubernetes_api import KubernetesProxy
from ksail_pulumi.simulator.kubernetes_objects import Kubernetes
from ksail_pulumi.simulator.machine_logs import MachineLogs
from ksail_pulumi.simulator.machines import Machines, MachineSetup
from ksail_pulumi.simulator.management import Management
from ksail_pulumi.simulator.services import Services
from ksail_pulumi.simulator.state import State
from ksail_pulumi.simulator.store import Store
from ksail_pulumi.simulator.validations import Context
from ksail_pulumi.simulator.verification import Verifier
from ksail_pulumi.simulator.virtual import Virtual

if TYPE_CHECKING:
    from ksail_pulumi.simulator.saved import SavedOmni

LARGEST_MESSAGE = 32 * 1024 * 1024
"""Bytes; Omni's own limit in both directions."""

MOST_WAITING_CALLS = 1_000_000
LONGEST_WAIT_SECONDS = 3600

YEAR = timedelta(days=365)

_CLOCKS = {"real": RealClock, "fast": FastClock, "manual": ManualClock}


class Simulator:
    """An Omni in this process: a context manager, or `start` and `stop`.

    It runs in its own threads; several simulators can run at the same time.

    Attributes:
        endpoint: The URL for clients, `grpc://127.0.0.1:PORT`, or `https://localhost:PORT` with TLS.
        service_account_key: The key of an Admin, as in `OMNI_SERVICE_ACCOUNT_KEY`.
        store: All resources, and the audit log of what users wrote.
        clock: The clock of the machines.
        faults: Its faults; can be changed at any time.
        machines: The emulated machines.
        catalog: The available versions, extensions and features.
        ca_file: With TLS, the certificate to trust.
    """

    def __init__(
        self,
        *,
        machines: int | Sequence[MachineSetup] = 6,
        speed: Literal["real", "fast", "manual"] = "fast",
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
        faults: Faults | None = None,
        seed: int = 0,
        api_version: int = 2,
        saved: SavedOmni | None = None,
    ) -> None:
        """Create a simulator; nothing runs before `start`.

        Args:
            machines: The number of machines, or the setup of each one.
            speed: `real` time, `fast` machines, or `manual`: time moves only by `clock.advance`.
            port: Where to listen on 127.0.0.1; 0 for any free port.
            certificate: Files with the certificate and the private key (PEM) for TLS; None for plain text.
            faults: The faults at the start.
            seed: The same seed gives the same machines.
            api_version: Omni's API version: 1 is Omni 1.4, 2 is 1.10, 3 is the one after it.
            saved: An Omni of an earlier run, which continues: its machines, port and key are used.
        """
        self.clock: Clock = _CLOCKS[speed]()
        self.faults = faults or Faults()
        self.catalog = Catalog(api_version=api_version, backend_version=OMNI_VERSIONS[api_version])
        self.store = Store(self.clock.now)
        setups = machines if saved is None else saved.machines
        self.machines = Machines(setups, seed=seed, talos_version=self.catalog.talos[-1])
        self.ca_file = str(certificate[0]) if certificate else ""
        self._certificate = certificate
        self._port = port if saved is None else saved.port
        self._proxy_port = 0 if saved is None else saved.proxy_port
        self._proxy: KubernetesProxy | None = None
        self._restored = () if saved is None else saved.restored()
        self._verifier = Verifier()
        self.service_account_key = self._key(saved)
        virtual = Virtual(lambda: self.endpoint, lambda: datetime.now(UTC), self.store)
        context = Context(self.store, lambda: datetime.now(UTC))
        self._types = access.table(api_version)
        state = State(self.store, context, virtual, self._types, self.faults)
        management = self._management = Management(
            self.store,
            self.catalog,
            self._verifier,
            lambda: self.endpoint,
            MachineLogs(self.store, self.machines),
            proxy=lambda: self.kubernetes_url,
        )
        self._services = Services(state, management, self.store, self._verifier, self.faults, clock=self.clock)
        self._runtime: Runtime | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def endpoint(self) -> str:
        """The URL for clients."""
        return f"https://localhost:{self._port}" if self._certificate else f"grpc://127.0.0.1:{self._port}"

    @property
    def kubernetes_url(self) -> str:
        """The URL of the Kubernetes APIs of all clusters, as in kubeconfigs; `""` unless it runs."""
        return self._proxy.url if self._proxy is not None else ""

    def kubernetes(self, cluster: str) -> Kubernetes:
        """The objects in the Kubernetes of a cluster.

        Raises:
            RuntimeError: The simulator does not run.
        """
        if self._runtime is None:
            raise RuntimeError("the simulator does not run")
        return self._runtime.kubernetes.of(cluster)

    def issue_key(self, name: str = "automation", role: str = "Operator", lifetime: timedelta = YEAR) -> str:
        """Make a service account key with a role (`Reader`, `Operator`, `Admin`, …)."""
        return self._verifier.issue(name, role, lifetime)

    def revoke_key(self, key: str) -> None:
        """Revoke a key."""
        self._verifier.revoke(key)

    def start(self) -> None:
        """Listen, and register the machines. A stopped simulator cannot be started again.

        Raises:
            OSError: The port is taken, or the certificate cannot be used.
            RuntimeError: It was started before.
        """
        if self._loop is not None:
            raise RuntimeError("a simulator can be started only once")
        self.catalog.populate(self.store)
        definitions.populate(self.store, self._types)
        self.store.restore(self._restored)
        started = threading.Event()
        failure: list[Exception] = []
        self._thread = threading.Thread(target=self._run, args=(started, failure), name="simulator-server", daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        self._runtime = controllers.start(self.store, self.clock, self.machines, self.faults, self.catalog)

    def _reach(self, token: str) -> Kubernetes | None:
        cluster = self._management.cluster_of(token)
        status = self.store.find(CLUSTER_STATUS, cluster)
        up = status is not None and status.spec.kubernetesAPIReady and not self.faults.no_kubernetes_proxy
        return self._runtime.kubernetes.of(cluster) if up and self._runtime is not None else None

    def save(self) -> SavedOmni:
        """What a later simulator needs to continue; while this one runs, its port and its machines so far."""
        key = self.service_account_key
        from ksail_pulumi.simulator.saved import SavedOmni  # its models are slow to import

        return SavedOmni.of(
            (self._port, self._proxy_port),
            key,
            self._verifier.expires_at(key),
            self.machines,
            self.store.all(),
        )

    def _key(self, saved: SavedOmni | None) -> str:
        if saved is None:
            return self.issue_key("automation", role="Admin")
        self._verifier.restore(saved.service_account_key, "Admin", saved.expires_at)
        return saved.service_account_key

    def stop(self) -> None:
        """End all calls and threads."""
        if self._runtime is not None:
            self._runtime.stop()
            self._runtime = None
        self.clock.close()
        if self._proxy is not None:
            self._proxy.stop()
        if self._thread is not None and self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, started: threading.Event, failure: list[Exception]) -> None:
        asyncio.run(self._serve(started, failure))

    async def _serve(self, started: threading.Event, failure: list[Exception]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", LARGEST_MESSAGE),
                ("grpc.max_send_message_length", LARGEST_MESSAGE),
                ("grpc.so_reuseport", 0),
                # Python accepts calls one by one. With its defaults gRPC drops some of a thousand waiting calls, and
                # cancels those that wait longer than 30 seconds.
                ("grpc.server.max_pending_requests", MOST_WAITING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", MOST_WAITING_CALLS),
                ("grpc.server_max_unrequested_time_in_server", LONGEST_WAIT_SECONDS),
                # Omni does not limit how often clients ping.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ]
        )
        server.add_generic_rpc_handlers((self._services,))
        try:
            self._port = self._listen(server)
            self._proxy = KubernetesProxy(self._reach, self._proxy_port, self._certificate)
            self._proxy_port = self._proxy.port
            self._services.begin(self._loop)
            await server.start()
        except (OSError, RuntimeError) as error:
            failure.append(OSError(f"cannot listen on 127.0.0.1:{self._port}: {error}"))
            return
        finally:
            started.set()
        await self._stopping.wait()
        self._services.end()
        await server.stop(grace=1)

    def _listen(self, server: grpc.aio.Server) -> int:
        if not 0 <= self._port <= 65535:
            raise OSError("there is no such port")  # gRPC would use another port
        address = f"127.0.0.1:{self._port}"
        if self._certificate is None:
            return server.add_insecure_port(address)
        certificate, key = self._certificate
        credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
        return server.add_secure_port(address, credentials)
