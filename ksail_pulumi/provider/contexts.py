"""The context of a cluster that `up` keeps in a kubeconfig file, and `destroy` removes.

The child with the kubeconfig has the path of the file as an input, so `refresh` and `destroy` find it from any folder.
It is a path on the machine that runs the program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi.output import Unknown
from pulumi.runtime import rpc

from ksail_pulumi.errors import ConfigFileError, KsailPulumiError
from ksail_pulumi.provider.parent import other_owner
from ksail_pulumi.redaction import short, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.access.kubeconfig import Context
    from ksail_pulumi.provider.host.call import Call
    from ksail_pulumi.provider.settings import Settings

CONTEXT_FILE = "contextFile"
"""Of the child with the kubeconfig: the file with the context. It is missing if there is no context in a file."""


@dataclass(frozen=True)
class _Place:
    """A context in a file."""

    context: str
    file: str

    def __str__(self) -> str:
        return f"context {shown(self.context)} in {short(self.file)}"

    def is_in_file_of(self, other: _Place) -> bool:
        from ksail_pulumi.access.files import real

        return real(Path(self.file)) == real(Path(other.file))

    def is_same(self, other: _Place) -> bool:
        return self.context == other.context and self.is_in_file_of(other)


def file_for(cluster: str, options: Any) -> str | None:
    """The file with the context, for a cluster's input `kubeconfig` on the wire; None if no context is kept.

    A relative path begins in the working directory, which is the folder of the program.

    Raises:
        SettingsError: There is no home folder.
        ConfigFileError: A file in KUBECONFIG is not valid, or has a context of this name that leads to another cluster.
    """
    if not isinstance(options, dict) or not (options.get("context") or options.get("file")):
        return None
    from ksail_pulumi.access.files import expanded
    from ksail_pulumi.access.kubectl import file_of

    if options.get("file"):
        return str(expanded(options["file"]))
    return str(file_of(str(options["context"]), cluster=cluster, server=""))


def moves(call: Call, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether an update writes the context elsewhere, or again. Shows it."""
    before, now = _place(olds), _place(news)
    if before == now or isinstance(news.get(CONTEXT_FILE), Unknown):
        return False
    if now is not None:
        _refuse_another(now, news, server=_context(now, olds).target[0] if olds.get("kubeconfig") else "")
    if before is not None and (now is None or not before.is_same(now)):
        call.info(f"{before} will be removed")
    if now is not None:
        call.info(f"{now} will be written")
    return True


def refuse_another(properties: Mapping[str, Any]) -> None:
    """Refuse the context of a new cluster if the one of its name leads to another cluster.

    Raises:
        ConfigFileError: It does, or the file cannot be read.
    """
    place = _place(properties)
    if place is not None:
        _refuse_another(place, properties, server="")


def keep(call: Call, settings: Settings, outputs: Mapping[str, Any], olds: Mapping[str, Any]) -> None:
    """Write the context of a new kubeconfig, then remove the former one if it was elsewhere.

    Raises:
        ConfigFileError: The file cannot be changed, or its context of this name leads to another cluster.
    """
    from ksail_pulumi.access.files import change
    from ksail_pulumi.access.kubeconfig import merged

    place, before = _place(outputs), _place(olds)
    if place is None:
        remove(call, settings, olds)
        return
    context = _context(place, outputs)
    renamed = before is not None and before.is_in_file_of(place) and before.context != place.context
    former = _context(before, olds) if before is not None and renamed else None
    change(Path(place.file), lambda text: merged(text, place.file, context, instead_of=former))
    if before is not None and not before.is_in_file_of(place):
        remove(call, settings, olds)


def remove(call: Call, settings: Settings, properties: Mapping[str, Any]) -> None:
    """Remove the context, unless the one of this name now leads to another cluster, or the cluster to another owner.

    A problem with the file is a warning: it must not keep the cluster.

    Raises:
        KsailPulumiError: Omni cannot be asked who owns the cluster.
    """
    from ksail_pulumi.access.files import change, text_of
    from ksail_pulumi.access.kubeconfig import without

    place = _place(properties)
    if place is None:
        return
    path, context = Path(place.file), _context(place, properties)
    try:
        if not text_of(path):
            return
        # In the file, the context of the new owner has the same name and leads to the same cluster.
        if owner := other_owner(settings, call.urn, properties):
            call.warning(f"{place} is not removed: cluster {properties['name']!r} is now managed by {owner}")
            return
        change(path, lambda text: without(text, place.file, context))
    except ConfigFileError as error:
        call.warning(f"{place} is not removed: {error}")


def seen(call: Call, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties, without the file if it no longer has the context as it was written."""
    from ksail_pulumi.access.files import text_of
    from ksail_pulumi.access.kubeconfig import holds

    place = _place(properties)
    if place is None:
        return dict(properties)
    try:
        if holds(text_of(Path(place.file)), place.file, _context(place, properties)):
            return dict(properties)
    except KsailPulumiError as error:
        call.warning(str(error))
        return dict(properties)
    call.warning(f"{place} is missing or was changed: the next `pulumi up` writes it again")
    return {key: value for key, value in properties.items() if key != CONTEXT_FILE}


def _place(properties: Mapping[str, Any]) -> _Place | None:
    file, options, name = properties.get(CONTEXT_FILE), properties.get("options"), properties.get("name")
    if not isinstance(file, str) or not isinstance(options, dict) or not isinstance(name, str):
        return None
    from ksail_pulumi.access.kubeconfig import default_context

    return _Place(str(options.get("context") or default_context(name)), file)


def _refuse_another(place: _Place, properties: Mapping[str, Any], *, server: str) -> None:
    from ksail_pulumi.access.files import text_of
    from ksail_pulumi.access.kubeconfig import refuse_another

    text = text_of(Path(place.file))
    refuse_another(text, place.file, place.context, cluster=properties["name"], server=server)


def _context(place: _Place, properties: Mapping[str, Any]) -> Context:
    from ksail_pulumi.access.kubeconfig import Context

    text = properties["kubeconfig"]
    return replace(
        Context.current(rpc.unwrap_rpc_secret(text) if rpc.is_rpc_secret(text) else text), name=place.context
    )
