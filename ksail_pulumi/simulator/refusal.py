"""Several errors in one message, in the format of https://github.com/hashicorp/go-multierror."""

from __future__ import annotations

from collections.abc import Sequence


class Refused(Exception):  # noqa: N818 - it is what Omni does, not an error of ours
    """Omni refuses a write; the text is Omni's."""


def listed(faults: Sequence[str]) -> str:
    """All errors as one text: `2 errors occurred:`, a line for each, an empty line."""
    head = "1 error occurred:" if len(faults) == 1 else f"{len(faults)} errors occurred:"
    return head + "".join(f"\n\t* {fault}" for fault in faults) + "\n\n"
