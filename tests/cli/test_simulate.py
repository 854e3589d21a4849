from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sys.executable).with_name("ksail-pulumi")
PRINT_ENVIRONMENT = "import os; print(*sorted(name for name in os.environ if name.startswith(('OMNI_', 'SIDERO_'))))"


def simulate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "simulate", *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_a_command_runs_inside_and_its_exit_code_is_handed_on():
    done = simulate("--", sys.executable, "-c", PRINT_ENVIRONMENT + "; raise SystemExit(7)")
    assert (done.returncode, done.stdout, done.stderr) == (7, "OMNI_ENDPOINT OMNI_SERVICE_ACCOUNT_KEY\n", "")


def test_another_omni_does_not_shine_through_to_the_command():
    done = simulate("--", sys.executable, "-c", PRINT_ENVIRONMENT, SIDERO_SERVICE_ACCOUNT_KEY="x", OMNI_CA_FILE="x")
    assert done.stdout == "OMNI_ENDPOINT OMNI_SERVICE_ACCOUNT_KEY\n"


def test_a_command_can_use_the_omni():
    done = simulate("--", str(COMMAND), "list")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"grpc://127\.0\.0\.1:\d+ has no clusters\.\n", done.stdout)


CREATE = """
import os
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
client = connect(Connection(os.environ["OMNI_ENDPOINT"], os.environ["OMNI_SERVICE_ACCOUNT_KEY"]))
mark = OwnershipMark("organization/web/dev/shop")
create(parse_cluster({"name": "shop", "waitFor": "none"}), mark, Session(client, Deadline.after(60)))
"""
URN = "urn:pulumi:dev::web::pulumi-python:dynamic/ksail:OmniCluster::shop"


def test_a_cluster_that_ends_with_its_omni_is_named_with_the_command_that_removes_it_from_the_stack():
    done = simulate("--", sys.executable, "-c", CREATE)
    assert (done.returncode, done.stderr) == (
        0,
        "ksail-pulumi: this Omni has ended, and with it cluster shop, which is still in stack organization/web/dev. To "
        f"remove it from the stack, run `pulumi state delete --target-dependents '{URN}'`. To keep the Omni for the "
        "next run, use --state FILE\n",
    )


def test_an_omni_in_a_file_goes_on(tmp_path: Path):
    file = tmp_path / "omni.json"
    done = simulate("--state", str(file), "--machines", "2", "--", sys.executable, "-c", CREATE)
    assert (done.returncode, done.stderr) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    done = simulate("--state", str(file), "--machines", "2", "--", str(COMMAND), "info", "shop", "--output", "json")
    assert '"name": "shop"' in done.stdout


def test_an_omni_in_a_file_has_its_own_machines_and_port(tmp_path: Path):
    file = tmp_path / "omni.json"
    simulate("--state", str(file), "--machines", "2", "--", "true")
    for option, value in {"machines": "3", "port": "1"}.items():
        done = simulate("--state", str(file), f"--{option}", value, "--", "true")
        assert done.returncode == 1
        assert re.fullmatch(
            rf"ksail-pulumi: --{option}: the Omni in {file} has \d+: leave the option out, or choose another file\n",
            done.stderr,
        )


def test_a_file_that_cannot_be_written_is_reported_before_the_command_runs(tmp_path: Path):
    done = simulate("--state", "/proc/none/omni.json", "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 1
    assert "omni.json: cannot write the file: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_else_wrote_meanwhile_stays_and_the_clusters_are_named(tmp_path: Path):
    file = tmp_path / "omni.json"
    write = f"{CREATE}\nopen({str(file)!r}, 'w').write('mine')"
    done = simulate("--state", str(file), "--", sys.executable, "-c", write)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == (
        f"ksail-pulumi: {file}: the file has changed while this Omni ran: it stays as it is, and this Omni is not kept"
    )
    assert URN in second
    assert file.read_text() == "mine"


def test_a_second_run_with_the_same_file_is_refused(tmp_path: Path):
    file = tmp_path / "omni.json"
    again = f"{COMMAND} simulate --state {file} -- true"
    done = simulate("--state", str(file), "--", "sh", "-c", again)
    assert done.returncode == 1
    assert "is not available; is it in use?" in done.stderr
    assert simulate("--state", str(file), "--", "true").returncode == 0


def test_another_file_is_no_omni_and_stays(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    done = simulate("--state", str(file), "--", "true")
    assert (done.returncode, done.stderr) == (
        1,
        f"ksail-pulumi: {file}: not a file that `ksail-pulumi simulate --state` has written: choose another one, or "
        "delete it\n",
    )
    assert file.read_text() == "mine"


def test_options_after_the_dashes_are_the_commands_own():
    done = simulate(
        "--machines", "1", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--", "--port", "-h"
    )
    assert done.stdout == "['--', '--port', '-h']\n"


def test_a_command_that_dies_of_a_signal_ends_like_in_a_shell():
    done = simulate("--", sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_is_named():
    done = simulate("--", "no-such-command")
    assert (done.returncode, done.stderr) == (1, "ksail-pulumi: no-such-command: command not found\n")


@contextmanager
def running(*arguments: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """The command in the background; gone at the end, whatever happens."""
    with subprocess.Popen([COMMAND, "simulate", *arguments], text=True, **how) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command(number):
    handle = f"import signal, sys; signal.signal({int(number)}, lambda *_: sys.exit(9))"
    code = f"{handle}; print('up', flush=True); signal.pause()"
    with running("--", sys.executable, "-c", code, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait() == 9


def test_a_port_that_is_taken_is_a_message():
    done = simulate("--", sys.executable, "-c", "import os; print(os.environ['OMNI_ENDPOINT'])")
    port = done.stdout.strip().rsplit(":", 1)[1]
    nested = f"{COMMAND} simulate --port {port} -- true"
    done = simulate("--port", port, "--", "sh", "-c", nested)
    assert done.returncode == 1
    # gRPC adds a line of its own.
    assert done.stderr.splitlines()[-1] == f"ksail-pulumi: port {port} on 127.0.0.1 is not available; is it in use?"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_it_prints_the_exports_and_changes_until_it_is_stopped(number):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running("--machines", "2", **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert re.fullmatch(r"export OMNI_ENDPOINT=grpc://127\.0\.0\.1:\d+\n", process.stdout.readline())
        assert re.fullmatch(r"export OMNI_SERVICE_ACCOUNT_KEY=\S+\n", process.stdout.readline())
        available = set()
        while len(available) < 2:
            line = process.stderr.readline()
            assert re.fullmatch(r"machine [0-9a-f-]{36}: .+\n", line)
            if line.endswith(": available\n"):
                available.add(line)
        process.send_signal(number)
        assert (*process.communicate(), process.returncode) == ("", "", 0)


def read_until(terminal: int, pattern: bytes) -> bytes:
    text = b""
    while not re.search(pattern, text):
        ready, _, _ = select.select([terminal], [], [], 20)
        assert ready, text.decode()
        text += os.read(terminal, 65536)
    return text


def read_to_end(terminal: int) -> None:
    """Read until nobody writes any more: a program cannot end while what it writes to a full terminal is not read."""
    # Linux reports the end of a terminal as EIO, others as an empty read.
    with suppress(OSError):
        while os.read(terminal, 65536):
            pass


@pytest.mark.skipif(shutil.which("stty") is None, reason="needs a terminal")
def test_on_a_terminal_machines_and_clusters_are_shown_live():
    terminal, end = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with running(
        "--machines", "3", stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True
    ) as process:
        os.close(end)
        shown = read_until(terminal, b"(?s)(available.*){3}")
        assert b"export OMNI_SERVICE_ACCOUNT_KEY=" in shown
        assert b"No clusters yet." in shown
        process.send_signal(signal.SIGINT)
        read_to_end(terminal)
        assert process.wait() == 0
    os.close(terminal)
