"""The Omni of a resource.

Its inputs take precedence over the configuration of the stack or provider, and that over the environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.redaction import no_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi.dynamic import Config

    from ksail_pulumi.omni.channel import Connection

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


SETTINGS = ("endpoint", "serviceAccountKey", "caFile", "insecureSkipTlsVerify")
"""The names of the settings, without `omni:`."""


@dataclass(frozen=True)
class Settings:
    """The configuration `omni:*` of the stack, or of an explicit provider.

    Attributes:
        endpoint: `omni:endpoint`.
        service_account_key: `omni:serviceAccountKey`, to be set as a secret; not shown.
        ca_file: `omni:caFile`, a PEM file with the authorities to trust.
        insecure_skip_tls_verify: `omni:insecureSkipTlsVerify`, `"true"` or `"false"`.
    """

    endpoint: str = ""
    service_account_key: str = field(default="", repr=False)
    ca_file: str = ""
    insecure_skip_tls_verify: str = ""

    @classmethod
    def of(cls, config: Config) -> Settings:
        """The configuration that Pulumi passes to `configure`."""

        def value(key: str) -> str:
            return str(config.get(f"omni:{key}") or "").strip()

        return cls(
            endpoint=value("endpoint"),
            service_account_key=value("serviceAccountKey"),
            ca_file=value("caFile"),
            insecure_skip_tls_verify=value("insecureSkipTlsVerify"),
        )

    def endpoint_for(self, inputs: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str:
        """The endpoint of a resource with these inputs, `""` if none is set."""
        return _text(inputs.get("endpoint")) or self.endpoint or _text(environ.get("OMNI_ENDPOINT"))

    def connection(self, inputs: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Connection:
        """The connection for a resource with these inputs.

        Raises:
            SettingsError: The endpoint or the key is not set anywhere.
        """
        from ksail_pulumi.omni.channel import Connection

        endpoint = self.endpoint_for(inputs, environ)
        if not endpoint:
            raise SettingsError(
                "omni endpoint is required: set the environment variable OMNI_ENDPOINT, the configuration of the stack "
                "(`pulumi config set omni:endpoint https://<account>.omni.siderolabs.io:443`), the input `endpoint`, "
                "or spec.provider.omni.endpoint in ksail.yaml"
            )
        key, source = self.key_for(inputs, environ)
        return Connection(
            endpoint=endpoint,
            service_account_key=key,
            key_source=source,
            ca_file=self.ca_file or _text(environ.get("OMNI_CA_FILE")),
            insecure_skip_tls_verify=_flag(self.insecure_skip_tls_verify),
        )

    def key_for(self, inputs: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
        """The key for a resource with these inputs, and where it is set.

        Raises:
            SettingsError: The key is not set anywhere.
        """
        from ksail_pulumi.omni.signature import KEY_VARIABLES, missing_key

        named = _text(inputs.get("serviceAccountKeyEnvVar"))
        if named and (reason := no_variable(named)) is not None:
            raise SettingsError(f"serviceAccountKeyEnvVar {reason}")
        if self.service_account_key and not named:
            return self.service_account_key, "the configuration omni:serviceAccountKey"
        for variable in (named,) if named else KEY_VARIABLES:
            if found := _text(environ.get(variable)):
                return found, f"environment variable {variable}"
        raise SettingsError(missing_key(named or KEY_VARIABLES[-1]))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _flag(value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise SettingsError("omni:insecureSkipTlsVerify should be true or false")
