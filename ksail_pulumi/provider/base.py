"""What the providers of all resources share: how they reach Omni."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi import dynamic

from ksail_pulumi.provider.configured import unknown_settings
from ksail_pulumi.provider.host import call as host
from ksail_pulumi.provider.host import stderr
from ksail_pulumi.provider.run import this_run
from ksail_pulumi.provider.settings import Settings

if TYPE_CHECKING:
    from pulumi.dynamic import ConfigureRequest


class OmniProvider(dynamic.ResourceProvider):
    """A provider that is pickled by its import path, without state: readable in the state file, and never changed."""

    serialize_as_secret_always = False
    _settings = Settings()

    def configure(self, req: ConfigureRequest) -> None:
        """Remember how to reach Omni; no call is made."""
        host.prepare()
        stderr.keep_grpc_quiet()
        self._settings = Settings.of(req.config)
        for warning in unknown_settings(getattr(req.config, "_props", ())):
            if this_run.is_news("", warning):
                host.warn(warning)
