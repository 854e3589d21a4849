"""The add-ons of a cluster: its network plugin, and what is usually installed right after it.

Every add-on is one choice, written as its name, as `true` where there is only one, or as a mapping with `name` and
details. Each has a version that it gets where none is given, so the same inputs make the same cluster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import ALWAYS_SECRET, FilePath, Inline, Model, Version
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLANNEL, NONE, CILIUM, CALICO = "flannel", "none", "cilium", "calico"
METRICS_SERVER, CERT_MANAGER = "metrics-server", "cert-manager"
KYVERNO, GATEKEEPER = "kyverno", "gatekeeper"
FLUX, ARGO_CD = "flux", "argocd"
LOCAL_PATH = "local-path"
NETWORK_PLUGINS = (FLANNEL, NONE, CILIUM, CALICO)

VERSIONS = {
    CILIUM: "1.20.2",
    CALICO: "3.32.2",
    METRICS_SERVER: "0.9.0",
    CERT_MANAGER: "1.21.2",
    KYVERNO: "1.19.1",
    GATEKEEPER: "3.23.1",
    FLUX: "2.9.6",
    ARGO_CD: "3.5.4",
    LOCAL_PATH: "0.0.37",
}
"""The release of each add-on that is installed where no version is given, as of November 2026."""

FIELDS = {
    METRICS_SERVER: "metrics_server",
    CERT_MANAGER: "cert_manager",
    KYVERNO: "policy_engine",
    GATEKEEPER: "policy_engine",
    FLUX: "git_ops_engine",
    ARGO_CD: "git_ops_engine",
    LOCAL_PATH: "csi",
}
"""The add-ons other than network plugins, each with its field of `Addons`."""

BUILT_IN = (FLANNEL, NONE)
"""What takes nothing to install: Talos' own network plugin, and no plugin at all."""

_URL = re.compile(r"https?://[^\s/@?#]+/\S+")


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise PydanticCustomError("url", "should be the http or https URL of a manifest, without a user name")
    return text


def _source_url(text: str) -> str:
    if not re.fullmatch(r"(?:https|oci)://[^\s/@?#]+/\S+", text):
        raise PydanticCustomError(
            "url", "should be an https or oci URL without a user name: https://host/repository or oci://host/repository"
        )
    return text


def _checked(check: Callable[[str], str]) -> BeforeValidator:
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


class GitOpsSource(Model):
    """What a GitOps engine deploys: a Git repository, or an OCI artifact."""

    url: Annotated[str, _checked(_source_url)]
    """URL of the repository (`https://…`) or the artifact (`oci://…`). Required."""

    revision: str | None = None
    """Branch of the repository, or tag of the artifact. Default: `main`, or `latest`."""

    path: str | None = None
    """Folder with the manifests. Default: the root."""

    username: str | None = None
    """User name for the repository or the registry. Only with `password`."""

    password: Annotated[str, ALWAYS_SECRET] | None = None
    """Password or token for the repository or the registry. It is a secret in Pulumi's state. In Omni it is in a
    manifest, and in Kubernetes in a `Secret`."""

    @property
    def oci(self) -> bool:
        """Whether it is an OCI artifact."""
        return self.url.startswith("oci://")


class Addon(Model):
    """One add-on, where its name or `true` says too little."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required"))  # the name may be implied

    name: str
    """Name of the add-on. Required where there is a choice."""

    version: Version | None = None
    """Release to install, with or without `v`. Give at most one of `version`, `url`, `inline` and `file`. Default: the
    installed release, or else the one that this package names."""

    url: Annotated[str, _checked(_url)] | None = None
    """URL of a Kubernetes manifest to install instead of the add-on's own. It is fetched once."""

    inline: Inline = None
    """Kubernetes objects to install instead of the add-on's own: a mapping, a list of mappings, or YAML text."""

    file: FilePath | None = None
    """Path of a file with such objects, relative to the program's folder. The program reads it when it runs."""

    source: GitOpsSource | None = None
    """What the GitOps engine deploys. Only for `flux` and `argocd`."""

    # Of an add-on that was read from Omni: what its `inline` is recognised by, because Omni has it with more objects.
    _written: str = PrivateAttr(default="")

    @property
    def written(self) -> str:
        """What its `inline` is recognised by; `""` unless it was read from Omni."""
        return self._written

    def as_written(self, digest: str) -> Addon:
        """The add-on, with what its `inline` is recognised by."""
        self._written = digest
        return self


def _one_of(*names: str) -> BeforeValidator:
    """Reads a field that takes one of several add-ons: a name, or a mapping with one."""
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]

    def read(value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict):
            if value.get("name") is None:
                raise _wrong(f"name is required: {listed}")
            if value["name"] not in names:
                raise _wrong(f"should be {listed}, not {{input}}", value["name"])
        elif not isinstance(value, Addon):
            raise _wrong(f"should be {listed}, or a mapping with name, and version, url, inline or file")
        return value

    return BeforeValidator(read, json_schema_input_type=Literal[names] | Addon)


def _switch(name: str) -> BeforeValidator:
    """Reads a field that stands for one add-on: `true`, or a mapping that says more."""

    def read(value: Any) -> Any:
        if value is True:
            return {"name": name}
        if isinstance(value, dict) and value.get("name", name) == name:
            return {**value, "name": name}
        if not isinstance(value, Addon):
            raise _wrong("should be true or false, or a mapping with version, url, inline or file")
        return value

    return BeforeValidator(read, json_schema_input_type=bool | Addon)


def _wrong(reason: str, value: Any = None) -> PydanticCustomError:
    return PydanticCustomError("addon", "{reason}", {"reason": reason, "value": value})


def _details(addon: Addon) -> dict[str, Any]:
    details: dict[str, Any] = addon.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"name"})
    return details


_NAMED = PlainSerializer(
    lambda each: {"name": each.name, **details} if (details := _details(each)) else each.name, when_used="unless-none"
)
_SWITCHED = PlainSerializer(lambda each: _details(each) or True, when_used="unless-none")


class Addons(Model):
    """Add-ons of a cluster. Only the network plugin is installed by default."""

    cni: Annotated[Addon, _one_of(FLANNEL, NONE, CILIUM, CALICO), _NAMED] | None = None
    """Network plugin: `flannel` (comes with Talos), `none`, `cilium` or `calico`. It cannot be changed once the cluster
    is bootstrapped. Default: `flannel`."""

    metrics_server: Annotated[Addon, _switch(METRICS_SERVER), _SWITCHED] | None = None
    """metrics-server, which measures what pods and nodes use. Kubelets then get certificates that it can verify."""

    cert_manager: Annotated[Addon, _switch(CERT_MANAGER), _SWITCHED] | None = None
    """cert-manager, which issues certificates."""

    policy_engine: Annotated[Addon, _one_of(KYVERNO, GATEKEEPER), _NAMED] | None = None
    """Policy engine: `kyverno` or `gatekeeper`."""

    git_ops_engine: Annotated[Addon, _one_of(FLUX, ARGO_CD), _NAMED] | None = None
    """GitOps engine: `flux` or `argocd`."""

    csi: Annotated[Addon, _one_of(LOCAL_PATH), _NAMED] | None = None
    """Storage for pods: `local-path`, on the disk of the node."""

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_off(cls, data: Any) -> Any:
        """A switch that is off is an add-on that was not asked for."""
        if not isinstance(data, dict):
            return data
        switches = ("metricsServer", "metrics_server", "certManager", "cert_manager")
        return {key: value for key, value in data.items() if not (value is False and key in switches)}

    def chosen(self) -> Iterator[tuple[str, Addon]]:
        """What was asked for, each with the name of its field on the wire."""
        for name, field in type(self).model_fields.items():
            addon = getattr(self, name)
            if addon is not None:
                yield field.alias or name, addon

    def others(self) -> Iterator[tuple[str, Addon]]:
        """What was asked for besides the network plugin."""
        return ((field, addon) for field, addon in self.chosen() if addon.name not in NETWORK_PLUGINS)


def addon_rules(addons: Addons) -> Iterator[Problem]:
    """What of the add-ons makes no sense, whatever the cluster is like."""
    for field, addon in addons.chosen():
        path = ("addons", field)
        given = [name for name in ("version", "url", "inline") if getattr(addon, name)]
        if addon.name in BUILT_IN and given:
            what = "comes with Talos" if addon.name == FLANNEL else "installs nothing"
            yield Problem((*path, given[0]), f"{addon.name} {what} and has no {given[0]}")
        elif given == ["version", "url"]:
            yield Problem((*path, "version"), "version and url are mutually exclusive: the URL determines the version")
        elif len(given) > 1:
            yield Problem((*path, given[0]), f"{' and '.join(given)} are mutually exclusive: keep one of them")
        elif addon.inline and addon.name in NETWORK_PLUGINS:
            yield Problem((*path, "inline"), "the machines download the manifest of a network plugin: give its url")
        if addon.source is not None:
            yield from _source_rules((*path, "source"), addon)


def _source_rules(path: tuple[str, ...], addon: Addon) -> Iterator[Problem]:
    source = addon.source
    if addon.name not in (FLUX, ARGO_CD):
        yield Problem(path, f"{addon.name} deploys nothing and has no source")
    elif source is not None and (source.username is None) != (source.password is None):
        yield Problem(path, "username and password belong together: give both or neither")
