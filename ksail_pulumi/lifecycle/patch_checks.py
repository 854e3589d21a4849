"""Sends patches to Omni for validation: only Omni, with Talos' own loader, can validate one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.errors import PermissionDeniedError, RefusedError, UnsupportedError
from ksail_pulumi.model.patches import patch_text
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ksail_pulumi.model.parse import Patch
    from ksail_pulumi.omni.client import Client
    from ksail_pulumi.problems import FieldPath


class PatchChecks:
    """The checks of patches, which are sent at once and answered later."""

    def __init__(
        self, client: Client, asked: Iterable[tuple[FieldPath, Patch]], before: Iterable[tuple[FieldPath, Patch]]
    ) -> None:
        """Send each patch that is not in the inputs `before`; it comes with its path."""
        known = {patch_text(patch.inline) for _, patch in before}
        texts = [(path, patch_text(patch.inline)) for path, patch in asked]
        self._calls = [
            (path, client.management.start_validate_config(text)) for path, text in texts if text not in known
        ]

    def problems(self) -> Iterator[Problem]:
        """The patches that Omni refuses.

        Raises:
            OmniError: Omni did not answer.
        """
        for path, call in self._calls:
            try:
                call.result()
            except RefusedError as error:
                yield Problem((*path, "inline"), error.detail)
            except (PermissionDeniedError, UnsupportedError):
                return  # then the patch is validated when it is written
