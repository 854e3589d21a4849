"""Many machines, and the running clocks."""

from __future__ import annotations

import threading
import time
from typing import Any

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.simulator.clock import FastClock
from ksail_pulumi.simulator.store import Event


def test_the_events_of_a_cluster_grow_with_its_machines_and_no_faster(make_lab: Any) -> None:
    numbers = []
    for size in (20, 80):
        lab = make_lab(size)
        lab.cluster(control_planes=lab.ids[:3], workers=lab.ids[3:])
        lab.run_until_ready()
        numbers.append(len(lab.events))
        kubernetes = lab.get(omni.KUBERNETES_STATUS, "c1").spec
        assert len(kubernetes.nodes) == size
    assert numbers[1] < numbers[0] * 4


def test_the_same_machines_tell_the_same_story(make_lab: Any) -> None:
    stories = []
    for _ in range(2):
        lab = make_lab()
        lab.cluster()
        lab.run_until_ready()
        lab.tear_down(omni.CLUSTER, "c1")
        lab.run(30)
        stories.append([(at, event.kind, str(event.resource), event.resource.version) for at, event in lab.events])
    assert stories[0] == stories[1]


def test_registered_machines_come_to_omni_with_all_that_is_known_of_them(make_lab: Any) -> None:
    lab = make_lab(3)
    for machine in lab.machines:
        status = lab.get(omni.MACHINE_STATUS, machine.id)
        expected = {
            "available",
            "connected",
            "ready-to-use",
            "reporting-events",
            "talos-version",
            "arch",
            "cores",
            "cpu",
        }
        expected |= {"mem", "platform", "storage"} | ({"installed"} if machine.installed else set())
        assert {label.removeprefix(omni.PREFIX) for label in status.labels} == expected
        assert status.labels[omni.LABEL_TALOS_VERSION] == status.spec.talos_version == "v1.13.8"
        assert len(status.finalizers) == 7
        assert status.spec.hardware.blockdevices[0].system_disk == machine.installed
        assert status.spec.maintenance
        assert lab.get(omni.MACHINE, machine.id).spec.connected
        assert lab.get(omni.LINK, machine.id).finalizers


def test_a_fast_clock_has_a_cluster_ready_within_seconds_and_ends_cleanly(make_lab: Any) -> None:
    before = set(threading.enumerate())
    lab = make_lab(3, clock=FastClock())
    done = threading.Event()

    def look(event: Event) -> None:
        spec = event.resource.spec
        if event.resource.type == omni.CLUSTER_STATUS and spec.ready and spec.kubernetesAPIReady:
            done.set()

    lab.store.subscribe(look)
    began = time.monotonic()
    lab.cluster()
    assert done.wait(60)
    assert time.monotonic() - began > 1.5
    lab.controllers.stop()
    lab.clock.close()
    assert set(threading.enumerate()) <= before
