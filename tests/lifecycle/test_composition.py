"""What a picture shows of machines that are not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksail_pulumi.lifecycle.composition import graph_of

if TYPE_CHECKING:
    from ksail_pulumi.lifecycle.status import MemberState


def member(**others: object) -> MemberState:
    usual = {
        "id": "m",
        "hostname": "w-1",
        "stage": "RUNNING",
        "connected": True,
        "ready": True,
        "talosVersion": "1.13.8",
    }
    return {**usual, "state": "configuration error: Zsecret", **others}  # type: ignore[typeddict-item]


def test_machines_have_words_and_colours_for_how_they_are_but_no_texts_of_omni():
    members = [member(), member(ready=False), member(connected=False), member(stage="", ready=False, talosVersion="")]
    workers = {"id": "west-workers", "phase": "Running", "ready": True, "healthyMachines": 1, "requestedMachines": 4}
    graph = graph_of(
        {
            "name": "west", "healthy": False, "phase": "RUNNING", "progress": "", "talosVersion": "1.13.8",
            "runningTalosVersion": "1.13.7", "kubernetesVersion": "1.36.3", "runningKubernetesVersion": "",
            "sets": [{**workers, "machines": members}],
        },  # type: ignore[typeddict-item]
        [],
    )  # fmt: skip
    assert graph.facts == ("not healthy", "Talos 1.13.7 → 1.13.8", "Kubernetes 1.36.3")
    (group,) = graph.groups
    assert (group.name, group.facts) == ("workers", ("Running", "1 of 4 machines healthy"))
    assert [(" · ".join(each.facts), each.tone) for each in group.machines] == [
        ("running · Talos 1.13.8", "good"),
        ("running · not ready · Talos 1.13.8", "busy"),
        ("running · not connected · Talos 1.13.8", "bad"),
        ("has not joined yet", "busy"),
    ]
    assert "Zsecret" not in repr(graph)
