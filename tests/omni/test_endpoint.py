from __future__ import annotations

import pytest

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.omni.channel import normalise_endpoint


@pytest.mark.parametrize(
    ("written", "target", "secure", "url"),
    [
        ("https://acc.omni.siderolabs.io", "acc.omni.siderolabs.io:443", True, "https://acc.omni.siderolabs.io"),
        (
            "https://acc.omni.siderolabs.io:443",
            "acc.omni.siderolabs.io:443",
            True,
            "https://acc.omni.siderolabs.io:443",
        ),
        ("https://host:8443/any/path?query#fragment", "host:8443", True, "https://host:8443"),
        ("HTTPS://Host.Example/", "host.example:443", True, "https://host.example"),
        ("acc.omni.siderolabs.io", "acc.omni.siderolabs.io:443", True, "https://acc.omni.siderolabs.io"),
        ("acc.omni.siderolabs.io/", "acc.omni.siderolabs.io:443", True, "https://acc.omni.siderolabs.io"),
        ("omni.lan:8443", "omni.lan:8443", True, "https://omni.lan:8443"),
        ("  https://host\n", "host:443", True, "https://host"),
        ("http://host", "host:80", False, "http://host"),
        ("grpc://127.0.0.1:50051", "127.0.0.1:50051", False, "grpc://127.0.0.1:50051"),
        ("https://[2001:db8::1]:8443/x", "[2001:db8::1]:8443", True, "https://[2001:db8::1]:8443"),
        ("https://[2001:DB8:0::1]", "[2001:db8::1]:443", True, "https://[2001:db8::1]"),
        ("[::1]:8080", "[::1]:8080", True, "https://[::1]:8080"),
        ("https://bücher.example", "xn--bcher-kva.example:443", True, "https://xn--bcher-kva.example"),
        ("https://host/user@path", "host:443", True, "https://host"),
    ],
)
def test_an_endpoint_is_understood_as_omnis_own_client_does(written, target, secure, url):
    endpoint = normalise_endpoint(written)
    assert (endpoint.target, endpoint.secure, endpoint.url) == (target, secure, url)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ftp://host", "the scheme 'ftp' is not https, http or grpc"),
        ("htps://host", "the scheme 'htps' is not https, http or grpc"),
        ("https://", "it has no host name"),
        ("https://:443", "it has no host name"),
        ("https:///path", "it has no host name"),
        ("https://host:99999", "port out of range"),
        ("https://host:abc", "port could not be cast"),
        ("https://host:0", "port 0 cannot be dialled"),
        ("https://ho st", "'ho st' is not a host name"),
        ("https://-host", "'-host' is not a host name"),
        ("https://<account>.omni.siderolabs.io:443", "'<account>.omni.siderolabs.io' is not a host name"),
        ("https://[::1", "invalid ipv6 url"),
        ("https://[nonsense]:443", "nonsense"),
        ("https://a..b", "'a..b' is not a host name"),
        ("::1", "is not"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_reason(written, reason):
    with pytest.raises(SettingsError) as caught:
        normalise_endpoint(written)
    assert str(caught.value).startswith(f"omni endpoint {written!r} is not valid: ")
    assert reason in str(caught.value)
    assert "https://<account>.omni.siderolabs.io:443" in str(caught.value)


@pytest.mark.parametrize("written", ["", "  \n"])
def test_a_missing_endpoint_is_said_to_be_required(written):
    with pytest.raises(SettingsError, match=r"^omni endpoint is required: "):
        normalise_endpoint(written)


@pytest.mark.parametrize(
    "written", ["https://user:s3cret@host", "user:s3cret@host:bad", "https://user:s3cret@host:bad/x"]
)
def test_a_password_in_an_endpoint_is_refused_and_not_shown(written):
    with pytest.raises(SettingsError, match="may not hold a user name or password") as caught:
        normalise_endpoint(written)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://omni.localhost", True),
        ("http://127.0.0.2:1", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1", False),
        ("https://omni.lan", False),
    ],
)
def test_it_is_known_whether_an_endpoint_is_on_this_machine(written, loopback):
    assert normalise_endpoint(written).loopback is loopback
