from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ksail_pulumi.cli.app import COMMANDS, main
from ksail_pulumi.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_imports_pulumi(command):
    code = f"import sys, ksail_pulumi.cli.app as app; app.parser_of([{command!r}]); print('pulumi' in sys.modules)"
    assert python(code) == "False\n"


def test_nothing_heavy_is_loaded_before_the_command_is_known():
    code = (
        "import sys\n"
        "from ksail_pulumi.cli import app\n"
        "try:\n"
        "    app._options(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print({'grpc', 'pydantic', 'rich', 'yaml', 'google.protobuf'} & set(sys.modules))"
    )
    assert python(code).splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["bring-up"], "invalid choice: 'bring-up'"),
        (["info"], "the following arguments are required: NAME"),
        (["list", "--", "true"], "list does not accept a command after --"),
        (["simulate", "--"], "missing command after --"),
        (["simulate", "--machines", "0"], "argument --machines: should be a whole number of 1 or more, not '0'"),
        (["simulate", "--port", "70000"], "argument --port: should be a port number, not '70000'"),
        (["status", "\udcff"], "argument 2 has control characters or is not UTF-8"),
        (["kubeconfig", "shop", "--context", "k\udcff", "--file", "kc"], "argument 4 has control characters or is not"),
        (["kubeconfig", "shop", "--context", "a\nb"], "argument 4 has control characters or is not UTF-8"),
        (["simulate", "--speed", "slow"], "argument --speed: invalid choice: 'slow'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_command_after_the_dashes_gets_any_argument(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "--machines", "1", "--", "touch", "a\nb", "\udcff"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a\nb", "\udcff"}


@pytest.mark.parametrize("arguments", [["schema", "ksail"], ["doctor"], ["completion", "bash"]], ids=" ".join)
def test_output_that_cannot_be_written_is_a_message(no_omni, monkeypatch, capsys, arguments):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(arguments) == 1
        full.flush()  # as Python does at the end
    assert capsys.readouterr().err == "ksail-pulumi: cannot write the output: No space left on device\n"


def test_output_that_the_encoding_lacks_is_a_message(no_omni, monkeypatch, tmp_path, capsys):
    with (tmp_path / "out").open("w", encoding="ascii") as ascii_only:
        monkeypatch.setattr("sys.stdout", ascii_only)
        assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "ksail-pulumi: cannot write the output in ascii: set PYTHONUTF8=1\n"


def test_a_reader_that_has_closed_the_output_is_no_error_to_report(monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert main(["schema", "ksail"]) == 1
    assert capsys.readouterr().err == ""


def test_a_closed_stdout_is_no_error(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["schema", "ksail"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_exit_codes(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"\n  ksail-pulumi {command}" in text
    assert "Exit codes: 0 success; 1 error; 2 wrong usage;" in " ".join(text.split())


def test_the_main_help_lists_commands_and_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n    {name}  " not in text] == []
    assert "3 the answer is no; 130 interrupted" in " ".join(text.split())


def test_bash_completes_commands_and_options(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    ask = (
        'complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; '
        '$(complete -p ksail-pulumi | sed "s/.*-F \\([^ ]*\\).*/\\1/"); echo "${COMPREPLY[@]}"; }\n'
        "complete_line ksail-pulumi lis\ncomplete_line ksail-pulumi list --output j\n"
    )
    bash = shutil.which("bash") or pytest.skip("needs bash")
    done = subprocess.run([bash, "-c", script + ask], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["list", "json"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(capsys, shell):
    assert main(["completion", shell]) == 0
    assert "ksail-pulumi" in capsys.readouterr().out


def test_zsh_runs_nothing_that_a_help_text_quotes(capsys):
    assert main(["completion", "zsh"]) == 0
    options = [line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith('"-')]
    assert any("`" in line for line in options)
    assert [line for line in options if re.search(r"(?<!\\)`", line)] == []


def test_completion_without_its_package_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert "pip install 'ksail-pulumi[cli]'" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip().count(".") >= 2


@pytest.fixture
def no_omni(monkeypatch):
    for name in ("OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE"):
        monkeypatch.delenv(name, raising=False)


ENDPOINT = "omni endpoint is required: environment variable OMNI_ENDPOINT is not set"
KEY = "omni service account key is not set: environment variable OMNI_SERVICE_ACCOUNT_KEY is not set"


ASKING = (
    ["list"],
    ["info", "prod"],
    ["status", "prod"],
    ["status", "prod", "--watch"],
    ["diagnose", "prod"],
    ["machines"],
    ["export", "prod"],
    ["import", "prod"],
)
"""Commands that ask Omni."""


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, {ENDPOINT, KEY}),
        ({"OMNI_ENDPOINT": "https://omni.example"}, {KEY}),
        ({"OMNI_SERVICE_ACCOUNT_KEY": "abc"}, {ENDPOINT}),
        ({"OMNI_ENDPOINT": "", "OMNI_SERVICE_ACCOUNT_KEY": ""}, {ENDPOINT, KEY}),
    ],
)
def test_what_the_environment_lacks_is_named(no_omni, monkeypatch, capsys, arguments, environment, told):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert {line.removeprefix("ksail-pulumi: ").split(" (")[0] for line in output.err.splitlines()} == told


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with Simulator(machines=1) as omni:
        yield omni


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_an_omni_that_does_not_answer_is_a_message(account, monkeypatch, capsys, arguments):
    monkeypatch.setenv("OMNI_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.service_account_key)
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ksail-pulumi: cannot connect to Omni at http://127.0.0.1:1 to ")


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_key_without_a_role_is_a_message(account, monkeypatch, capsys, arguments):
    monkeypatch.setenv("OMNI_ENDPOINT", account.endpoint)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.issue_key("nobody", role="None"))
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ksail-pulumi: service account 'nobody' may not ")
    assert "reading Reader" in output.err


def test_a_key_that_is_none_is_a_message_without_the_key(no_omni, monkeypatch, capsys):
    monkeypatch.setenv("OMNI_ENDPOINT", "https://omni.example")
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", "s3cret!not base64")
    assert main(["list"]) == 1
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "base64" in message
    assert "s3cret" not in message
