"""The context of a cluster in a talosconfig."""

from __future__ import annotations

from ksail_pulumi.access.documents import ToolFile
from ksail_pulumi.errors import UnsupportedError


def merged(text: str, path: str, talosconfig: str) -> str:
    """A talosconfig with the context of another one that Omni has made, as its current context.

    Args:
        text: The text of the talosconfig.
        path: Its path, for errors.
        talosconfig: The other talosconfig.

    Raises:
        ConfigFileError: The text is not a talosconfig, or a context of this name leads to another cluster.
        UnsupportedError: The other one is of another form than Omni's.
    """
    file, made = ToolFile(text, path), ToolFile(talosconfig, "talosconfig")
    name = str(made.value.get("context"))
    context = made.mapping("contexts").get(name)
    if not isinstance(context, dict):
        raise UnsupportedError("this Omni answers with a talosconfig that has another form than expected")
    before = file.mapping("contexts").get(name, context)
    if not isinstance(before, dict) or any(before.get(key) != context.get(key) for key in ("endpoints", "cluster")):
        raise file.error(
            "contexts",
            name,
            "the context leads to another cluster: remove it (`talosctl config remove`), or use another file",
        )
    file.set("context", name)
    file.set_in("contexts", name, context)
    return file.text()
