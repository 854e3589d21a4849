"""A dynamic provider whose `create` does what its input `act` says, to look at the host from inside its process."""

import os
import sys
import threading
import time

from pulumi.dynamic import CreateResult, ResourceProvider

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.provider.host import call as host

PLACES = 12
meeting = threading.Barrier(PLACES)


class ProbeProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req):
        if os.environ.get("PROBE_CONFIGURES_SLOWLY"):
            time.sleep(0.5)  # long enough for more calls to come than the host has threads
        host.prepare()

    def create(self, props):
        with host.call() as call:
            return getattr(self, props["act"])(call, props)

    def tell(self, call, props):
        return CreateResult("told", {"urn": call.urn, "timeout": call.timeout})

    def refuse(self, call, props):
        raise SettingsError("omni endpoint is required: set it")

    def stumble(self, call, props):
        return {}["missing"]

    def leave(self, call, props):
        sys.exit(3)

    def half(self, call, props):
        outputs = {"__provider": props["__provider"], "ready": False, "nodes": ["n" * 64] * int(props.get("nodes", 1))}
        raise call.partial_failure("made", outputs, props, "the wait was too long")

    def talk(self, call, props):
        call.progress("waiting for 2 machines")
        call.info("talos 1.13.8")
        call.warning("one machine is slow")
        return CreateResult("talked", {})

    def meet(self, call, props):
        meeting.wait(timeout=60)
        return CreateResult("met", {})

    def wait(self, call, props):
        call.progress("waiting")
        if not call.cancelled.wait(timeout=props.get("seconds", 60)):
            return CreateResult("waited", {})
        print("interrupted", file=sys.stderr, flush=True)
        raise call.partial_failure("kept", {"__provider": props["__provider"]}, props, "interrupted")
