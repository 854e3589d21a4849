"""Making changed manifests take effect: Talos creates what is missing of them, and leaves to Omni what is there."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING

from ksail_pulumi.addons.findings import sync_command
from ksail_pulumi.errors import OmniError

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.session import Session

LONGEST_SYNC = 300.0
"""Seconds after which a sync is given up; objects that are slow to roll out hold it up."""


def sync_manifests(cluster: str, session: Session) -> None:
    """Have Omni apply the manifests of a cluster that is ready. A failure is told, and changes nothing about the rest.

    Raises:
        CancelledError: The user interrupted.
    """
    session.progress("syncing the manifests of its add-ons")
    timeout = min(LONGEST_SYNC, session.deadline.remaining())
    failures: list[OmniError] = []

    def sync() -> None:
        try:
            session.client.management.start_sync_manifests(cluster, timeout=timeout).result()
        except OmniError as error:
            failures.append(error)

    # In the context of this thread: it knows what Omni's texts may not show.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(sync,), name="ksail-pulumi-manifest-sync", daemon=True
    )
    thread.start()
    while thread.is_alive():
        session.check_cancelled(f"the sync of manifests (`{sync_command(cluster)}` does the same)")
        thread.join(0.05)
    if failures:
        session.warn(f"{failures[0]} After you fix this, run `{sync_command(cluster)}`")
