from __future__ import annotations

import re
from datetime import UTC, datetime

import grpc
import pytest

from ksail_pulumi import errors
from ksail_pulumi.omni.endpoint import normalise_endpoint
from ksail_pulumi.omni.signature import ServiceAccountKey
from ksail_pulumi.omni.status import STATUS, omni_error, plain_text
from ksail_pulumi.simulator.store import _rune


class NoSigner:
    fingerprint = "c21d0af7bcb516599630211e451d7ffdf1268b2f"
    expires_at = datetime(2030, 1, 2, tzinfo=UTC)

    def sign(self, data: bytes) -> bytes:
        raise NotImplementedError


def error_of(code: grpc.StatusCode, details: str, endpoint: str = "https://omni.example") -> errors.OmniError:
    return omni_error(
        code,
        details,
        doing="read Clusters.omni.sidero.dev(default/prod)",
        method="/cosi.resource.State/Get",
        endpoint=normalise_endpoint(endpoint),
        key=ServiceAccountKey("automation", NoSigner()),
    )


def test_every_status_that_grpc_knows_has_an_error():
    assert set(STATUS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize(
    ("details", "plain"),
    [
        ("invalid signature", "invalid signature"),
        ("", "no reason given"),
        (
            'failed to validate: 1 error occurred:\n\t* the cluster "nope" does not exist\n\n',
            'the cluster "nope" does not exist',
        ),
        (
            "failed to validate: 2 errors occurred:\n\t* resource ID must not be empty\n\t* name is required\n\n",
            "resource ID must not be empty\nname is required",
        ),
        (
            "failed to validate: 3 errors occurred:\n\t* error validating Kubernetes version: 1 error occurred:\n\t* "
            "version is required\n\n\n\t* error validating Talos version: 1 error occurred:\n\t* version is required\n"
            '\n\n\t* invalid talos version "": failed to get: resource TalosVersions(default/@undefined) '
            "doesn't exist\n\n",
            "error validating Kubernetes version: version is required\n"
            "error validating Talos version: version is required\n"
            'invalid talos version "": failed to get: resource TalosVersions(default/@undefined) doesn\'t exist',
        ),
        (
            "failed to validate: 1 error occurred:\n\t* error decoding document /v1alpha1/ (line 1): unknown keys "
            "found during decoding:\nmachine:\n    foo: bar\n\n\n",
            "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    foo: bar",
        ),
        (
            "failed to validate: 1 error occurred:\n\t* rpc error: code = PermissionDenied desc = only read access is "
            "permitted\n\n",
            "only read access is permitted",
        ),
        (
            '2 errors occurred:\n\t* overriding "cluster.id" is not allowed in the config patch\n\t* overriding '
            '"machine.type" is not allowed in the config patch\n\n',
            'overriding "cluster.id" is not allowed in the config patch\n'
            'overriding "machine.type" is not allowed in the config patch',
        ),
        (
            "failed to create: resource Clusters.omni.sidero.dev(default/a@undefined) already exists",
            "resource Clusters.omni.sidero.dev(default/a@undefined) already exists",
        ),
        (
            "failed to destroy: resource ConfigPatches.omni.sidero.dev(default/a@1) has pending finalizers &[x]",
            "resource ConfigPatches.omni.sidero.dev(default/a@1) has pending finalizers &[x]",
        ),
    ],
)
def test_omnis_text_loses_its_wrapping(details, plain):
    assert plain_text(details) == plain


def test_several_refusals_are_listed_one_a_line():
    error = error_of(grpc.StatusCode.INVALID_ARGUMENT, "failed to validate: 2 errors occurred:\n\t* a\n\t* b\n\n")
    assert str(error) == "cannot read Clusters.omni.sidero.dev(default/prod):\n  - a\n  - b"
    assert error.detail == "a\nb"


def test_a_refusal_of_many_lines_is_not_taken_for_many():
    details = "failed to validate: 1 error occurred:\n\t* unknown keys found:\nmachine:\n    foo: bar\n\n\n"
    text = "cannot read Clusters.omni.sidero.dev(default/prod): unknown keys found:\nmachine:\n    foo: bar"
    assert str(error_of(grpc.StatusCode.INVALID_ARGUMENT, details)) == text


def test_a_permission_error_inside_a_validation_stays_one():
    details = (
        "failed to validate: 1 error occurred:\n\t* rpc error: code = PermissionDenied desc = only read access\n\n"
    )
    error = error_of(grpc.StatusCode.PERMISSION_DENIED, details)
    assert str(error) == (
        "service account 'automation' may not read Clusters.omni.sidero.dev(default/prod): only read access"
    )


def test_a_role_that_is_too_low_says_which_one_is_needed():
    error = error_of(grpc.StatusCode.PERMISSION_DENIED, 'unauthorized: access denied: insufficient role: "Reader"')
    assert str(error).endswith(
        ': insufficient role: "Reader". Changing clusters needs the role Operator, reading Reader'
    )


def test_a_rejected_key_says_what_to_check():
    text = str(error_of(grpc.StatusCode.UNAUTHENTICATED, "invalid signature"))
    for part in (
        "https://omni.example",
        "'automation'",
        "invalid signature",
        f"clock is right (it says {datetime.now(UTC):%Y-%m-%d}",
        NoSigner.fingerprint,
        "it expires on 2030-01-02",
        "revoked",
        "renewed",
        "omnictl serviceaccount list",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("endpoint", "hint"),
    [
        ("https://omni.example:8443", "Omni usually listens on port 443: is it https://omni.example:443?"),
        ("http://omni.example", "Omni usually listens with TLS: is it https://omni.example:443?"),
        ("https://omni.example", "Is https://omni.example:443 the right URL"),
    ],
)
def test_an_unreachable_omni_is_met_with_a_hint_about_its_address(endpoint, hint):
    text = str(error_of(grpc.StatusCode.UNAVAILABLE, "whatever", endpoint))
    assert text.startswith(f"cannot connect to Omni at {endpoint} to read Clusters")
    assert hint in text


@pytest.mark.parametrize(
    "details",
    [
        "WRONG_VERSION_NUMBER",
        "CERTIFICATE_VERIFY_FAILED: expired",
        "Hostname Verification",
        "TLS handshake timed out",
        "Handshake failed",
        "Domain name not found",
        "Connection refused",
        "http1.x server",
        "No route to host",
        "Socket closed",
        "Timed out",
        "whatever",
        "Received http2 header with status: 404",
    ],
)
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://localhost:1", "https://omni.example"])
def test_every_failed_connection_has_a_remedy(details, endpoint):
    for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        text = str(error_of(code, details, endpoint))
        remedy = text.removeprefix(f"cannot connect to Omni at {endpoint} to ").partition(". ")[2]
        assert re.match("Check |Use |If |Another kind of server may ", remedy), text


def test_an_answer_of_a_proxy_is_not_taken_for_omnis():
    error = error_of(grpc.StatusCode.UNIMPLEMENTED, "Received http2 header with status: 404")
    assert isinstance(error, errors.UnreachableError)
    assert "HTTP status 404" in str(error)


@pytest.mark.parametrize("version", [1, 9, 10, 39, 65, 92, 127, 160, 162, 255, 0x300, 0x1F600, 0x10FFFF])
def test_versions_in_conflicts_are_shown_as_numbers(version):
    """Omni prints them as quoted runes of Go: `'\\t'` is 9, `'¢'` is 162."""
    shown = _rune(version)
    text = f"failed to update: resource Clusters(default/prod@1) update conflict: expected version {shown}, actual "
    error = error_of(grpc.StatusCode.FAILED_PRECONDITION, f"{text}version '\\x01'")
    assert isinstance(error, errors.ConflictError)
    assert error.detail == (
        f"resource Clusters(default/prod@1) update conflict: expected version {version}, actual version 1"
    )


def test_a_link_that_had_worked_is_not_explained_as_a_wrong_address():
    lost = omni_error(
        grpc.StatusCode.UNAVAILABLE,
        "Socket closed",
        doing="create Clusters.omni.sidero.dev(default/prod)",
        method="/cosi.resource.State/Create",
        endpoint=normalise_endpoint("http://omni.example"),
        key=ServiceAccountKey("automation", NoSigner()),
        worked=True,
    )
    assert isinstance(lost, errors.UnreachableError)
    assert str(lost) == (
        "cannot create Clusters.omni.sidero.dev(default/prod): the connection to Omni at http://omni.example was lost: "
        "the server closed the connection"
    )
