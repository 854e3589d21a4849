"""Warnings about the settings of a stack or an explicit provider: a key in plain text, an unknown name.

Only the program knows whether a value is secret, and only the provider knows all settings that are set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pulumi
from pulumi import Output, ProviderResource

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.provider.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_KEY, _ENDPOINT = "omni:serviceAccountKey", "omni:endpoint"
_IN_PLAIN_TEXT = "is stored in plain text in the state and its history"
_warned: WeakSet[Any] = WeakSet()


async def look_at_settings(resource: pulumi.Resource, inputs: Mapping[str, Any]) -> None:
    """Warn, once a program, of a service account key that is not set as a secret.

    Args:
        resource: The cluster.
        inputs: Its inputs; an own endpoint takes precedence over that of the settings.

    Raises:
        SettingsError: The endpoint is set as a secret. Pulumi stores it in plain text with the cluster.
    """
    provider = getattr(resource, "_provider", None)
    if isinstance(provider, ProviderResource):
        await _look_at_provider(provider, inputs)
        return
    if "endpoint" not in inputs and pulumi.runtime.is_config_secret(_ENDPOINT):
        raise SettingsError(
            f"{_ENDPOINT} is set as a secret, and cannot be one: Pulumi stores the address of a cluster's Omni in "
            f"plain text. Set it with `pulumi config set --plaintext {_ENDPOINT} https://<account>.omni.siderolabs.io:443`"
        )
    if pulumi.runtime.get_config(_KEY) and not pulumi.runtime.is_config_secret(_KEY):
        _warn_once(
            pulumi.runtime.get_root_resource(),
            f"{_KEY} {_IN_PLAIN_TEXT}, because it is not set as a secret. Renew the key in Omni, and set the new one "
            f"with `pulumi config set --secret {_KEY}`",
        )


async def _look_at_provider(provider: ProviderResource, inputs: Mapping[str, Any]) -> None:
    given = {name: value for name, value in vars(provider).items() if isinstance(value, Output)}
    name = provider._name
    if "endpoint" not in inputs and _ENDPOINT in given and await given[_ENDPOINT].is_secret():
        raise SettingsError(
            f"{_ENDPOINT} of provider {name!r} is marked as secret, and cannot be: Pulumi stores the address of a "
            "cluster's Omni in plain text. Pass it through pulumi.Output.unsecret"
        )
    if _KEY in given and not await given[_KEY].is_secret():
        _warn_once(
            provider,
            f"{_KEY} of provider {name!r} {_IN_PLAIN_TEXT}, because it is not marked as secret. Renew the key in Omni, "
            "and pass the new one from `pulumi.Config().require_secret` or through `pulumi.Output.secret`",
        )


def _warn_once(about: pulumi.Resource | None, message: str) -> None:
    if about is not None and about in _warned:
        return
    if about is not None:
        _warned.add(about)
    pulumi.log.warn(message)


def unknown_settings(names: Iterable[str]) -> Iterator[str]:
    """A warning for each unknown setting `omni:…`."""
    known = [f"omni:{name}" for name in SETTINGS]
    for name in sorted(names):
        if name.startswith("omni:") and name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known settings: {', '.join(known)}"
            yield f"{name} is not a setting of an OmniCluster; {hint}"
