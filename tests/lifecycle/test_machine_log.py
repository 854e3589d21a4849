"""The last lines of a machine's log: readable, and without credentials."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from ksail_pulumi.errors import WaitTimeoutError
from ksail_pulumi.lifecycle.waiting.machine_log import LINES, _readable, last_lines
from ksail_pulumi.redaction import log_line
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
        ("[talos] service[etcd](Running): healthy", "[talos] service[etcd](Running): healthy"),
        ("10.0.0.1:6443 at 2026-01-02T03:04:05Z", "10.0.0.1:6443 at 2026-01-02T03:04:05Z"),
    ],
)  # fmt: skip
def test_credentials_are_not_shown(line: str, shown: str) -> None:
    assert log_line(line) == shown


@pytest.mark.parametrize("part", ["a", "token", "a-", "token=", "://", "abcdef.", "bearer "])
def test_the_search_for_credentials_takes_no_more_time_with_the_square_of_the_length(part: str) -> None:
    began = time.process_time()
    log_line((part * 20_000)[:20_000])
    assert time.process_time() - began < 2


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
