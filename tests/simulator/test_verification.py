"""Who gets in: the attempts recorded on a real Omni, keys that are not (any more) good, and what each role may do."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pysequoia
import pytest

from ksail_pulumi.omni.api import management_pb2, resource_pb2, specs_pb2, state_pb2, virtual_pb2
from ksail_pulumi.omni.resources import CLUSTER, SYS_VERSION
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.verification import InvalidSignatureError, Verifier

GET = "/cosi.resource.State/Get"
VERSION = state_pb2.GetRequest(namespace="ephemeral", type=SYS_VERSION.name, id="current")
STATE_METHODS = ("Get", "List", "Create", "Update", "Teardown", "TeardownAndDestroy", "Destroy", "Watch")
MANAGEMENT_METHODS = (
    *("Kubeconfig", "Talosconfig", "Omniconfig", "ValidateConfig", "KubernetesUpgradePreChecks"),
    *("KubernetesSyncManifests", "DestroyServiceAccount", "ReadAuditLog", "CreateJoinToken", "MachinePowerOn"),
    "MachineLogs",
)
INVALID = ("UNAUTHENTICATED", "invalid signature")
OK = ("OK", "")

Metadata = list[tuple[str, str]]


def replaced(metadata: Metadata, key: str, change: Callable[[str], str]) -> Metadata:
    return [(name, change(value) if name == key else value) for name, value in metadata]


def without(metadata: Metadata, key: str) -> Metadata:
    return [(name, value) for name, value in metadata if name != key]


def signed_at(offset: int) -> Callable[[Any], Metadata]:
    return lambda caller: caller.metadata(GET, timestamp=str(int(time.time()) + offset))


def header(name: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda payload: {**payload, "headers": {**payload["headers"], name: value}}


def dropped(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda payload: {
        **payload,
        "headers": {key: value for key, value in payload["headers"].items() if key != name},
    }


ATTEMPTS: list[tuple[str, Callable[[Any], Metadata], tuple[str, str]]] = [
    ("good", lambda caller: caller.metadata(GET), OK),
    ("no metadata at all", lambda caller: [], INVALID),
    (
        "signature without a payload header",
        lambda caller: without(caller.metadata(GET), "x-sidero-payload"),
        INVALID,
    ),
    ("timestamp 6 min in the past", signed_at(-360), INVALID),
    ("timestamp 6 min in the future", signed_at(360), INVALID),
    ("timestamp 4 min 50 s in the past", signed_at(-290), OK),
    ("timestamp 4 min 50 s in the future", signed_at(290), OK),
    ("timestamp not a number", lambda caller: caller.metadata(GET, timestamp="now"), INVALID),
    ("timestamp with a fraction", lambda caller: caller.metadata(GET, timestamp=f"{time.time():.3f}"), INVALID),
    ("no timestamp header", lambda caller: without(caller.metadata(GET), "x-sidero-timestamp"), INVALID),
    ("payload for another method", lambda caller: caller.metadata("/cosi.resource.State/List"), INVALID),
    (
        "payload changed after signing",
        lambda caller: replaced(caller.metadata(GET), "x-sidero-payload", lambda text: text + " "),
        INVALID,
    ),
    ("payload is not JSON", lambda caller: caller.metadata(GET, payload=lambda _: "{"), INVALID),
    ("payload is nested without end", lambda caller: caller.metadata(GET, payload=lambda _: "[" * 5000), INVALID),
    ("payload is JSON of another kind", lambda caller: caller.metadata(GET, payload=lambda _: "[1]"), INVALID),
    (
        "payload lacks a header that is sent",
        lambda caller: caller.metadata(GET, {"context": "c"}, payload=header("context", None)),
        INVALID,
    ),
    (
        "payload has a header that is not sent",
        lambda caller: caller.metadata(GET, payload=header("cluster", ["c"])),
        INVALID,
    ),
    (
        "payload header empty list instead of null",
        lambda caller: caller.metadata(GET, payload=header("nodes", [])),
        INVALID,
    ),
    ("payload header left out instead of null", lambda caller: caller.metadata(GET, payload=dropped("nodes")), OK),
    ("a signed header that is sent", lambda caller: caller.metadata(GET, {"context": "c"}), OK),
    ("unsigned extra metadata", lambda caller: [*caller.metadata(GET), ("foo", "bar")], OK),
    ("metadata runtime=Omni", lambda caller: caller.metadata(GET, {"runtime": "Omni"}), OK),
    (
        "metadata runtime=Talos",
        lambda caller: caller.metadata(GET, {"runtime": "Talos"}),
        ("INVALID_ARGUMENT", "at least one of cluster, node, or nodes must be specified"),
    ),
    (
        "metadata node",
        lambda caller: [*caller.metadata(GET), ("node", "a")],
        ("UNKNOWN", "node not found, cannot resolve its management address"),
    ),
    (
        "unknown fingerprint, good signature",
        lambda caller: replaced(
            caller.metadata(GET), "x-sidero-signature", lambda text: text.replace(caller.fingerprint, "0" * 40)
        ),
        INVALID,
    ),
    (
        "signature with five parts",
        lambda caller: replaced(caller.metadata(GET), "x-sidero-signature", lambda text: text + " x"),
        INVALID,
    ),
    (
        "signature of another version",
        lambda caller: replaced(
            caller.metadata(GET), "x-sidero-signature", lambda text: text.replace("siderov1", "siderov2")
        ),
        INVALID,
    ),
    (
        "signature that is not base64",
        lambda caller: replaced(caller.metadata(GET), "x-sidero-signature", lambda text: text[:-8] + "????"),
        INVALID,
    ),
    (
        "signature that is base64 of nothing",
        lambda caller: replaced(
            caller.metadata(GET), "x-sidero-signature", lambda text: " ".join([*text.split(" ")[:3], "AAAA"])
        ),
        INVALID,
    ),
]


def answer(call: Callable[[], Any]) -> tuple[str, str]:
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return OK


@pytest.mark.parametrize(("make", "expected"), [attempt[1:] for attempt in ATTEMPTS], ids=[a[0] for a in ATTEMPTS])
def test_signed_requests_are_judged_as_omni_does(
    caller: Any, make: Callable[[Any], Metadata], expected: tuple[str, str]
) -> None:
    assert answer(lambda: caller.state.Get(VERSION, metadata=make(caller), timeout=60)) == expected


def test_every_method_is_closed_to_unsigned_calls(still: Simulator, caller: Any) -> None:
    methods = [f"/cosi.resource.State/{name}" for name in STATE_METHODS]
    methods += [f"/management.ManagementService/{name}" for name in MANAGEMENT_METHODS]
    assert set(methods) == set(still._services._handlers)
    for method in methods:
        call = caller.channel.unary_stream(method)
        assert answer(lambda call=call: list(call(b"", timeout=60))) == INVALID


@pytest.mark.parametrize("service", ["cosi.resource.State", "management.ManagementService"])
def test_unknown_methods_are_named(caller: Any, service: str) -> None:
    call = caller.channel.unary_unary(f"/{service}/Nope")
    assert answer(lambda: call(b"", timeout=60)) == ("UNIMPLEMENTED", f"unknown method Nope for service {service}")


def test_another_key_under_a_known_fingerprint_is_refused(
    still: Simulator, caller: Any, make_caller: Callable[..., Any]
) -> None:
    thief = make_caller(still.endpoint, still.issue_key("thief"))
    thief.fingerprint = caller.fingerprint
    assert answer(lambda: thief.call("Get", VERSION)) == INVALID


def test_a_signature_over_text_is_refused(caller: Any) -> None:
    headers = dict(caller.metadata(GET))
    signed = pysequoia.sign(caller._signer, headers["x-sidero-payload"].encode(), mode=pysequoia.SignatureMode.CLEAR)
    made = pysequoia.Sig.from_bytes(signed[signed.index(b"-----BEGIN PGP SIGNATURE") :])
    assert made.signature_type == pysequoia.packet.SignatureType.Text
    as_text = base64.b64encode(bytes(made)).decode()
    headers["x-sidero-signature"] = f"siderov1 {caller.name} {caller.fingerprint} {as_text}"
    assert answer(lambda: caller.state.Get(VERSION, metadata=list(headers.items()), timeout=60)) == INVALID


def test_a_key_of_another_omni_is_refused(still: Simulator, make_caller: Callable[..., Any]) -> None:
    with Simulator(machines=0, speed="manual") as other:
        stranger = make_caller(still.endpoint, other.service_account_key)
        assert answer(lambda: stranger.call("Get", VERSION)) == INVALID


def test_a_revoked_key_opens_nothing(still: Simulator, make_caller: Callable[..., Any]) -> None:
    key = still.issue_key("second")
    second = make_caller(still.endpoint, key)
    assert answer(lambda: second.call("Get", VERSION)) == OK
    still.revoke_key(key)
    assert answer(lambda: second.call("Get", VERSION)) == INVALID


def test_a_key_expires(make_caller: Callable[..., Any]) -> None:
    later = timedelta(0)
    verifier = Verifier(lambda: datetime.now(UTC) + later)
    caller = make_caller("grpc://localhost:1", verifier.issue("short", "Operator", timedelta(hours=1)))
    assert verifier.verify(GET, caller.metadata(GET)).name == "short"
    later = timedelta(hours=1, seconds=1)
    with pytest.raises(InvalidSignatureError, match="expired"):
        verifier.verify(GET, caller.metadata(GET, timestamp=str(int(time.time() + later.total_seconds()))))


@pytest.mark.parametrize(
    ("name", "role", "lifetime"),
    [
        ("a b", "Operator", timedelta(days=1)),
        ("a", "King", timedelta(days=1)),
        ("a", "Operator", timedelta(days=366)),
        ("a", "Operator", timedelta(0)),
    ],
)
def test_impossible_keys_are_not_issued(name: str, role: str, lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verifier().issue(name, role, lifetime)


def wish(kind: str) -> state_pb2.CreateRequest:
    metadata = resource_pb2.Metadata(namespace="default", type=kind, id="a", version="undefined", phase="running")
    spec = specs_pb2.ClusterSpec(talos_version="1.13.8", kubernetes_version="1.36.3").SerializeToString()
    resource = resource_pb2.Resource(metadata=metadata, spec=resource_pb2.Spec(proto_spec=spec))
    return state_pb2.CreateRequest(resource=resource)


def test_a_reader_reads_and_does_not_write(still: Simulator, make_caller: Callable[..., Any]) -> None:
    reader = make_caller(still.endpoint, still.issue_key("reader", role="Reader"))
    assert list(reader.stream("List", state_pb2.ListRequest(namespace="default", type=CLUSTER.name))) == []
    code, text = answer(lambda: reader.call("Create", wish(CLUSTER.name)))
    assert code == "PERMISSION_DENIED"
    assert 'insufficient role: "Reader"' in text
    code, _ = answer(lambda: reader.call("Destroy", state_pb2.DestroyRequest(type=CLUSTER.name, id="a")))
    assert code == "PERMISSION_DENIED"


@pytest.mark.parametrize(("role", "creates", "rules"), [("Reader", 0, 0), ("Operator", 1, 0), ("Admin", 1, 1)])
def test_everybody_is_told_what_is_allowed(
    still: Simulator, make_caller: Callable[..., Any], role: str, creates: int, rules: int
) -> None:
    caller = make_caller(still.endpoint, still.issue_key("somebody", role=role))
    request = state_pb2.GetRequest(namespace="virtual", type="Permissions.omni.sidero.dev", id="permissions")
    told = virtual_pb2.PermissionsSpec.FromString(caller.call("Get", request).resource.spec.proto_spec)
    assert told.can_read_clusters
    assert (told.can_create_clusters, told.can_manage_users) == (creates, rules)


def test_a_reader_gets_no_service_account_kubeconfig(still: Simulator, make_caller: Callable[..., Any]) -> None:
    reader = make_caller(still.endpoint, still.issue_key("reader", role="Reader"))
    request = management_pb2.KubeconfigRequest(service_account=True, service_account_user="u")
    request.service_account_ttl.FromTimedelta(timedelta(hours=1))
    expected = ("PERMISSION_DENIED", 'unauthorized: access denied: insufficient role: "Reader"')
    assert answer(lambda: reader.call("Kubeconfig", request, {"context": "a"})) == expected


def test_an_operator_writes_and_does_not_rule(still: Simulator, make_caller: Callable[..., Any]) -> None:
    operator = make_caller(still.endpoint, still.issue_key("operator"))
    assert answer(lambda: operator.call("Create", wish(CLUSTER.name))) == OK
    request = management_pb2.DestroyServiceAccountRequest(name="automation")
    code, text = answer(lambda: operator.call("DestroyServiceAccount", request))
    assert (code, text) == ("PERMISSION_DENIED", 'unauthorized: access denied: insufficient role: "Operator"')


def test_without_a_role_only_what_is_open_to_all_can_be_read(still: Simulator, make_caller: Callable[..., Any]) -> None:
    nobody = make_caller(still.endpoint, still.issue_key("nobody", role="None"))
    assert answer(lambda: nobody.call("Get", VERSION)) == OK
    request = state_pb2.GetRequest(namespace="default", type=CLUSTER.name, id="a")
    assert answer(lambda: nobody.call("Get", request))[0] == "PERMISSION_DENIED"


def test_who_called_is_in_the_audit_log(still: Simulator, caller: Any) -> None:
    caller.call("Create", wish(CLUSTER.name))
    (entry,) = still.store.audit
    assert (entry.verb, entry.type, entry.id, entry.cluster) == ("create", CLUSTER.name, "a", "a")
    assert entry.actor == "automation@serviceaccount.omni.sidero.dev"
