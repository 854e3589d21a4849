"""What a cluster runs beside the workloads: its network plugin, and what is usually installed right after it.

Every component is one choice, written as its name, as `true` where there is only one, or as a mapping with `name`,
`version` and `url`. Each has a version that it gets where none is given, so that the same inputs make the same cluster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from ksail_pulumi.model.base import Model, Version
from ksail_pulumi.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

FLANNEL, NONE, CILIUM, CALICO = "flannel", "none", "cilium", "calico"
METRICS_SERVER, CERT_MANAGER = "metrics-server", "cert-manager"
KYVERNO, GATEKEEPER = "kyverno", "gatekeeper"
FLUX, ARGO_CD = "flux", "argocd"
LOCAL_PATH = "local-path"

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
"""The release of each component that is installed where no version is given, as of November 2026."""

BUILT_IN = (FLANNEL, NONE)
"""What takes nothing to install: Talos' own network plugin, and no plugin at all."""

_URL = re.compile(r"https?://[^\s/]+/\S+")


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise PydanticCustomError("url", "should be the http or https URL of a Kubernetes manifest")
    return text


class Component(Model):
    """One component.

    Attributes:
        name: Which one.
        version: Its release, without `v`; None for the one the cluster has, or else that of `VERSIONS`.
        url: A manifest that is installed in place of the component's own.
    """

    name: str
    version: Version | None = None
    url: Annotated[str, BeforeValidator(lambda value: _url(value) if isinstance(value, str) else value)] | None = None


def _one_of(*names: str) -> BeforeValidator:
    """Reads a field that takes one of several components: a name, or a mapping with one."""
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]

    def read(value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict):
            if value.get("name") is None:
                raise _wrong(f"name is missing: it is {listed}")
            if value["name"] not in names:
                raise _wrong(f"should be {listed}, not {{input}}", value["name"])
        elif not isinstance(value, Component):
            raise _wrong(f"should be {listed}, or a mapping with name, and version or url")
        return value

    return BeforeValidator(read, json_schema_input_type=Literal[names] | Component)


def _switch(name: str) -> BeforeValidator:
    """Reads a field that stands for one component: `true`, or a mapping that says more."""

    def read(value: Any) -> Any:
        if value is True:
            return {"name": name}
        if isinstance(value, dict) and value.get("name", name) == name:
            return {**value, "name": name}
        if not isinstance(value, Component):
            raise _wrong("should be true or false, or a mapping with version or url")
        return value

    return BeforeValidator(read, json_schema_input_type=bool | Component)


def _wrong(reason: str, value: Any = None) -> PydanticCustomError:
    return PydanticCustomError("component", "{reason}", {"reason": reason, "value": value})


def _details(component: Component) -> dict[str, str]:
    details = (("version", component.version), ("url", component.url))
    return {name: value for name, value in details if value is not None}


_NAMED = PlainSerializer(
    lambda each: {"name": each.name, **details} if (details := _details(each)) else each.name, when_used="unless-none"
)
_SWITCHED = PlainSerializer(lambda each: _details(each) or True, when_used="unless-none")


class Components(Model):
    """The components of a cluster; what is not set is not installed, but for Talos' own network plugin.

    Attributes:
        cni: The network plugin: `flannel` (Talos' own), `none`, `cilium` or `calico`. It stays for the cluster's life.
        metrics_server: Measures what pods and nodes use; with certificates of kubelets that it can trust.
        cert_manager: Issues certificates.
        policy_engine: `kyverno` or `gatekeeper`.
        git_ops_engine: `flux` or `argocd`.
        csi: Storage for pods: `local-path`, on the disk of the node.
    """

    cni: Annotated[Component, _one_of(FLANNEL, NONE, CILIUM, CALICO), _NAMED] | None = None
    metrics_server: Annotated[Component, _switch(METRICS_SERVER), _SWITCHED] | None = None
    cert_manager: Annotated[Component, _switch(CERT_MANAGER), _SWITCHED] | None = None
    policy_engine: Annotated[Component, _one_of(KYVERNO, GATEKEEPER), _NAMED] | None = None
    git_ops_engine: Annotated[Component, _one_of(FLUX, ARGO_CD), _NAMED] | None = None
    csi: Annotated[Component, _one_of(LOCAL_PATH), _NAMED] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_off(cls, data: Any) -> Any:
        """A switch that is off is a component that was not asked for."""
        if not isinstance(data, dict):
            return data
        switches = ("metricsServer", "metrics_server", "certManager", "cert_manager")
        return {key: value for key, value in data.items() if not (value is False and key in switches)}

    def chosen(self) -> Iterator[tuple[str, Component]]:
        """What was asked for, each with the name of its field on the wire."""
        for name, field in type(self).model_fields.items():
            component = getattr(self, name)
            if component is not None:
                yield field.alias or name, component


def component_rules(components: Components) -> Iterator[Problem]:
    """What of the components makes no sense, whatever the cluster is like."""
    for field, component in components.chosen():
        path = ("components", field)
        if component.name in BUILT_IN and (component.version or component.url):
            given = "version" if component.version else "url"
            what = "comes with Talos" if component.name == FLANNEL else "installs nothing"
            yield Problem((*path, given), f"{component.name} {what} and has no {given}")
        elif component.version and component.url:
            yield Problem(
                (*path, "version"), "version and url are mutually exclusive: the URL says which version it is"
            )
