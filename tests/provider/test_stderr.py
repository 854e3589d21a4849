"""What gRPC writes to stderr does not reach the user, and all else does."""

import os

import pytest

from ksail_pulumi.provider.host import stderr
from ksail_pulumi.simulator.server import Simulator

NOISE = (
    b"I1124 07:49:45.078013   12204 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL\n"
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795506588.595638   12348 ssl_transport_security.cc:1665] Handshake failed with error SSL_ERROR_SSL\n"
    b"E1124 07:49:45.078013   12204 chttp2_transport.cc:1234] ping timeout\n"
)


def test_lines_of_grpc_are_taken_out_and_all_others_pass_as_they_are():
    written, entrance = os.pipe()
    screen, glass = os.pipe()
    os.write(entrance, b"first\n" + NOISE + b"Traceback (most recent call last):\n\xff I1124 x.cc:1] no\nthe end")
    os.close(entrance)
    stderr._pass_on(written, glass)
    os.close(glass)
    with os.fdopen(screen, "rb") as shown:
        assert shown.read() == b"first\nTraceback (most recent call last):\n\xff I1124 x.cc:1] no\nthe end"


def test_another_process_than_pulumis_host_keeps_its_stderr():
    before = os.fstat(2)
    stderr.keep_grpc_quiet()
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)


@pytest.mark.parametrize("sdk", ["newest"], indirect=True)
def test_a_failed_handshake_is_told_by_our_error_alone(start_provider, failed):
    with Simulator(machines=0) as omni:
        provider = start_provider(environment={"KEY": omni.service_account_key})
        endpoint = omni.endpoint.replace("grpc://", "https://")
        inputs = {"name": "west", "endpoint": endpoint, "serviceAccountKeyEnvVar": "KEY", "controlPlane": {"count": 1}}
        with pytest.raises(failed) as refused:
            provider.create(inputs)
    assert "it does not use TLS" in refused.value.message
    assert ".cc:" not in provider.log.read_text()
