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

from ksail_pulumi.provider.program import reported
from ksail_pulumi.provider.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return _ask(_get_cluster(name), _client(endpoint, service_account_key_env_var))


def get_cluster_output(
    name: Input[str], *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[ClusterInfo]:
    """The same as `get_cluster`, for inputs that are outputs."""
    return _output(_get_cluster, [name], endpoint, service_account_key_env_var)


def list_clusters(*, endpoint: str = "", service_account_key_env_var: str = "") -> list[ClusterInfo]:
    """All clusters of the account, by name. Arguments and errors as for `get_cluster`."""
    return _ask(_list_clusters(), _client(endpoint, service_account_key_env_var))


def list_clusters_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[ClusterInfo]]:
    """The same as `list_clusters`, for inputs that are outputs."""
    return _output(_list_clusters, [], endpoint, service_account_key_env_var)


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
    return _ask(_list_machines(selector), _client(endpoint, service_account_key_env_var))


def list_machines_output(
    *, selector: Input[str] = "", endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[MachineInfo]]:
    """The same as `list_machines`, for inputs that are outputs."""
    return _output(_list_machines, [selector], endpoint, service_account_key_env_var)


def get_versions(*, endpoint: str = "", service_account_key_env_var: str = "") -> VersionsInfo:
    """The versions of Talos and Kubernetes that Omni supports. Arguments and errors as for `get_cluster`."""
    return _ask(_get_versions(), _client(endpoint, service_account_key_env_var))


def get_versions_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[VersionsInfo]:
    """The same as `get_versions`, for inputs that are outputs."""
    return _output(_get_versions, [], endpoint, service_account_key_env_var)


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
    return _ask(_get_extensions(talos_version), _client(endpoint, service_account_key_env_var))


def get_extensions_output(
    talos_version: Input[str] = "", *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[ExtensionInfo]]:
    """The same as `get_extensions`, for inputs that are outputs."""
    return _output(_get_extensions, [talos_version], endpoint, service_account_key_env_var)


def get_machine_classes(*, endpoint: str = "", service_account_key_env_var: str = "") -> list[MachineClassInfo]:
    """All machine classes of the account, by name. Arguments and errors as for `get_cluster`."""
    return _ask(_get_machine_classes(), _client(endpoint, service_account_key_env_var))


def get_machine_classes_output(
    *, endpoint: Input[str] = "", service_account_key_env_var: Input[str] = ""
) -> Output[list[MachineClassInfo]]:
    """The same as `get_machine_classes`, for inputs that are outputs."""
    return _output(_get_machine_classes, [], endpoint, service_account_key_env_var)


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


def _client(endpoint: str, variable: str) -> Client:
    from ksail_pulumi.omni.client import connect

    names = [f"omni:{name}" for name in SETTINGS]
    config = Config({name: value for name in names if (value := pulumi.runtime.get_config(name))}, "")
    with reported():
        return connect(Settings.of(config).connection({"endpoint": endpoint, "serviceAccountKeyEnvVar": variable}))


def _ask(question: Callable[[Client], T], client: Client) -> T:
    with reported():
        return question(client.until(time.monotonic() + CALL_SECONDS))


def _output(
    question: Callable[..., Callable[[Client], T]], inputs: list[Input[str]], endpoint: Input[str], variable: Input[str]
) -> Output[T]:
    """Ask once all inputs are known, without holding up the program."""

    async def answer(known: list[Any]) -> T:
        *given, where, key = known
        # The configuration of the stack cannot be read in another thread.
        client = _client(where, key)
        return await asyncio.get_running_loop().run_in_executor(None, _ask, question(*given), client)

    found: Output[T] = Output.all(*inputs, endpoint, variable).apply(answer)
    return found
