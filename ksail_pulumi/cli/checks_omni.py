"""The checks of `doctor` on the way to Omni: endpoint, name, connection, TLS, key, clock and role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ksail_pulumi.cli.checks import Check
from ksail_pulumi.cli.settings import CA_FILE, ENDPOINT, key_in, missing_endpoint
from ksail_pulumi.errors import KsailPulumiError, SettingsError
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.endpoint import normalise_endpoint
from ksail_pulumi.omni.examination import addresses, certificate_end, time_of
from ksail_pulumi.omni.proxy import dial, proxy_for
from ksail_pulumi.omni.resources import CURRENT_USER, SYS_VERSION
from ksail_pulumi.omni.signature import ServiceAccountKey, missing_key
from ksail_pulumi.omni.status import unreachable
from ksail_pulumi.omni.tls import Trust, dial_error, file_roots, look_closer, system_roots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ksail_pulumi.omni.endpoint import Endpoint
    from ksail_pulumi.omni.resources import Resource

SECONDS = 5.0
"""The time limit of each step to the server."""

SOON = timedelta(days=14)
"""How long before the expiry of a key or certificate is a warning."""

ALLOWED_SKEW, NOTICEABLE_SKEW = 300.0, 60.0
"""Seconds that the clocks may differ, by Omni's rule; and from when on that is a warning."""

WAY = ("host name", "connection", "TLS")
"""The names of the checks of the way to the server, in order."""

_OPERATOR = (
    "use a service account with the role Operator (in Omni: Settings → Service Accounts) for `pulumi up`, and for "
    "kubeconfigs"
)
_ROLES = {
    "None": Check("role", "failed", "None: it may read neither clusters nor machines", _OPERATOR),
    "Reader": Check("role", "warning", "Reader: it may only read, and gets no kubeconfig of its own", _OPERATOR),
    "Auditor": Check("role", "warning", "Auditor: it may only read, and gets no kubeconfig of its own", _OPERATOR),
    "Operator": Check(
        "role",
        "ok",
        "Operator: all that `pulumi up` needs. It may not read the audit log, so `pulumi refresh` does not say who "
        "made changes",
    ),
    "Admin": Check("role", "ok", "Admin: all that this package can do"),
}


def omni_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check what is needed to use Omni, step by step; what cannot be checked yet is skipped."""
    endpoint, found = _endpoint(environ)
    yield found
    way = [] if endpoint is None else list(_way(endpoint, environ.get(CA_FILE, "")))
    yield from way
    done = {check.name for check in way}
    for name in WAY:
        if name not in done:
            yield Check(name, "skipped", "the checks before it must succeed first")
    reachable = done == set(WAY) and way[-1].result != "failed"
    key, found = _key(environ)
    yield found
    if key is not None:
        yield _expiry(key)
    answer: _Answer | None = None
    if reachable and key is not None:
        answer = _ask(environ)
        yield answer.sign_in
    else:
        yield Check("sign-in", "skipped", "connection, TLS and key must work first")
    yield _clock(answer, endpoint)
    if answer is not None and answer.user is not None:
        role = answer.user.spec.role
        yield _ROLES.get(role, Check("role", "ok", role))
    if answer is not None and answer.system is not None:
        yield Check("Omni", "ok", answer.system.spec.backend_version)


def _endpoint(environ: Mapping[str, str]) -> tuple[Endpoint | None, Check]:
    if not environ.get(ENDPOINT):
        return None, Check("endpoint", "failed", *missing_endpoint())
    try:
        endpoint = normalise_endpoint(environ[ENDPOINT])
    except SettingsError as error:
        return None, Check("endpoint", "failed", str(error))
    proxy = urlsplit(proxy_for(endpoint)).hostname
    return endpoint, Check("endpoint", "ok", f"{endpoint.url}{f', through the proxy {proxy}' if proxy else ''}")


def _way(endpoint: Endpoint, ca_file: str) -> Iterator[Check]:
    """The way to the server: its name, the connection, TLS. Ends with the first check that fails."""
    yield (check := _host_name(endpoint))
    if check.result == "ok":
        yield (check := _connection(endpoint))
    if check.result == "ok":
        yield _tls(endpoint, ca_file)


def _host_name(endpoint: Endpoint) -> Check:
    if proxy_for(endpoint):
        return Check("host name", "ok", f"the proxy looks up {endpoint.host}")
    try:
        found = ", ".join(addresses(endpoint))
    except OSError as error:
        return _failed("host name", error, endpoint)
    return Check("host name", "ok", found if found == endpoint.host else f"{endpoint.host} is {found}")


def _connection(endpoint: Endpoint) -> Check:
    try:
        dial(endpoint, SECONDS).close()
    except OSError as error:
        return _failed("connection", error, endpoint)
    return Check("connection", "ok", f"port {endpoint.port} accepts connections")


def _failed(name: str, error: OSError, endpoint: Endpoint) -> Check:
    words = dial_error(error) or str(error)
    return Check(name, "failed", unreachable(words, "check the connection", endpoint))


def _tls(endpoint: Endpoint, ca_file: str) -> Check:
    if not endpoint.secure:
        if endpoint.loopback:
            return Check("TLS", "ok", "not used; this Omni runs on this computer")
        text = "not used: others on the network can read and change what is sent"
        return Check("TLS", "warning", text, f"use https:// in {ENDPOINT}")
    try:
        trust = Trust(file_roots(ca_file) if ca_file else system_roots())
    except SettingsError as error:
        return Check("TLS", "failed", str(error), f"correct {CA_FILE}")
    try:
        end = certificate_end(endpoint, trust, SECONDS)
    except OSError as error:
        words = look_closer(endpoint, trust, SECONDS) or str(error)
        return Check("TLS", "failed", unreachable(words, "check the connection", endpoint))
    return certificate_check(end)


def certificate_check(end: datetime) -> Check:
    """Whether a trusted certificate expires soon."""
    if end - datetime.now(UTC) < SOON:
        return Check("TLS", "warning", f"the certificate expires {_when(end)}", "renew the certificate of Omni")
    return Check("TLS", "ok", f"the certificate is trusted; it expires {_when(end)}")


def _when(end: datetime) -> str:
    days = (end - datetime.now(UTC)).days
    return f"on {end:%Y-%m-%d}, in {days} {'day' if days == 1 else 'days'}"


def _key(environ: Mapping[str, str]) -> tuple[ServiceAccountKey | None, Check]:
    variable, text = key_in(environ)
    if not text:
        return None, Check("key", "failed", missing_key(variable))
    try:
        key = ServiceAccountKey.parse(text, f"environment variable {variable}")
    except SettingsError as error:
        return None, Check("key", "failed", str(error))
    return key, Check("key", "ok", f"{variable} is the key of service account {key.name!r} ({key.fingerprint})")


def _expiry(key: ServiceAccountKey) -> Check:
    end = key.expires_at
    if end is None:
        return Check("key expiry", "ok", "the key does not expire")
    if end - datetime.now(UTC) < SOON:
        remedy = f"renew it in Omni (Settings → Service Accounts, or `omnictl serviceaccount renew {key.name}`)"
        return Check("key expiry", "warning", f"the key expires {_when(end)}", remedy)
    return Check("key expiry", "ok", f"the key expires {_when(end)}")


@dataclass(frozen=True)
class _Answer:
    """What Omni answered to the first calls.

    Attributes:
        sign_in: The check of the calls themselves.
        user: The `CurrentUser`, made at the time of the call.
        system: The `SysVersion`.
        local: The time on this computer in the middle of the call.
    """

    sign_in: Check
    user: Resource | None = None
    system: Resource | None = None
    local: datetime | None = None


def _ask(environ: Mapping[str, str]) -> _Answer:
    variable, key = key_in(environ)
    connection = Connection(
        environ[ENDPOINT], key, ca_file=environ.get(CA_FILE, ""), key_source=f"environment variable {variable}"
    )
    try:
        state = connect(connection).state
        system = state.get(SYS_VERSION, "current")  # opens the connection, which takes time
        began = datetime.now(UTC)
        user = state.get(CURRENT_USER, "current")
        local = began + (datetime.now(UTC) - began) / 2
    except KsailPulumiError as error:
        return _Answer(Check("sign-in", "failed", str(error)))
    return _Answer(Check("sign-in", "ok", f"Omni accepts the key of {user.spec.identity}"), user, system, local)


def _clock(answer: _Answer | None, endpoint: Endpoint | None) -> Check:
    """Compare the clocks: by what Omni answered or, if it does not accept calls, by the header of its web page."""
    local, server = datetime.now(UTC), None
    if answer is not None and answer.user is not None and answer.local is not None:
        local, server = answer.local, answer.user.created
    elif endpoint is not None:
        server = time_of(endpoint, SECONDS)
    if server is None:
        return Check("clock", "skipped", "Omni's time is not known")
    return skew_check((local - server).total_seconds())


def skew_check(skew: float) -> Check:
    """Whether the clock of this computer may differ that much from Omni's; positive: it is ahead."""
    if abs(skew) < 1.5:
        return Check("clock", "ok", "agrees with Omni's")
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Omni's"
    if abs(skew) < NOTICEABLE_SKEW:
        return Check("clock", "ok", text)
    remedy = "synchronise the clock of this computer (on Linux: `timedatectl set-ntp true`)"
    late = abs(skew) >= ALLOWED_SKEW
    return Check("clock", "failed" if late else "warning", f"{text}; Omni refuses calls from 5 minutes on", remedy)
