"""The IDs of machines, in Omni's spelling."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, in small letters or in capitals."""
    return _UUID.fullmatch(text) is not None


def machine_id(text: str) -> str:
    """A machine's ID as Omni has it: tools that read SMBIOS print UUIDs in capitals. Other texts stay as they are."""
    return text.lower() if is_uuid(text) else text
