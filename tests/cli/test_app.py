from __future__ import annotations

import subprocess
import sys

import pytest

from ksail_pulumi.cli.app import main


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def test_no_command_imports_pulumi():
    code = (
        "import sys\n"
        "from ksail_pulumi.cli import app, info, init, list, simulate\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'pulumi'])"
    )
    assert python(code) == "[]\n"


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
        (["simulate", "--speed", "slow"], "argument --speed: invalid choice: 'slow'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


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


@pytest.mark.parametrize("arguments", [["list"], ["info", "prod"]])
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


def test_a_key_that_is_none_is_a_message_without_the_key(no_omni, monkeypatch, capsys):
    monkeypatch.setenv("OMNI_ENDPOINT", "https://omni.example")
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", "s3cret!not base64")
    assert main(["list"]) == 1
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "base64" in message
    assert "s3cret" not in message
