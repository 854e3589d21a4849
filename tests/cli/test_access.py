"""`kubeconfig`, `talosconfig`, `token` and `connect`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.access.kubeconfig import Context
from ksail_pulumi.access.tokens import claims_of
from ksail_pulumi.cli.app import main
from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.kubeconfigs import GROUPS, KUBECONFIG_TTL, USER
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.durations import duration
from ksail_pulumi.model.parse import Kubeconfig, parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.simulator.management import Management
from ksail_pulumi.simulator.server import Simulator
from tests.cli.test_imports import loaded_by

if TYPE_CHECKING:
    from collections.abc import Iterator

K9S = """\
#!/bin/sh
echo "$@" > "$SEEN/arguments"
cp "$2" "$SEEN/kubeconfig"
ls -l "$2" > "$SEEN/mode"
${WAIT:-exit 7}
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    """An Omni with one cluster in it, `shop`."""
    with Simulator(machines=1) as omni:
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        spec = parse_cluster({"name": "shop", "waitFor": "none"})
        create(spec, OwnershipMark("org/web/dev/shop"), Session(client, Deadline.after(600)))
        yield omni


@pytest.fixture(autouse=True)
def home(account: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("OMNI_ENDPOINT", account.endpoint)
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.service_account_key)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SIDERO_SERVICE_ACCOUNT_KEY", "KUBECONFIG", "TALOSCONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def lifetime(token: str) -> float:
    return claims_of(token)["exp"] - datetime.now(UTC).timestamp()


def test_a_kubeconfig_is_printed_under_the_name_that_ksail_gives_it(capsys):
    assert main(["kubeconfig", "shop"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["current-context"] == "admin@shop"
    (user,) = printed["users"]
    assert claims_of(user["user"]["token"])["cluster"] == "shop"
    assert lifetime(user["user"]["token"]) == pytest.approx(720 * 3600, abs=60)
    assert main(["kubeconfig", "shop", "--context", "mine", "--ttl", "90m"]) == 0
    mine = Context.current(capsys.readouterr().out)
    assert mine.name == "mine"
    assert lifetime(mine.token) == pytest.approx(90 * 60, abs=60)


def test_a_kubeconfig_is_merged_into_the_file_of_kubectl(home, monkeypatch, capsys):
    assert main(["kubeconfig", "shop", "--merge"]) == 0
    file = home / ".kube" / "config"
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"ksail-pulumi: context admin@shop is in {file} and is the current one\n"
    assert Context.current(file.read_text()).name == "admin@shop"
    other = home / "other"
    monkeypatch.setenv("KUBECONFIG", f"{home / 'missing'}{os.pathsep}{other}")
    assert main(["kubeconfig", "shop", "--merge", "--context", "mine"]) == 0
    assert Context.current(other.read_text()).name == "mine"
    assert main(["kubeconfig", "shop", "--file", str(other), "--exec"]) == 0
    assert [each["name"] for each in yaml.safe_load(other.read_text())["contexts"]] == ["mine", "admin@shop"]


def test_a_context_in_another_file_of_kubectl_is_not_hidden(home, monkeypatch, capsys):
    one, two = home / "one", home / "two"
    one.write_text("")
    monkeypatch.setenv("KUBECONFIG", f"{one}{os.pathsep}{two}")
    assert main(["kubeconfig", "shop", "--file", str(two)]) == 0
    assert main(["kubeconfig", "shop", "--merge"]) == 0
    assert (one.read_text(), Context.current(two.read_text()).name) == ("", "admin@shop")
    two.write_text(two.read_text().replace("server: ", "server: https://elsewhere.example/"))
    capsys.readouterr()
    assert main(["kubeconfig", "shop", "--merge"]) == 1
    assert 'context "admin@shop" leads to another cluster' in capsys.readouterr().err
    assert one.read_text() == ""


def test_a_broken_kubeconfig_stays_as_it_is(home, capsys):
    file = home / "broken"
    file.write_text("contexts: [\n")
    assert main(["kubeconfig", "shop", "--file", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"ksail-pulumi: {file}:2: invalid YAML: ")
    assert file.read_text() == "contexts: [\n"


def test_the_name_of_a_context_is_one_line(home, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["kubeconfig", "shop", "--context", "a\nb", "--file", str(home / "config")])
    reason = "has control characters or is not UTF-8"
    assert reason in capsys.readouterr().err
    assert not (home / "config").exists()


def test_a_folder_of_a_user_who_does_not_exist_is_named(capsys):
    assert main(["kubeconfig", "shop", "--file", "~nobody-of-this-name/config"]) == 1
    assert capsys.readouterr().err == "ksail-pulumi: ~nobody-of-this-name/config: user not found\n"


def test_the_plugin_in_a_kubeconfig_gets_a_token(account, monkeypatch, capsys):
    assert main(["kubeconfig", "shop", "--exec", "--ttl", "10m"]) == 0
    text = capsys.readouterr().out
    plugin = Context.current(text).user["exec"]
    assert plugin["command"] == "ksail-pulumi"
    assert main(["kubeconfig", "shop", "--exec", "--ttl", "10m"]) == 0
    assert capsys.readouterr().out == text
    monkeypatch.setenv("OMNI_ENDPOINT", "https://elsewhere.example")
    assert main(plugin["args"]) == 0
    credential = json.loads(capsys.readouterr().out)
    assert (credential["apiVersion"], credential["kind"]) == (plugin["apiVersion"], "ExecCredential")
    end = datetime.fromisoformat(credential["status"]["expirationTimestamp"])
    assert timedelta(minutes=9) < end - datetime.now(UTC) <= timedelta(minutes=10)
    claims = claims_of(credential["status"]["token"])
    assert (claims["sub"], claims["groups"], claims["cluster"]) == ("pulumi", ["system:masters"], "shop")


def test_a_token_is_for_the_user_that_is_asked_for(account, monkeypatch, capsys):
    monkeypatch.delenv("OMNI_SERVICE_ACCOUNT_KEY")
    monkeypatch.setenv("OTHER_KEY", account.service_account_key)
    who = ["--user", "ci", "--group", "a", "--group", "b"]
    assert main(["token", "shop", "--key-variable", "OTHER_KEY", *who]) == 0
    token = json.loads(capsys.readouterr().out)["status"]["token"]
    assert (claims_of(token)["sub"], claims_of(token)["groups"]) == ("ci", ["a", "b"])
    assert lifetime(token) == pytest.approx(3600, abs=60)
    assert main(["token", "shop", "--key-variable", "NO_KEY"]) == 1
    assert "environment variable NO_KEY is not set" in capsys.readouterr().err


def test_another_cluster_of_the_same_name_gets_no_token(capsys):
    assert main(["token", "shop", "--uuid", "11111111-2222-3333-4444-555555555555"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ksail-pulumi: cluster 'shop' was deleted, and another cluster has its name now: ")


def test_no_token_is_requested_that_nobody_gets(monkeypatch, capsys):
    requested = []
    answered = Management.kubeconfig

    def kubeconfig(self, identity, request, cluster):
        requested.append(cluster)
        return answered(self, identity, request, cluster)

    monkeypatch.setattr(Management, "kubeconfig", kubeconfig)
    with Simulator(machines=1) as omni:
        monkeypatch.setenv("OMNI_ENDPOINT", omni.endpoint)
        monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", omni.service_account_key)
        client = connect(Connection(omni.endpoint, omni.service_account_key))
        spec = parse_cluster({"name": "web", "waitFor": "none"})
        create(spec, OwnershipMark("org/web/dev/web"), Session(client, Deadline.after(600)))
        assert main(["token", "web", "--uuid", "11111111-2222-3333-4444-555555555555"]) == 1
        assert main(["token", "other"]) == 1
        assert main(["kubeconfig", "other"]) == 1
        assert requested == []
        assert main(["token", "web"]) == 0
        assert requested == ["web"]
        client.close()


def test_a_talosconfig_is_printed_or_merged(home, account, monkeypatch, capsys):
    assert main(["talosconfig", "shop"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    (context,) = printed["contexts"].values()
    assert (context["cluster"], context["endpoints"]) == ("shop", [account.endpoint])
    assert main(["talosconfig", "shop", "--merge"]) == 0
    file = home / ".talos" / "config"
    assert yaml.safe_load(file.read_text()) == printed
    assert capsys.readouterr().err == (
        f"ksail-pulumi: the context of cluster shop is in {file} and is the current one\n"
    )
    assert main(["talosconfig", "shop", "--file", str(home / "mine")]) == 0
    assert (home / "mine").read_text() == file.read_text()


@pytest.fixture
def k9s(home, monkeypatch):
    """A program in place of k9s, which records how it was started."""
    program = home / "bin" / "k9s"
    program.parent.mkdir()
    program.write_text(K9S)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(home))
    return home


def test_k9s_gets_a_private_kubeconfig_that_is_removed(k9s):
    assert main(["connect", "shop"]) == 7
    option, file, *rest = (k9s / "arguments").read_text().split()
    assert (option, rest) == ("--kubeconfig", ["--context", "admin@shop"])
    assert claims_of(Context.current((k9s / "kubeconfig").read_text()).token)["cluster"] == "shop"
    assert (k9s / "mode").read_text().startswith("-rw-------")
    assert not Path(file).parent.exists()


def test_the_kubeconfig_of_k9s_is_removed_too_when_it_is_ended(k9s):
    environment = {**os.environ, "WAIT": "exec sleep 60"}
    process = subprocess.Popen([Path(sys.executable).with_name("ksail-pulumi"), "connect", "shop"], env=environment)
    until = time.monotonic() + 60
    while not (k9s / "mode").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # k9s itself would end
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    file = (k9s / "arguments").read_text().split()[1]
    assert not Path(file).parent.exists()


def test_without_k9s_the_other_way_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("k9s") is None
    assert main(["connect", "shop"]) == 1
    error = capsys.readouterr().err
    assert "`connect` needs k9s, which is not installed" in error
    assert "`ksail-pulumi kubeconfig shop --merge`" in error


COMMANDS = (["kubeconfig"], ["kubeconfig", "--exec"], ["talosconfig"], ["token"], ["connect"])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cluster_that_does_not_exist_is_reported(k9s, capsys, command):
    name, *options = command
    assert main([name, "nowhere", *options]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ksail-pulumi: cluster not found: nowhere")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_endpoint_is_reported(k9s, monkeypatch, capsys, command):
    monkeypatch.delenv("OMNI_ENDPOINT")
    name, *options = command
    assert main([name, "shop", *options]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "environment variable OMNI_ENDPOINT is not set" in output.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_gets_what_contains_no_token(account, k9s, monkeypatch, capsys, command):
    monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", account.issue_key("onlooker", role="Reader"))
    name, *options = command
    code, output = main([name, "shop", *options]), capsys.readouterr()
    if command in (["kubeconfig", "--exec"], ["talosconfig"]):
        assert (code, output.err) == (0, "")
    else:
        assert (code, output.out) == (1, "")
        assert "service account 'onlooker' may not create a kubeconfig for cluster 'shop'" in output.err
        assert "Operator" in output.err


@pytest.mark.parametrize(
    ("ttl", "reason"),
    [("soon", "'soon' is not a duration: write it like 720h"), ("0s", "should be longer than 0, not '0s'")],
)
def test_a_wrong_duration_is_wrong_usage(capsys, ttl, reason):
    for command in ("kubeconfig", "token"):
        with pytest.raises(SystemExit) as ended:
            main([command, "shop", "--ttl", ttl])
        assert ended.value.code == 2
        assert reason in capsys.readouterr().err


TLS = Path(__file__).parents[1] / "omni" / "data" / "tls"
SERVER_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
SERVER_TLS.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")


class Api(BaseHTTPRequestHandler):
    """A Kubernetes API that records the tokens that it gets."""

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("Authorization", ""))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kubectl_calls_the_plugin_for_its_token(home, monkeypatch, capsys):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert main(["kubeconfig", "shop", "--exec"]) == 0
    context = Context.current(capsys.readouterr().out)
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        api.tokens = []
        api.socket = SERVER_TLS.wrap_socket(api.socket, server_side=True)
        threading.Thread(target=api.serve_forever, daemon=True).start()
        file = home / "config"
        # kubectl sends a token through TLS only.
        cluster = {"server": f"https://127.0.0.1:{api.server_port}", "insecure-skip-tls-verify": True}
        file.write_text(replace(context, cluster=cluster).text())
        command = ["kubectl", "--kubeconfig", str(file), "get", "--raw", "/healthz"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        monkeypatch.setenv("OMNI_SERVICE_ACCOUNT_KEY", "")
        failed = subprocess.run(command, capture_output=True, text=True, check=False)
        api.shutdown()
    assert (done.returncode, done.stdout) == (0, "ok"), done.stderr
    assert {claims_of(token.removeprefix("Bearer "))["cluster"] for token in api.tokens} == {"shop"}
    assert failed.returncode != 0
    assert "omni service account key is not set" in failed.stderr


def test_the_command_and_the_resource_have_the_same_defaults():
    resource = Kubeconfig()
    assert (resource.user, resource.groups, duration(resource.ttl)) == (USER, GROUPS, KUBECONFIG_TTL)


@pytest.mark.parametrize("command", ["kubeconfig", "token"])
def test_what_kubectl_waits_for_builds_no_models(account, command):
    assert not loaded_by(account, command, "nowhere") & {"pulumi", "pydantic", "rich"}
