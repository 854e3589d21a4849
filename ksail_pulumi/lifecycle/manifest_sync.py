"""Applies changed manifests: Talos only creates missing objects; changing existing ones is up to Omni."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING

from ksail_pulumi.addons.findings import sync_command
from ksail_pulumi.errors import OmniError

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.session import Session

LONGEST_SYNC = 300.0
"""The time limit of a sync in seconds; it waits until objects are rolled out."""


def sync_manifests(cluster: str, session: Session) -> None:
    """Let Omni apply the manifests of a cluster that is ready. A failure is only a warning.

    Raises:
        CancelledError: The user interrupted.
    """
    session.progress("syncing the manifests of the add-ons")
    timeout = min(LONGEST_SYNC, session.deadline.remaining())
    # Not in the thread: after an interrupt the client is closed, and a call could not start.
    call = session.client.management.start_sync_manifests(cluster, timeout=timeout)
    failures: list[OmniError] = []

    def sync() -> None:
        try:
            call.result()
        except OmniError as error:
            failures.append(error)

    # Runs in a copy of this context, which holds the redaction gate for Omni's texts.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(sync,), name="ksail-pulumi-manifest-sync", daemon=True
    )
    thread.start()
    while thread.is_alive():
        session.check_cancelled(f"the sync of manifests (run `{sync_command(cluster)}` to do it)")
        thread.join(0.05)
    if failures:
        session.warn(f"{failures[0]} After you fix this, run `{sync_command(cluster)}`")
