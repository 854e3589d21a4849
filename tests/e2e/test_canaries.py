"""Nothing that is secret stands in plain text in what Pulumi writes or prints, and nothing private in a message."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.life import ALL_CALLS
from tests.secrecy.positions import canary, inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ksail_pulumi.simulator.server import Simulator
    from tests.e2e.project import Project

    Mark = Callable[[Any], Any]

pytestmark = pytest.mark.usefixtures("published")

# The inputs are those of the stack's file, where {"secret": x} stands for Output.secret(x).
PROGRAM = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import OmniCluster


def made(value):
    if isinstance(value, dict) and set(value) == {"secret"}:
        return pulumi.Output.secret(made(value["secret"]))
    if isinstance(value, dict):
        return {key: made(item) for key, item in value.items()}
    return [made(item) for item in value] if isinstance(value, list) else value


for name, inputs in json.loads(Path(f"{pulumi.get_stack()}.json").read_text()).items():
    if "get" in inputs:
        pulumi.export(name, OmniCluster.get(name, inputs["get"]).ready)
    else:
        OmniCluster(name, made(inputs), pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(update="10s")))
"""


@pytest.fixture
def program(project: Project) -> Project:
    (project.folder / "__main__.py").write_text(PROGRAM)
    project.init()
    return project


def secret(value: Any) -> dict[str, Any]:
    return {"secret": value}


def plain(value: Any) -> Any:
    return value


def stands_in(text: str, canaries: Sequence[str]) -> list[str]:
    """The canaries in a text, also where Go's YAML library has left but their beginning."""
    return [each for each in canaries if each[:6] in text]


def written(project: Project) -> str:
    """All that Pulumi has written and printed, without the program's own inputs."""
    for file in project.folder.glob("*.json"):
        file.unlink()
    return project.stored_text()


def everything(mark: Mark) -> tuple[dict[str, Any], list[str], list[str]]:
    """Inputs that Omni takes, with a canary wherever a secret may stand.

    Returns:
        The inputs; the canaries in what patches, manifests and jobs hold; and all others.
    """
    contents = [canary() for _ in range(5)]
    others = [canary() for _ in range(8)]
    content, other = (map(mark, each) for each in (contents, others))

    def text(value: str) -> Any:
        return mark(f"machine:\n  sysctls:\n    kernel.domainname: {value}\n")

    made = {
        "labels": {"a": next(other)},
        "annotations": {"a": next(other)},
        "kernelArgs": [next(other)],
        "patches": [
            {
                "name": "p",
                "inline": {"machine": {"sysctls": {"kernel.domainname": next(content)}}},
                "labels": {"a": next(other)},
                "description": next(other),
            }
        ],
        "manifests": [{"name": "m", "mode": "full", "inline": _object("Secret", {"stringData": {"a": next(content)}})}],
        "healthChecks": [{"name": "h", "job": _object("Job", {"spec": {"template": {"a": next(content)}}})}],
        "controlPlane": {"labels": {"a": next(other)}, "patches": [{"name": "q", "inline": text(contents[3])}]},
        "workers": [
            {
                "count": 1,
                "labels": {"a": next(other)},
                "annotations": {"a": next(other)},
                "patches": [{"name": "r", "inline": text(contents[4])}],
            }
        ],
    }
    return made, contents, others


def _object(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "default"}, **content}


def refused_patches(mark: Mark, canaries: Sequence[str]) -> list[dict[str, Any]]:
    """Patches that Omni refuses, quoting what they hold."""
    return [
        {"name": "unknown", "inline": {"machine": {"nosuchfield": mark(canaries[0])}}},
        {"name": "type", "inline": {"machine": {"registries": mark(canaries[1])}}},
    ]


def test_what_is_marked_as_secret_stands_nowhere(program: Project, simulator: Simulator) -> None:
    """Refused, created, changed while the machines refuse it, read by another program; nor does a hidden property."""
    made, contents, others = everything(secret)
    wrong = [canary(), canary()]
    program.clusters({"main": {**made, "patches": refused_patches(secret, wrong)}})
    told = program.preview("--diff", fails=True).output
    assert "nosuchfield: …" in told

    program.clusters({"main": made})
    program.up()
    simulator.faults.reject_config |= set(range(6))
    program.clusters({"main": {**made, "labels": {"a": "b"}, "patches": []}})
    failed = program.up(fails=True).output
    assert "[diff: ~labels,patches]" in failed
    assert "configuration error: " in failed

    program.init("reader")
    program.clusters({"reader": {"get": "main"}}, stack="reader")
    program.up("--stack", "reader")
    assert [text for text in program.outputs_seen if "__" in text] == []
    assert stands_in(written(program), [*contents, *others, *wrong]) == []


def test_what_pulumi_keeps_in_plain_text_cannot_be_a_secret(program: Project) -> None:
    name = canary()
    program.clusters({"main": {"name": secret(name)}})
    run = program.up(fails=True)
    assert (
        "error: OmniCluster 'main': name: is marked as secret, and cannot be: Pulumi stores it in plain" in run.output
    )
    assert "Traceback" not in run.output
    assert stands_in(written(program), [name]) == []


def test_a_key_in_plain_text_and_one_that_expires_and_unknown_settings_are_warned_of(
    program: Project, simulator: Simulator
) -> None:
    key = simulator.issue_key("short", lifetime=timedelta(days=9, hours=1))
    program.run("config", "set", "--plaintext", "omni:serviceAccountKey", key)
    program.run("config", "set", "omni:endpont", "https://other.example")
    program.clusters({"main": {}})
    told = " ".join(program.preview().output.split())
    assert "warning: omni:serviceAccountKey is stored in plain text in the state and its history" in told
    assert "`pulumi config set --secret omni:serviceAccountKey`" in told
    assert "warning: the key of omni service account 'short' expires in 9 days, on 20" in told
    assert "warning: omni:endpont is not a setting of an OmniCluster; did you mean omni:endpoint?" in told
    assert key not in told


@pytest.mark.sweep
@pytest.mark.parametrize("place", ["environment", "configuration", "plain configuration"])
def test_the_key_stands_only_where_the_user_has_put_it_in_plain_text(
    program: Project, simulator: Simulator, place: str
) -> None:
    key = simulator.issue_key("short", lifetime=timedelta(days=9, hours=1))
    program.environment["OMNI_SERVICE_ACCOUNT_KEY"] = key if place == "environment" else ""
    if place != "environment":
        how = "--secret" if place == "configuration" else "--plaintext"
        program.run("config", "set", how, "omni:serviceAccountKey", key)
    program.clusters({"main": {}})
    runs = [program.up()]
    simulator.faults.unavailable = ALL_CALLS  # where nothing changes, Omni is not asked, and the key is looked at
    runs.append(program.preview())
    assert "cannot connect" not in runs[1].output
    for run in runs:
        assert "warning: the key of omni service account 'short' expires in 9 days" in " ".join(run.output.split())
        assert key not in run.output
        assert ("omni:serviceAccountKey is stored in plain text" in run.output) is (place == "plain configuration")
    assert (key in written(program)) is (place == "plain configuration")


@pytest.mark.sweep
def test_what_get_reads_is_secret(program: Project) -> None:
    """Nobody has marked it where the cluster is made; the reader cannot know that."""
    made, contents, others = everything(plain)
    program.clusters({"main": made})
    program.up()
    program.init("reader")
    program.clusters({"reader": {"get": "main"}}, stack="reader")
    program.up("--stack", "reader")
    state = program.run("stack", "export", "--stack", "reader").output
    assert '"inline"' in state
    assert stands_in(state, [*contents, *others]) == []


@pytest.mark.sweep
def test_what_is_not_marked_is_in_no_message_either(program: Project, simulator: Simulator) -> None:
    made, contents, others = everything(plain)
    wrong = [canary(), canary()]
    program.clusters({"main": {**made, "patches": refused_patches(plain, wrong)}})
    assert "nosuchfield: …" in program.preview(fails=True).output
    program.clusters({"main": made})
    program.up()
    simulator.faults.reject_config |= set(range(6))
    text = made["controlPlane"]["patches"][0]["inline"]
    made["controlPlane"]["patches"][0]["inline"] = text.replace("domainname", "hostname")
    program.clusters({"main": made})
    assert "configuration error: " in program.up(fails=True).output
    assert stands_in("\n".join(program.outputs_seen), [*contents, *others, *wrong]) == []


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda value: {"endpoint": secret(f"https://{value}.example")}, "endpoint"),
        (lambda value: {"controlPlane": {"machines": [secret(value)]}}, "controlPlane.machines[0]"),
        (lambda value: {"machines": secret({value: {}})}, "machines"),
        (lambda value: {"workers": [{"name": secret(value)}]}, "workers[0].name"),
    ],
)
def test_nor_can_an_endpoint_or_a_machine(program: Project, made: Callable[[str], Any], field: str) -> None:
    value = canary()
    program.clusters({"main": made(value)})
    assert f"error: OmniCluster 'main': {field}: is marked as secret, and cannot be" in program.up(fails=True).output
    assert stands_in(written(program), [value]) == []


@pytest.mark.sweep
def test_an_endpoint_that_is_set_as_a_secret_is_refused(program: Project) -> None:
    value = canary()
    program.run("config", "set", "--secret", "omni:endpoint", f"https://{value}.example")
    program.clusters({"main": {}})
    run = program.up(fails=True)
    assert "error: omni:endpoint is set as a secret, and cannot be one" in run.output
    assert "pulumi config set --plaintext omni:endpoint" in run.output
    assert stands_in(written(program), [value]) == []


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["caFile", "insecureSkipTlsVerify", "serviceAccountKey", "nosuchsetting"])
def test_no_setting_that_is_a_secret_stands_anywhere(program: Project, name: str) -> None:
    value = canary()
    program.run("config", "set", "--secret", f"omni:{name}", value)
    program.clusters({"main": {"endpoint": "https://omni.invalid"}})
    assert "warning: " in program.preview().output
    program.up(fails=True)
    assert stands_in(written(program), [value]) == []


@pytest.mark.sweep
def test_a_value_that_is_marked_later_is_encrypted_where_it_was_stored(program: Project) -> None:
    value = canary()
    program.clusters({"main": {"labels": {"a": value}}})
    program.up()
    program.clusters({"main": {"labels": {"a": secret(value)}}})
    assert program.up().changes == {"updated": 1, "unchanged": 4}
    assert program.up().changes == {"unchanged": 5}
    assert value not in program.run("stack", "export").output


@pytest.mark.sweep
def test_a_key_in_the_environment_is_in_no_log_and_no_trace(program: Project) -> None:
    """However much Pulumi writes down; a key in the configuration is in both (`docs/secrets.md`)."""
    key = program.environment["OMNI_SERVICE_ACCOUNT_KEY"]
    logs = program.folder.parent / "logs"
    logs.mkdir()
    program.clusters({"main": {"labels": {"a": "b"}}})
    arguments = ("--logflow", "-v=9", "--tracing", f"file:{logs / 'pulumi.trace'}")
    program.up(*arguments, environment={"TMPDIR": str(logs)})
    kept = {path.name.rpartition(".")[0] if "log" in path.name else path.name for path in logs.glob("pulumi.*")}
    assert "pulumi.trace" in kept
    assert len(kept) > 1
    assert key not in written(program)


def marked_at(path: Sequence[str | int], data: Any) -> Any:
    """The data with what is at the path marked as secret."""
    if path and isinstance(data, dict) and path[0] in data:
        return {key: marked_at(path[1:], item) if key == path[0] else item for key, item in data.items()}
    if path and isinstance(data, list):
        return [marked_at(path[1:], item) if index == path[0] else item for index, item in enumerate(data)]
    return secret(data)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
def test_no_input_that_is_marked_stands_anywhere(program: Project) -> None:
    """One of every few places, through the real command; what is wrong with most of them ends the command."""
    chosen = inputs()[::160]
    for each in chosen:
        program.clusters({"main": marked_at(each.path, each.data)})
        process = program.start("preview", "--diff")
        output, _ = process.communicate()
        assert not each.leaks(output), each.name
        if process.returncode == 0:
            assert not each.leaks(program.preview("--json").output), each.name
    assert stands_in(written(program), [each.canary for each in chosen]) == []
