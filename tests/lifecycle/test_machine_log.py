"""The last lines of a machine's log: readable, and without credentials."""

from __future__ import annotations

import base64
import json
import time
import uuid

import pytest

from ksail_pulumi.errors import WaitTimeoutError
from ksail_pulumi.lifecycle.waiting.log_secrets import without_secrets
from ksail_pulumi.lifecycle.waiting.machine_log import LINES, _readable, last_lines
from ksail_pulumi.simulator.server import Simulator

from .conftest import Lab


def test_lines_of_talos_are_shown_with_their_time() -> None:
    line = json.dumps({"msg": "[talos] booting\n", "talos-time": "2026-01-02T03:04:05.678Z", "seq": 1})
    assert list(_readable([line, "plain text", "", '{"msg": 5}', "[1]"])) == [
        "2026-01-02 03:04:05 [talos] booting",
        "plain text",
        '{"msg": 5}',
        "[1]",
    ]


def test_a_long_line_is_cut() -> None:
    [line] = _readable(["x" * 5000])
    assert len(line) == 300
    assert line.endswith("…")


PEM = f"""-----BEGIN EC PRIVATE KEY-----
{"MHcCAQEEIBr9" * 5}
{"q7Zk3xW0pLd8" * 5}
oAoGCCqG==
-----END EC PRIVATE KEY-----"""
PEM_IN_BASE64 = base64.b64encode(PEM.encode()).decode()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("siderolink.api=grpc://10.0.0.1:8090?jointoken=w7uVuW3zbVKIYQuzEcyetAHeYMeo5q2L9RvkAVfCfSCD quiet",
         "siderolink.api=grpc://10.0.0.1:8090?jointoken=… quiet"),
        ("talos.config=https://me:hunter2@files/config.yaml", "talos.config=https://…@files/config.yaml"),
        ('{"client_secret": "abc", "user": "me"}', '{"client_secret": "…", "user": "me"}'),
        ("password: hunter2", "password: …"),
        ("a_token=x b_secret='y' api-key=z end", "a_token=… b_secret='…' api-key=… end"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("bootstrap with abcdef.0123456789abcdef now", "bootstrap with … now"),
        ("token eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl", "token …"),
        ("failed to load machine.ca key: LS0tLS1CRUdJTiBFQw end", "failed to load machine.ca key: … end"),
        (f"client-key-data: {PEM_IN_BASE64}", "client-key-data: …"),
        (f"read {PEM_IN_BASE64[40:]} from disk", "read … from disk"),
        ("password=p@ssw0rd123 quiet", "password=… quiet"),
        ("password=a&b,c;d quiet", "password=… quiet"),
        ('password: "correct horse battery" quiet', 'password: "…" quiet'),
        (r'password: "correct \"horse\" battery" quiet', 'password: "…" quiet'),
        ("password: 'it''s a battery' quiet", "password: '…' quiet"),
        ("password: 'correct horse", "password: '…"),
        ('password="" user="me"', 'password="…" user="me"'),
        ("kubelet --token abcdef --v 2", "kubelet --token … --v 2"),
        ('kubelet --token "ab cdef" --v 2', 'kubelet --token "…" --v 2'),
        (r'{\"token\":\"abcdefgh\",\"user\":\"me\"}', r'{\"token\":\"…\",\"user\":\"me\"}'),
        (r'{\\\"token\\\": \\\"abcdefgh\\\"}', r'{\\\"token\\\": \\\"…\\\"}'),
        ("https://user:p@ss@host/x", "https://…@host/x"),
        ("https://user:p/ss:1@host/x", "https://…@host/x"),
        ("from http://a/b,https://user:pass@host", "from http://a/b,https://…@host"),
        ("pwd=abc", "pwd=…"),
        ("DB_PWD := abc", "DB_PWD := …"),
        ("passphrase: abc", "passphrase: …"),
        ("privateKey: abc", "privateKey: …"),
        ("wireguard private key: abc", "wireguard private key: …"),
        ("auth: dXNlcjpwYXNz", "auth: …"),
        ("registry-auth=dXNlcjpwYXNz", "registry-auth=…"),
        ("AWS_ACCESS_KEY_ID=AKIA12 AWS_REGION=eu", "AWS_ACCESS_KEY_ID=… AWS_REGION=eu"),
        ("tokens:[abc def] user:me", "tokens:…"),
        ("Authorization: Digest abc def", "Authorization: Digest … def"),
        ("\x1b[36mpassword\x1b[0m=hunter2", "password=…"),
        ("[talos] service[etcd](Running): healthy", "[talos] service[etcd](Running): healthy"),
        ("10.0.0.1:6443 at 2026-01-02T03:04:05Z", "10.0.0.1:6443 at 2026-01-02T03:04:05Z"),
        ("https://10.0.0.1:6443/a?b=c@d: refused", "https://10.0.0.1:6443/a?b=c@d: refused"),
        (f"pulled ghcr.io/a/b@sha256:{'0a' * 32}", f"pulled ghcr.io/a/b@sha256:{'0a' * 32}"),
        ("/var/lib/kubelet/pods/5d0e4a1c/volumes/kubernetes", "/var/lib/kubelet/pods/5d0e4a1c/volumes/kubernetes"),
        ("the author passed the keyboard: no", "the author passed the keyboard: no"),
    ],
)  # fmt: skip
def test_credentials_are_not_shown(line: str, shown: str) -> None:
    assert without_secrets([line]) == [shown]


def test_a_private_key_over_several_lines_is_not_shown() -> None:
    key = PEM.splitlines()
    assert without_secrets(["before", *key, "after"]) == ["before", "…", *[""] * (len(key) - 1), "after"]
    assert list(_readable(["before", *key, "after"])) == ["before", "…", "after"]


@pytest.mark.parametrize("read", [slice(1, None), slice(0, -1), slice(-2, None)], ids=["end", "begin", "last lines"])
def test_a_part_of_a_private_key_is_not_shown(read: slice) -> None:
    shown = "\n".join(without_secrets(PEM.splitlines()[read]))
    assert [line for line in PEM.splitlines()[1:-1] if line in shown] == []


def test_no_line_moves_the_cursor_or_changes_colours() -> None:
    line = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\rb\x08c\x9b2J\u202ed\x00e\ttab"
    assert list(_readable([line, json.dumps({"msg": line})])) == ["red a b c 2J d e\ttab", "red a b c 2J d e\ttab"]


@pytest.mark.parametrize(
    "part",
    ["a", "token", "a-", "token=", "token='", "--token ", "://", "abcdef.", "bearer ", "a://b", "aB1", "\x1b[", "\x1b]",
     "-----BEGIN ", "-----END ", "password=\\\"", "http://a@"],
)  # fmt: skip
def test_the_search_for_credentials_takes_time_in_proportion_to_the_length(part: str) -> None:
    def seconds(length: int) -> float:
        line = (part * length)[:length]
        durations = []
        for _ in range(5):
            began = time.process_time()
            without_secrets([line])
            durations.append(time.process_time() - began)
        return min(durations)

    # 16 times as long: a search that takes time with the square takes 256 times as much.
    assert seconds(64_000) < 64 * max(seconds(4_000), 1e-4)


def test_the_log_of_a_machine_is_read(lab: Lab, simulator: Simulator) -> None:
    machine = simulator.machines[0].id
    lines = last_lines([machine], lab.client)[machine]
    assert 0 < len(lines) <= LINES
    assert any("this machine is reachable in maintenance mode" in line for line in lines)


def test_an_unknown_machine_has_no_lines(lab: Lab, simulator: Simulator) -> None:
    unknown = str(uuid.uuid4())
    assert last_lines([unknown], lab.client) == {unknown: ()}


def test_without_an_answer_there_is_no_log(lab: Lab, simulator: Simulator) -> None:
    simulator.stop()
    began = time.monotonic()
    assert last_lines([simulator.machines[0].id], lab.client) == {}
    assert time.monotonic() - began < 5
    assert last_lines([simulator.machines[0].id], None) == {}


def test_the_error_of_a_wait_has_the_last_lines_of_the_log(lab: Lab, simulator: Simulator) -> None:
    lost = sorted(machine.id for machine in simulator.machines)[1]
    simulator.faults.never_join.add(lost)
    with pytest.raises(WaitTimeoutError) as raised:
        lab.create(workers=1, session=lab.session(seconds=4))
    text = str(raised.value)
    assert "  the last lines of its log:\n" in text
    assert "[talos] [initramfs] booting Talos v1.13.8" in text
