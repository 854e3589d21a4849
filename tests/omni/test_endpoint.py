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
        ("https://host:8443//", "host:8443", True, "https://host:8443"),
        ("HTTPS://Host.Example/", "host.example:443", True, "https://host.example"),
        ("acc.omni.siderolabs.io", "acc.omni.siderolabs.io:443", True, "https://acc.omni.siderolabs.io"),
        ("acc.omni.siderolabs.io/", "acc.omni.siderolabs.io:443", True, "https://acc.omni.siderolabs.io"),
        ("omni.lan:8443", "omni.lan:8443", True, "https://omni.lan:8443"),
        ("  https://host\n", "host:443", True, "https://host"),
        ("http://host", "host:80", False, "http://host"),
        ("grpc://127.0.0.1:50051", "127.0.0.1:50051", False, "grpc://127.0.0.1:50051"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443", True, "https://[2001:db8::1]:8443"),
        ("https://[2001:DB8:0::1]", "[2001:db8::1]:443", True, "https://[2001:db8::1]"),
        ("[::1]:8080", "[::1]:8080", True, "https://[::1]:8080"),
        ("https://bücher.example", "xn--bcher-kva.example:443", True, "https://xn--bcher-kva.example"),
    ],
)
def test_an_endpoint_is_understood_as_omnis_own_client_does(written, target, secure, url):
    endpoint = normalise_endpoint(written)
    assert (endpoint.target, endpoint.secure, endpoint.url) == (target, secure, url)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ftp://host", "the scheme is not https, http or grpc"),
        ("htps://host", "the scheme is not https, http or grpc"),
        ("https://", "it has no host name"),
        ("https://:443", "it has no host name"),
        ("https://host:99999", "the port should be a number from 1 to 65535"),
        ("https://host:abc", "the port should be a number"),
        ("https://host:0", "the port should be a number"),
        ("https://ho st", "the host is not valid"),
        ("https://-host", "the host is not valid"),
        ("https://<account>.omni.siderolabs.io:443", "the host is not valid"),
        ("https://[::1", "the host is not valid"),
        ("https://[nonsense]:443", "the host is not valid"),
        ("https://a..b", "the host is not valid"),
        ("::1", "is not valid"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_reason(written, reason):
    with pytest.raises(SettingsError) as caught:
        normalise_endpoint(written)
    assert str(caught.value).startswith(f"omni endpoint {written!r} is not valid: ")
    assert reason in str(caught.value)
    assert "https://<account>.omni.siderolabs.io:443" in str(caught.value)


@pytest.mark.parametrize(
    "written",
    [
        "https://host/omni",
        "https://host:443/omni/",
        "host/omni",
        "https://host?token=s3cret",
        "https://host/#s3cret",
        "https://host/user:s3cret@path",
        "https://[::1]/x",
    ],
)
def test_a_path_is_refused_since_it_would_be_dropped_and_it_is_not_shown(written):
    with pytest.raises(SettingsError, match=r"it has a path, a query or a fragment.*remove it") as caught:
        normalise_endpoint(written)
    assert "s3cret" not in str(caught.value)
    assert "/omni" not in str(caught.value).replace("://", "")


@pytest.mark.parametrize("written", ["https://" + "a" * 300, "s3cret" * 20, "https://host:99999/?s3cret"])
def test_what_is_long_and_what_stands_behind_the_port_is_not_quoted(written):
    with pytest.raises(SettingsError) as caught:
        normalise_endpoint(written)
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("written", ["", "  \n"])
def test_a_missing_endpoint_is_said_to_be_required(written):
    with pytest.raises(SettingsError, match=r"^omni endpoint is required: "):
        normalise_endpoint(written)


@pytest.mark.parametrize(
    "written", ["https://user:s3cret@host", "user:s3cret@host:bad", "https://user:s3cret@host:bad/x"]
)
def test_a_password_in_an_endpoint_is_refused_and_not_shown(written):
    with pytest.raises(SettingsError, match="must not contain a user name or password") as caught:
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
