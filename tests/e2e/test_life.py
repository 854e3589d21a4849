"""A cluster from `pulumi preview` to `pulumi destroy`, on the simulator or on a real Omni."""

from __future__ import annotations

import base64
import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from ksail_pulumi.omni.resources import CLUSTER, MACHINE_SET_NODE, MACHINE_STATUS, TALOS_VERSION
from tests.e2e.project import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ksail_pulumi.omni.client import Client
    from tests.e2e.project import Project, Run


@contextmanager
def lookout() -> Iterator[tuple[str, list[str]]]:
    """An endpoint that answers nobody, and who has knocked there."""
    knocks: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                knocks.append(f"{address}")
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"grpc://127.0.0.1:{server.getsockname()[1]}", knocks
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def nothing_changed(run: Run) -> bool:
    return set(run.changes) == {"unchanged"}


def talos_versions(omni: Client) -> list[str]:
    """The supported Talos versions of the newest minor release, oldest first."""
    found = [
        tuple(map(int, version.id.split(".")))
        for version in omni.state.list(TALOS_VERSION)
        if "-" not in version.id and not version.spec.deprecated and not version.spec.unsupported
    ]
    newest = max(found)[:2]
    return [".".join(map(str, version)) for version in sorted(found) if version[:2] == newest]


def test_a_cluster_lives_from_preview_to_destroy(
    project: Project, omni: Client, omni_environment: dict[str, str], name: str, free_machines: list[str]
) -> None:
    need(free_machines, 3)
    *_, older, newest = talos_versions(omni)
    cluster: dict[str, Any] = {
        "name": name,
        "talos_version": f"v{older}",
        "workers": 1,
        "patches": [{"name": "sysctls", "inline": {"machine": {"sysctls": {"fs.file-max": "1000000"}}}}],
    }

    def up(**changes: Any) -> dict[str, Any]:
        project.clusters({"main": cluster | changes})
        run = project.up()
        assert run.changes == {"updated": 1, "unchanged": 1}, run.output
        outputs: dict[str, Any] = project.outputs()["main"]
        assert outputs["ready"] is True
        return outputs

    project.init()
    project.clusters({"main": cluster})
    preview = project.preview()
    assert preview.changes == {"create": 2}, preview.output  # the stack is one
    assert older in preview.output
    assert omni.state.find(CLUSTER, name) is None

    created = project.up()
    assert created.changes == {"created": 2}, created.output
    first = project.outputs()
    nodes = {node["id"]: node["role"] for node in first["main"]["nodes"]}
    assert sorted(nodes.values()) == ["controlplane", "worker"]
    assert nodes.keys() <= set(free_machines)
    assert first["main"]["talosVersion"].removeprefix("v") == older
    assert first["mainKubeconfig"] == "[secret]"

    with lookout() as (endpoint, knocks):
        again = project.up("--debug", environment={"OMNI_ENDPOINT": endpoint})
        assert nothing_changed(again), again.output
        assert knocks == [], "check or diff called Omni although nothing had changed"

    refreshed = project.refresh()
    assert nothing_changed(refreshed), refreshed.output
    project.preview("--expect-no-changes")

    grown = up(workers=2)
    assert len(grown["nodes"]) == 3
    assert nodes.keys() < {node["id"] for node in grown["nodes"]}

    shrunk = up(workers=1)
    assert len(shrunk["nodes"]) == 2

    upgraded = up(talos_version=newest)
    assert upgraded["talosVersion"].removeprefix("v") == newest
    talos = [omni.state.get(MACHINE_STATUS, node["id"]).spec.talos_version for node in upgraded["nodes"]]
    assert talos == [f"v{newest}"] * 2

    no_secret_is_stored(project, omni_environment["OMNI_SERVICE_ACCOUNT_KEY"])

    gone = project.destroy()
    assert gone.changes == {"deleted": 2}, gone.output
    assert omni.state.find(CLUSTER, name) is None
    assert not any(node.cluster == name for node in omni.state.list(MACHINE_SET_NODE))


def no_secret_is_stored(project: Project, key: str) -> None:
    """Search all that Pulumi wrote and printed for the key, its parts, and the cluster's credentials."""
    outputs = project.outputs(show_secrets=True)
    (user,) = yaml.safe_load(outputs["mainKubeconfig"])["users"]
    armoured = json.loads(base64.b64decode(key))["pgp_key"]
    body = [line for line in armoured.splitlines() if len(line) > 20 and not line.startswith("-----")]
    assert body
    text = project.stored_text()
    for secret in (key, *body, user["user"]["token"]):
        assert secret not in text


def test_two_clusters_of_a_stack_never_take_the_same_machine(
    project: Project, omni: Client, name: str, free_machines: list[str]
) -> None:
    need(free_machines, 4)
    spare = min(len(free_machines) - 4, 2)
    project.init()
    project.clusters({"one": {"name": f"{name}-1", "workers": 1 + spare}, "two": {"name": f"{name}-2", "workers": 1}})
    project.up()
    outputs = project.outputs()
    one, two = ({node["id"] for node in outputs[key]["nodes"]} for key in ("one", "two"))
    assert (len(one), len(two)) == (2 + spare, 2)
    assert not one & two
    project.destroy()
    assert not any(omni.state.find(CLUSTER, f"{name}-{number}") for number in (1, 2))
