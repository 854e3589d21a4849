"""`KSailCluster` in a program. tests/e2e/test_examples.py runs one."""

from __future__ import annotations

import sys

import pulumi
import pytest

from ksail_pulumi import KSailCluster


def test_without_pulumi_kubernetes_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pulumi_kubernetes", None)
    with pytest.raises(pulumi.RunError) as missing:
        KSailCluster("west", kubernetes_provider=True)
    assert str(missing.value) == (
        "KSailCluster 'west': kubernetes_provider: the package pulumi-kubernetes is not installed: "
        "pip install pulumi-kubernetes"
    )


class Monitor(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return [args.name, args.inputs]

    def call(self, args):
        return {}


def test_without_a_provider_objects_do_not_land_in_another_cluster(loop):
    pulumi.runtime.set_mocks(Monitor(), project="shop", stack="dev", organization="organization", preview=False)
    found = []

    def program():
        west = KSailCluster("west", workers=1)
        with pytest.raises(pulumi.RunError) as missing:
            _ = west.provider
        found.append(str(missing.value))

    pulumi.runtime.test(program)()
    assert found == ["KSailCluster 'west': it has no provider: pass kubernetes_provider=True"]
