from __future__ import annotations

import http.server
import json
import os
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.cli.checks_omni import certificate_check, skew_check
from ksail_pulumi.cli.checks_pulumi import OLDEST
from ksail_pulumi.simulator.server import Simulator
from tools import obtain_pulumi

from .clusters import use

if TYPE_CHECKING:
    from collections.abc import Iterator

TLS = Path(__file__).parents[1] / "omni" / "data" / "tls"
OMNI = ["endpoint", "host name", "connection", "TLS", "key", "key expiry", "sign-in", "clock", "role", "Omni"]
PULUMI = ["ksail-pulumi", "Pulumi SDK", "pulumi"]


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with Simulator(machines=1) as omni:
        yield omni


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only command on PATH: a `pulumi` that prints a version."""
    command = tmp_path / "pulumi"
    command.write_text("#!/bin/sh\necho v3.999.0\n")
    command.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    return command


def doctor(capsys: Any) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the checks by name."""
    code = main(["doctor", "--output", "json"])
    return code, {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def results(checks: dict[str, dict[str, str]], *names: str) -> list[str]:
    return [checks[name]["result"] for name in names]


@pytest.mark.usefixtures("pulumi")
def test_all_is_well(account, monkeypatch, capsys):
    use(monkeypatch, account)
    code, checks = doctor(capsys)
    assert code == 0
    assert list(checks) == [*OMNI, *PULUMI]
    assert {check["result"] for check in checks.values()} == {"ok"}
    assert checks["role"]["text"].startswith("Admin: ")
    assert checks["Omni"]["text"] == account.catalog.backend_version
    assert checks["pulumi"]["text"].startswith("3.999.0 (")
    assert checks["Pulumi SDK"]["text"] == metadata.version("pulumi")


@pytest.mark.usefixtures("pulumi")
def test_the_forms_of_output(account, monkeypatch, capsys):
    use(monkeypatch, account, "Reader")
    assert main(["doctor", "--output", "yaml"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert [check["name"] for check in found] == [*OMNI, *PULUMI]
    assert main(["doctor"]) == 0
    plain = capsys.readouterr().out
    assert f"ok       endpoint: {account.endpoint}\n" in plain
    assert "warning  role: Reader: it may only read, and gets no kubeconfig of its own\n         → use a" in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 0
    assert "role" in capsys.readouterr().out


@pytest.mark.usefixtures("pulumi")
@pytest.mark.parametrize(
    ("role", "result", "code"),
    [("None", "failed", 3), ("Reader", "warning", 0), ("Auditor", "warning", 0), ("Operator", "ok", 0)],
)
def test_a_role_that_lacks_something_says_what(account, monkeypatch, capsys, role, result, code):
    use(monkeypatch, account, role)
    found, checks = doctor(capsys)
    assert (found, checks["role"]["result"]) == (code, result)
    assert checks["role"]["text"].startswith(f"{role}: ")
    assert ("role Operator" in checks["role"]["remedy"]) == (result != "ok")


def test_without_any_configuration_the_rest_is_still_checked(monkeypatch, capsys):
    for name in ("OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "SIDERO_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    code, checks = doctor(capsys)
    assert code == 3
    assert results(checks, "endpoint", "key") == ["failed", "failed"]
    assert checks["endpoint"]["remedy"] == "export OMNI_ENDPOINT=https://<account>.omni.siderolabs.io:443"
    assert set(results(checks, "host name", "connection", "TLS", "sign-in", "clock")) == {"skipped"}
    assert results(checks, *PULUMI) == ["ok", "ok", "warning"]
    assert "https://www.pulumi.com/docs/install/" in checks["pulumi"]["remedy"]


@pytest.mark.parametrize(
    ("endpoint", "failing", "text"),
    [
        ("ftp://omni", "endpoint", "the scheme is not https, http or grpc"),
        ("https://omni.invalid", "host name", "the host name omni.invalid is not known"),
        ("https://localhost:1", "connection", "the connection was refused"),
        ("{omni}", "TLS", "it does not use TLS"),
    ],
)
def test_the_first_step_that_fails_is_named(account, monkeypatch, capsys, endpoint, failing, text):
    use(monkeypatch, account)
    monkeypatch.setenv("OMNI_ENDPOINT", endpoint.format(omni=account.endpoint.replace("grpc", "https")))
    code, checks = doctor(capsys)
    assert (code, checks[failing]["result"]) == (3, "failed")
    assert text in checks[failing]["text"]
    before = OMNI[: OMNI.index(failing)]
    assert set(results(checks, *before)) <= {"ok"}
    assert checks["sign-in"]["result"] == "skipped"
    assert checks["key"]["result"] == "ok"


def test_with_tls_the_certificate_is_checked(monkeypatch, capsys):
    pair = TLS / "localhost.pem", TLS / "localhost.key"
    with Simulator(machines=1, certificate=pair) as omni:
        use(monkeypatch, omni)
        code, checks = doctor(capsys)
        assert (code, checks["TLS"]["result"]) == (3, "failed")
        assert "its TLS certificate is not trusted" in checks["TLS"]["text"]
        monkeypatch.setenv("OMNI_CA_FILE", str(TLS / "missing.pem"))
        assert "cannot be read" in doctor(capsys)[1]["TLS"]["text"]
        monkeypatch.setenv("OMNI_CA_FILE", str(TLS / "ca.pem"))
        code, checks = doctor(capsys)
    assert code == 0
    assert set(results(checks, *OMNI)) == {"ok"}
    assert checks["TLS"]["text"].startswith("the certificate is trusted; it expires on ")


@pytest.mark.parametrize(("days", "result"), [(400, "ok"), (5, "warning")])
def test_a_certificate_that_expires_soon_is_a_warning(days, result):
    check = certificate_check(datetime.now(UTC) + timedelta(days=days, hours=1))
    assert check.result == result
    assert check.text.endswith(f"in {days} days")


@pytest.mark.parametrize(("days", "result", "when"), [(100, "ok", "in 100 days"), (1, "warning", "in 1 day")])
def test_a_key_that_expires_soon_is_a_warning(account, monkeypatch, capsys, days, result, when):
    use(monkeypatch, account)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.issue_key("old", lifetime=timedelta(days=days, hours=1)))
    expiry = doctor(capsys)[1]["key expiry"]
    assert expiry["result"] == result
    assert expiry["text"].endswith(when)
    assert ("omnictl serviceaccount renew old" in expiry["remedy"]) == (result == "warning")


def test_a_key_that_omni_does_not_accept_is_a_failure(account, monkeypatch, capsys):
    use(monkeypatch, account)
    key = account.issue_key("revoked")
    account.revoke_key(key)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", key)
    code, checks = doctor(capsys)
    assert (code, checks["sign-in"]["result"], checks["clock"]["result"]) == (3, "failed", "skipped")
    assert "does not accept the key of service account 'revoked'" in checks["sign-in"]["text"]


@pytest.mark.parametrize("text", ["s3cret!", "aGVsbG8="])
def test_a_key_that_is_none_is_a_failure_and_is_not_shown(account, monkeypatch, capsys, text):
    use(monkeypatch, account)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", text)
    code, checks = doctor(capsys)
    assert (code, checks["key"]["result"]) == (3, "failed")
    assert text not in str(checks)


@pytest.mark.parametrize(
    ("skew", "result", "text"),
    [
        (0.4, "ok", "agrees with Omni's"),
        (-20, "ok", "20 s behind Omni's"),
        (90, "warning", "90 s ahead of Omni's; Omni refuses calls from 5 minutes on"),
        (-400, "failed", "400 s behind Omni's; Omni refuses calls from 5 minutes on"),
    ],
)
def test_a_clock_may_differ_by_less_than_a_minute(skew, result, text):
    check = skew_check(skew)
    assert (check.result, check.text) == (result, text)


@pytest.mark.parametrize("tls", [False, True])
def test_a_clock_that_is_wrong_is_found_also_if_omni_accepts_no_call(account, monkeypatch, capsys, tls):
    class LateServer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", format_datetime(datetime.now(UTC) - timedelta(hours=1)))
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LateServer)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "self-signed.pem", TLS / "self-signed.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    use(monkeypatch, account)
    monkeypatch.setenv("OMNI_ENDPOINT", f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    code, checks = doctor(capsys)
    server.shutdown()
    thread.join()
    server.server_close()
    assert (code, checks["clock"]["result"]) == (3, "failed")
    assert "360" in checks["clock"]["text"]
    assert "ahead of Omni's" in checks["clock"]["text"]
    assert "synchronise the clock" in checks["clock"]["remedy"]


@pytest.mark.parametrize(
    ("script", "result", "text"),
    [
        ("echo v3.100.0", "warning", "3.100.0 ("),
        ("exit 1", "failed", "version` does not work"),
        ("echo hello", "failed", "version` does not print a version"),
    ],
)
def test_a_pulumi_that_is_old_or_does_not_work_is_named(account, monkeypatch, capsys, pulumi, script, result, text):
    use(monkeypatch, account)
    pulumi.write_text(f"#!/bin/sh\n{script}\n")
    check = doctor(capsys)[1]["pulumi"]
    assert check["result"] == result
    assert text in check["text"]
    assert check["remedy"]


@pytest.mark.usefixtures("pulumi")
def test_an_sdk_that_is_not_installed_is_a_failure(account, monkeypatch, capsys):
    installed = metadata.version

    def version(name: str) -> str:
        if name == "pulumi":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    use(monkeypatch, account)
    monkeypatch.setattr(metadata, "version", version)
    code, checks = doctor(capsys)
    assert (code, checks["Pulumi SDK"]["result"]) == (3, "failed")


@pytest.mark.parametrize("endpoint", ["http://omni.example:1", "https://omni.example:1"])
def test_a_proxy_is_named_without_its_password(account, monkeypatch, capsys, endpoint):
    use(monkeypatch, account)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(f"{endpoint.partition(':')[0]}_proxy", "http://me:s3cret@127.0.0.1:1")
    monkeypatch.setenv("OMNI_ENDPOINT", endpoint)
    code, checks = doctor(capsys)
    assert code == 3
    assert checks["endpoint"]["text"] == f"{endpoint}, through the proxy 127.0.0.1"
    assert results(checks, "host name", "connection") == ["ok", "failed"]
    assert "s3cret" not in str(checks)


def test_without_tls_another_computer_is_a_warning(account, monkeypatch, capsys):
    use(monkeypatch, account)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMNI_ENDPOINT", account.endpoint.replace("127.0.0.1", "0.0.0.0"))
    check = doctor(capsys)[1]["TLS"]
    assert (check["result"], check["remedy"]) == ("warning", "use https:// in OMNI_ENDPOINT")


def test_the_oldest_pulumi_is_the_one_that_is_tested():
    assert OLDEST == obtain_pulumi.OLDEST
