"""What the host module finds in Pulumi's own provider process, at both ends of the supported SDKs."""

import contextlib
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys

import grpc
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from tests.host import HELPERS, PATIENCE, Process, environment_of_host

URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail:OmniCluster::west"
HOST_LIMIT = 4


@pytest.fixture(scope="module")
def probe():
    """The probe provider as Pulumi stores it: by the name of its module."""
    spec = importlib.util.spec_from_file_location("probe", pathlib.Path(__file__).parent / "probe.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["probe"] = module
    spec.loader.exec_module(module)
    yield serialize_provider(module.ProbeProvider())
    del sys.modules["probe"]


def test_the_urn_and_the_custom_timeout_are_found(shared_process, probe):
    told = shared_process(probe).create({"act": "tell"}, urn=URN, timeout=420.0)
    assert told == ("told", {"urn": URN, "timeout": 420.0})


def test_without_frames_the_urn_and_the_timeout_are_empty(shared_process, probe):
    told = shared_process(probe, hidden="frames").create({"act": "tell"}, urn=URN, timeout=420.0)
    assert told == ("told", {"urn": "", "timeout": 0.0})


def test_an_error_of_ours_is_its_message_alone(start_process, probe, failed):
    process = start_process(probe)
    with pytest.raises(failed) as refused:
        process.create({"act": "refuse"})
    assert refused.value.code is grpc.StatusCode.UNKNOWN
    assert refused.value.message == "omni endpoint is required: set it"
    assert "Traceback" not in process.log.read_text()


def test_without_frames_the_message_is_the_text_of_the_exception(shared_process, probe, failed):
    process = shared_process(probe, hidden="frames")
    with pytest.raises(failed) as refused:
        process.create({"act": "refuse"})
    assert refused.value.status is None
    assert "omni endpoint is required: set it" in refused.value.message


def test_a_mistake_of_ours_keeps_its_text(shared_process, probe, failed):
    with pytest.raises(failed) as stumbled:
        shared_process(probe).create({"act": "stumble"})
    assert "missing" in stumbled.value.message


@pytest.mark.parametrize("hidden", ["", "frames"])
def test_an_exit_ends_the_call_and_not_the_process(shared_process, probe, failed, hidden):
    process = shared_process(probe, hidden=hidden)
    with pytest.raises(failed) as left:
        process.create({"act": "leave"})
    assert "the provider was stopped by SystemExit" in left.value.message
    assert process.create({"act": "tell"})[0] == "told"


def test_a_partial_failure_carries_the_id_the_outputs_and_the_inputs(shared_process, probe, failed):
    process = shared_process(probe)
    with pytest.raises(failed) as half:
        process.create({"act": "half"})
    detail = half.value.init_failed
    assert (half.value.message, detail.id, list(detail.reasons)) == (
        "the wait was too long",
        "made",
        ["the wait was too long"],
    )
    assert detail.properties["ready"] is False
    assert detail.inputs["act"] == "half"
    assert detail.properties["__provider"] == detail.inputs["__provider"] == probe


def test_a_partial_failure_of_a_thousand_nodes_arrives_whole(shared_process, probe, failed):
    with pytest.raises(failed) as half:
        shared_process(probe).create({"act": "half", "nodes": 5000})
    assert len(half.value.init_failed.properties["nodes"]) == 5000


def test_without_frames_a_partial_failure_is_a_failure(shared_process, probe, failed):
    with pytest.raises(failed) as half:
        shared_process(probe, hidden="frames").create({"act": "half"})
    assert half.value.status is None
    assert "the wait was too long" in half.value.message


def test_progress_goes_to_the_row_of_the_resource(shared_process, probe):
    process = shared_process(probe)
    process.create({"act": "talk"}, urn=URN)
    assert [(line.message, line.ephemeral, line.severity) for line in process.engine.lines] == [
        ("waiting for 2 machines", True, 1),
        ("talos 1.13.8", False, 1),
        ("one machine is slow", False, 2),
    ]
    assert {line.urn for line in process.engine.lines} == {URN}


@pytest.mark.parametrize("hidden", ["engine", "engine,frames"])
def test_without_an_engine_progress_goes_to_stderr(start_process, probe, engine, hidden):
    process = start_process(probe, hidden=hidden)
    process.create({"act": "talk"}, urn=URN)
    name = "" if "frames" in hidden else "west: "
    assert engine.lines == []
    assert process.log.read_text().splitlines() == [
        f"{name}waiting for 2 machines",
        f"{name}talos 1.13.8",
        f"warning: {name}one machine is slow",
    ]


def test_an_engine_that_is_gone_does_not_hold_up_the_work(start_process, probe, engine):
    process = start_process(probe)
    engine.server.stop(None).wait()
    assert process.create({"act": "talk"}, urn=URN)[0] == "talked"
    assert "west: talos 1.13.8" in process.log.read_text()


def test_twelve_calls_run_at_once(start_process, probe):
    process = start_process(probe)
    process.create({"act": "tell"})  # the provider, and with it the host, is prepared by its first call
    calls = [process.start("Create", process.create_request({"act": "meet"})) for _ in range(12)]
    assert {call.result().id for call in calls} == {"met"}


def test_short_calls_that_had_to_queue_leave_room_for_long_ones(start_process, probe):
    process = start_process(probe, environment={"PROBE_CONFIGURES_SLOWLY": "1"})
    queue = [process.start("Create", process.create_request({"act": "tell"})) for _ in range(HOST_LIMIT + 2)]
    assert {call.result().id for call in queue} == {"told"}
    calls = [process.start("Create", process.create_request({"act": "meet"})) for _ in range(12)]
    assert {call.result().id for call in calls} == {"met"}


def test_where_the_server_cannot_be_found_the_limit_of_the_host_holds(start_process, probe):
    process = start_process(probe, hidden="server")
    calls = [
        process.start("Create", process.create_request({"act": "wait", "seconds": 3.0})) for _ in range(HOST_LIMIT)
    ]
    told = process.start("Create", process.create_request({"act": "tell"}))
    assert not told.done()
    assert {call.result().id for call in calls} == {"waited"}
    assert told.result().id == "told"


def test_cancel_ends_every_wait_and_saves_the_resources(start_process, probe, engine, failed):
    process = start_process(probe)
    calls = [process.start("Create", process.create_request({"act": "wait"})) for _ in range(6)]
    engine.wait_for_line(count=6)
    process.cancel()
    for call in calls:
        with pytest.raises(grpc.RpcError) as interrupted:
            call.result(timeout=60)
        assert failed(interrupted.value).init_failed.id == "kept"


def test_a_call_that_comes_after_the_cancel_does_not_wait(start_process, probe, failed):
    process = start_process(probe)
    process.create({"act": "tell"})
    process.cancel()
    with pytest.raises(failed) as interrupted:
        process.create({"act": "wait"})
    assert interrupted.value.init_failed.id == "kept"


def test_where_cancel_cannot_be_heard_the_wait_runs_on_and_is_saved(start_process, probe, engine):
    process = start_process(probe, hidden="server")
    call = process.start("Create", process.create_request({"act": "wait", "seconds": 1.0}))
    engine.wait_for_line()
    process.cancel()
    assert call.result().id == "waited"


@pytest.mark.parametrize("hidden", ["", "server"])
def test_an_engine_that_hangs_up_ends_the_wait(start_process, probe, engine, hidden):
    process = start_process(probe, hidden=hidden)
    call = process.start("Create", process.create_request({"act": "wait"}))
    engine.wait_for_line()
    call.cancel()
    process.wait_for_log("interrupted")


@pytest.mark.parametrize("act", ["tell", "wait"])
def test_the_process_ends_after_its_calls_when_the_engine_is_killed(sdk, probe, engine, tmp_path, act):
    host = [sdk, "-u", "-m", "pulumi.dynamic", engine.address]
    started = subprocess.Popen(
        [sys.executable, str(HELPERS / "killed_engine.py"), *host],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of_host(),
        process_group=0,
    )
    log = tmp_path / "provider.log"
    log.touch()
    process = Process(started, probe, log)
    call = process.start("Create", process.create_request({"act": act}))
    engine.wait_for_line() if act == "wait" else call.result()
    process.close()
    try:
        _, errors = started.communicate(timeout=PATIENCE)  # ends when no process has this stderr
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert ("interrupted" in errors.decode()) is (act == "wait")
