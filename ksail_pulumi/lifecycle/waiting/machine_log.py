"""The last lines of the logs that machines send to Omni."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ksail_pulumi.errors import OmniError
from ksail_pulumi.lifecycle.waiting.asking import ASK_SECONDS
from ksail_pulumi.lifecycle.waiting.log_secrets import without_secrets
from ksail_pulumi.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ksail_pulumi.omni.client import Client

LINES = 5
"""How many lines of a log are shown."""

_LONGEST, _MOST_READ = 300, 2000


def last_lines(machines: Sequence[str], client: Client | None) -> dict[str, tuple[str, ...]]:
    """The last lines of the logs of machines, by ID; without those whose log cannot be read at once."""
    if client is None:
        return {}
    management = client.until(time.monotonic() + ASK_SECONDS).management
    found = {}
    try:
        calls = {machine: management.start_machine_log(machine, lines=LINES) for machine in machines}
        for machine, call in calls.items():
            found[machine] = tuple(_readable(call.result()))
    except OmniError:
        return found
    return found


def _readable(lines: Sequence[str]) -> Iterator[str]:
    """Lines with time and message; Talos sends them as JSON."""
    for line in without_secrets([_message(each)[:_MOST_READ] for each in lines]):
        if text := line.strip():
            yield text if len(text) <= _LONGEST else text[: _LONGEST - 1] + HIDDEN


def _message(line: str) -> str:
    try:
        content = json.loads(line)
    except ValueError:
        return line
    if not isinstance(content, dict) or not isinstance(content.get("msg"), str):
        return line
    when = str(content.get("talos-time", ""))[: len("2026-01-02T03:04:05")].replace("T", " ")
    return f"{when} {content['msg'].strip()}"
