"""The context of a cluster in a kubeconfig, together with its cluster and its user, which have the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ksail_pulumi.access.documents import ToolFile
from ksail_pulumi.access.plugin import cluster_of
from ksail_pulumi.access.tokens import claims_of
from ksail_pulumi.errors import UnsupportedError

_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""The lists of a kubeconfig, each with the key of the content of its items."""

_CHOSEN = ("namespace", "extensions")
"""What people choose in a context, such as the default namespace. It stays when the context is written again."""


@dataclass(frozen=True)
class Context:
    """A context that leads to a cluster.

    Attributes:
        name: The name of the context, of its cluster and of its user.
        cluster: How to reach the cluster.
        user: How to log in.
        chosen: The rest of the context.
    """

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any] = field(repr=False)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def current(cls, text: str) -> Context:
        """The current context of a kubeconfig that Omni has made.

        Raises:
            UnsupportedError: It is of another form than Omni's.
        """
        file = ToolFile(text, "kubeconfig")
        found = _found(file, str(file.value.get("current-context")), own_names=False)
        if found is None:
            raise UnsupportedError("this Omni answers with a kubeconfig that has another form than expected")
        return found

    @property
    def token(self) -> str:
        """The token of the user; `""` if it has none."""
        return str(self.user.get("token") or "")

    @property
    def target(self) -> tuple[str, str, str]:
        """The server, and the name and the UUID of the cluster; `""` for what is not known."""
        claims = claims_of(self.token)
        name, uuid = cluster_of(self.user)
        return (
            str(self.cluster.get("server") or ""),
            str(claims.get("cluster") or name),
            str(claims.get("cluster_uuid") or uuid),
        )

    def text(self) -> str:
        """A kubeconfig that has this context only."""
        file = ToolFile("", self.name)
        _put(file, self)
        file.set("current-context", self.name)
        return file.text()


def default_context(cluster: str) -> str:
    """The name of a cluster's context, as KSail chooses it."""
    return f"admin@{cluster}"


def merged(text: str, path: str, context: Context, *, current: bool = False, instead_of: Context | None = None) -> str:
    """A kubeconfig with a context, in place of one of the same name that leads to the same cluster.

    Args:
        text: The text of the kubeconfig.
        path: Its path, for errors.
        context: The context.
        current: Whether it becomes the current context. It does if there is none.
        instead_of: A context of another name that is removed, as by `without`.

    Raises:
        ConfigFileError: The text is not a kubeconfig, or a context, a cluster or a user of this name leads elsewhere.
    """
    file = ToolFile(text, path)
    server, cluster, _ = context.target
    _refuse_another(file, context.name, server=server, cluster=cluster)
    _put(file, context)
    before = file.value.get("current-context")
    if instead_of is not None and _removed(file, instead_of) and before == instead_of.name:
        before = None
    if current or not before:
        file.set("current-context", context.name)
    return file.text()


def refuse_another(text: str, path: str, name: str, *, cluster: str, server: str) -> None:
    """Refuse the name of a context that `merged` would refuse.

    Args:
        text: The text of the kubeconfig.
        path: Its path, for errors.
        name: The name of the context.
        cluster: The name of its cluster.
        server: Its server; `""` if it is not known yet.

    Raises:
        ConfigFileError: As `merged`.
    """
    _refuse_another(ToolFile(text, path), name, server=server, cluster=cluster)


def has_name(text: str, path: str, name: str) -> bool:
    """Whether a kubeconfig has a context, a cluster or a user of a name.

    Raises:
        ConfigFileError: The text is not a kubeconfig.
    """
    file = ToolFile(text, path)
    return any(name in file.named(key) for key in _LISTS)


def without(text: str, path: str, context: Context) -> str:
    """A kubeconfig without a context, unless the one of this name now leads to another cluster.

    Raises:
        ConfigFileError: The text is not a kubeconfig.
    """
    file = ToolFile(text, path)
    if not _removed(file, context):
        return text
    if file.value.get("current-context") == context.name:
        file.set("current-context", "")
    return file.text()


def holds(text: str, path: str, context: Context) -> bool:
    """Whether a kubeconfig has a context as it was written. The namespace may have been chosen since then.

    Raises:
        ConfigFileError: The text is not a kubeconfig.
    """
    found = _found(ToolFile(text, path), context.name)
    if found is None:
        return False
    return _same_content(found, context)


def _found(file: ToolFile, name: str, *, own_names: bool = True) -> Context | None:
    """The context of a name; with `own_names` only one whose cluster and user have the same name."""
    lists = {key: file.named(key) for key in _LISTS}
    context = _content(lists, "contexts", name)
    refers = [str(context.get(kind)) for kind in ("cluster", "user")] if context is not None else []
    if context is None or (own_names and refers != [name, name]):
        return None
    cluster, user = (_content(lists, key, each) for key, each in zip(("clusters", "users"), refers, strict=True))
    if cluster is None or user is None:
        return None
    return Context(name, cluster, user, {key: context[key] for key in _CHOSEN if context.get(key)})


def _content(lists: Mapping[str, Mapping[str, Any]], key: str, name: str) -> Mapping[str, Any] | None:
    content = lists[key].get(name, {}).get(_LISTS[key])
    return content if isinstance(content, Mapping) else None


def _same_cluster(found: Context, ours: Context) -> bool:
    if ours.target[2]:
        return found.target == ours.target
    return _same_content(found, ours)


def _same_content(one: Context, other: Context) -> bool:
    return bool(_set(one.cluster) == _set(other.cluster) and _set(one.user) == _set(other.user))


def _removed(file: ToolFile, context: Context) -> bool:
    """Remove a context, unless the one of this name now leads to another cluster. Whether it was removed."""
    found = _found(file, context.name)
    if found is None or not _same_cluster(found, context):
        return False
    for key in _LISTS:
        file.remove_named(key, context.name)
    return True


def _refuse_another(file: ToolFile, name: str, *, server: str, cluster: str) -> None:
    """Refuse to overwrite what leads to another cluster, other than to one that this cluster has replaced."""
    lists = {key: file.named(key) for key in _LISTS}
    there = {key: _content(lists, key, name) for key in _LISTS}
    at = Context(name, there["clusters"] or {}, there["users"] or {}).target
    known = there["contexts"] or {}
    others = (
        any(known.get(kind, name) != name for kind in ("cluster", "user")),
        there["clusters"] is not None and server and at[0] != server,
        there["users"] is not None and at[1] != cluster,
    )
    if any(others):
        raise file.error(
            "contexts",
            name,
            "context {name} leads to another cluster: choose another name for the context, or remove the context, the "
            "cluster and the user of this name (`kubectl config delete-context`, `delete-cluster`, `delete-user`)",
            name=name,
        )


def _put(file: ToolFile, context: Context) -> None:
    if not file.value:
        file.set("apiVersion", "v1")
        file.set("kind", "Config")
    before = _found(file, context.name)
    contents = {
        "clusters": context.cluster,
        "contexts": {
            "cluster": context.name,
            **(before.chosen if before else context.chosen),
            "user": context.name,
        },
        "users": context.user,
    }
    for key, content in contents.items():
        file.set_named(key, {"name": context.name, _LISTS[key]: dict(content)})


def _set(value: Any) -> Any:
    """Data without the fields that kubectl adds or leaves out when they are empty."""
    if isinstance(value, Mapping):
        return {key: _set(item) for key, item in value.items() if item not in (None, False, "", [], {})}
    return value
