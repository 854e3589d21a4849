"""Functions for programs that read from Omni: plain ones, and `…_output` for inputs that are outputs.

They reach Omni as the resources do: by the arguments, the configuration of the stack, or the environment.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
from pulumi import Input, Output
from pulumi.dynamic import Config

from ksail_pulumi.problems import InvalidCluster, Problem
from ksail_pulumi.provider.declaring import why_not_sendable
from ksail_pulumi.provider.program import reported
from ksail_pulumi.provider.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ksail_pulumi.lifecycle.queries import (
        ClusterInfo,
        ExtensionInfo,
        MachineClassInfo,
        MachineInfo,
        VersionsInfo,
    )
    from ksail_pulumi.omni.client import Client

T = TypeVar("T")

CALL_SECONDS = 60.0
"""The time limit of a function."""


def get_cluster(name: str, *, endpoint: str = "", service_account_key_env_var: str = "") -> ClusterInfo:
    """A cluster of the account, whoever made it.

    Args:
        name: Its name.
        endpoint: URL of its Omni. Default: the Omni of the stack.
        service_account_key_env_var: Name of the environment variable with the service account key for this Omni.

    Raises:
        NotFoundError: There is no cluster of this name.
        OmniError: Omni refuses, or does not answer.
        SettingsError: How to reach Omni is missing or wrong.
    """
    return _ask("get_cluster", _get_cluster, {"name": name}, endpoint, service_account_key_env_var)


def get_cluster_output(
    name: Input[str], *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[ClusterInfo]:
    """The same as `get_cluster`, for inputs that are outputs."""
    return _output("get_cluster", _get_cluster, {"name": name}, endpoint, service_account_key_env_var)


def list_clusters(*, endpoint: str = "", service_account_key_env_var: str = "") -> list[ClusterInfo]:
    """All clusters of the account, by name. Arguments and errors as for `get_cluster`."""
    return _ask("list_clusters", _list_clusters, {}, endpoint, service_account_key_env_var)


def list_clusters_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[ClusterInfo]]:
    """The same as `list_clusters`, for inputs that are outputs."""
    return _output("list_clusters", _list_clusters, {}, endpoint, service_account_key_env_var)


def list_machines(
    *, selector: str = "", endpoint: str = "", service_account_key_env_var: str = ""
) -> list[MachineInfo]:
    """The machines of the account, by ID.

    Args:
        selector: Which ones, in the form that machine classes use: `arch = amd64, !gpu`. Default: all.
        endpoint: As for `get_cluster`.
        service_account_key_env_var: As for `get_cluster`.

    Raises:
        InputError: The selector is not valid.
        OmniError: Omni refuses, or does not answer.
        SettingsError: How to reach Omni is missing or wrong.
    """
    return _ask("list_machines", _list_machines, {"selector": selector}, endpoint, service_account_key_env_var)


def list_machines_output(
    *, selector: Input[str] = "", endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[MachineInfo]]:
    """The same as `list_machines`, for inputs that are outputs."""
    return _output("list_machines", _list_machines, {"selector": selector}, endpoint, service_account_key_env_var)


def get_versions(*, endpoint: str = "", service_account_key_env_var: str = "") -> VersionsInfo:
    """The versions of Talos and Kubernetes that Omni supports. Arguments and errors as for `get_cluster`."""
    return _ask("get_versions", _get_versions, {}, endpoint, service_account_key_env_var)


def get_versions_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[VersionsInfo]:
    """The same as `get_versions`, for inputs that are outputs."""
    return _output("get_versions", _get_versions, {}, endpoint, service_account_key_env_var)


def get_extensions(
    talos_version: str = "", *, endpoint: str = "", service_account_key_env_var: str = ""
) -> list[ExtensionInfo]:
    """The system extensions for a Talos version, by name.

    Args:
        talos_version: The version, with or without `v`. Default: that of a new cluster for which none is given.
        endpoint: As for `get_cluster`.
        service_account_key_env_var: As for `get_cluster`.

    Raises:
        InputError: Omni has no extensions for this version.
        OmniError: Omni refuses, or does not answer.
        SettingsError: How to reach Omni is missing or wrong.
    """
    return _ask(
        "get_extensions", _get_extensions, {"talos_version": talos_version}, endpoint, service_account_key_env_var
    )


def get_extensions_output(
    talos_version: Input[str] = "", *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[ExtensionInfo]]:
    """The same as `get_extensions`, for inputs that are outputs."""
    return _output(
        "get_extensions", _get_extensions, {"talos_version": talos_version}, endpoint, service_account_key_env_var
    )


def get_machine_classes(*, endpoint: str = "", service_account_key_env_var: str = "") -> list[MachineClassInfo]:
    """All machine classes of the account, by name. Arguments and errors as for `get_cluster`."""
    return _ask("get_machine_classes", _get_machine_classes, {}, endpoint, service_account_key_env_var)


def get_machine_classes_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[MachineClassInfo]]:
    """The same as `get_machine_classes`, for inputs that are outputs."""
    return _output("get_machine_classes", _get_machine_classes, {}, endpoint, service_account_key_env_var)


def _get_cluster(name: str) -> Callable[[Client], ClusterInfo]:
    from ksail_pulumi.lifecycle.queries import cluster

    return lambda client: cluster(client, name)


def _list_clusters() -> Callable[[Client], list[ClusterInfo]]:
    from ksail_pulumi.lifecycle.queries import clusters

    return clusters


def _list_machines(selector: str) -> Callable[[Client], list[MachineInfo]]:
    from ksail_pulumi.lifecycle.queries import machines

    return lambda client: machines(client, selector)


def _get_versions() -> Callable[[Client], VersionsInfo]:
    from ksail_pulumi.lifecycle.queries import versions

    return versions


def _get_extensions(talos_version: str) -> Callable[[Client], list[ExtensionInfo]]:
    from ksail_pulumi.lifecycle.queries import extensions

    return lambda client: extensions(client, talos_version)


def _get_machine_classes() -> Callable[[Client], list[MachineClassInfo]]:
    from ksail_pulumi.lifecycle.queries import machine_classes

    return machine_classes


def _ask(
    function: str,
    question: Callable[..., Callable[[Client], T]],
    given: Mapping[str, Any],
    endpoint: str,
    variable: str,
) -> T:
    with reported():
        return _ready(function, question, given, endpoint, variable)()


def _output(
    function: str,
    question: Callable[..., Callable[[Client], T]],
    given: Mapping[str, Input[str]],
    endpoint: Input[str],
    variable: Input[str],
) -> Output[T]:
    """Ask once all inputs are known, without holding up the program."""

    async def answer(known: list[Any]) -> T:
        *values, where, key = known
        with reported():
            # The configuration of the stack cannot be read in another thread.
            ask = _ready(function, question, dict(zip(given, values, strict=True)), where, key)
            return await asyncio.get_running_loop().run_in_executor(None, ask)

    found: Output[T] = Output.all(*given.values(), endpoint, variable).apply(answer)
    return found


def _ready(
    function: str,
    question: Callable[..., Callable[[Client], T]],
    given: Mapping[str, Any],
    endpoint: str,
    variable: str,
) -> Callable[[], T]:
    """A question with all that it needs."""
    from ksail_pulumi.omni.client import connect

    _refuse_wrong(function, {**given, "endpoint": endpoint, "service_account_key_env_var": variable})
    names = [f"omni:{name}" for name in SETTINGS]
    config = Config({name: value for name in names if (value := pulumi.runtime.get_config(name))}, "")
    inputs = {"endpoint": endpoint, "serviceAccountKeyEnvVar": variable}
    client, ask = connect(Settings.of(config).connection(inputs)), question(*given.values())
    return lambda: ask(client.until(time.monotonic() + CALL_SECONDS))


def _refuse_wrong(function: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that are no texts: Python does not check them.

    Raises:
        InvalidCluster: With the name of each.
    """
    if problems := [problem for name, value in arguments.items() for problem in _wrong(function, name, value)]:
        raise InvalidCluster(problems)


def _wrong(function: str, name: str, value: Any) -> Iterator[Problem]:
    argument = f"{function}: {name}"
    if isinstance(value, Output):
        yield Problem((), f"{argument} is an Output, whose value is known later: use {function}_output")
    elif name == "name" and value in (None, ""):
        yield Problem((), f"{argument} is required")
    elif value is None:
        yield Problem((), f"{argument} should be a string, not None: leave it out for the default")
    elif not isinstance(value, str):
        yield Problem((), f"{argument} should be a string, not {{value}}", value=value)
    elif reason := why_not_sendable(value):
        yield Problem((), f"{argument} {reason}")
