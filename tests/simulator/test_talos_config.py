"""Config patches beyond the recorded ones: what users write in earnest, and what tries to break the reader."""

from __future__ import annotations

import time

import pytest

from ksail_pulumi.simulator.validations import talos_config

EVERYDAY = """\
machine:
  network:
    hostname: node
    interfaces:
      - deviceSelector: {physical: true}
        dhcp: true
        vlans: [{vlanId: 5, addresses: [10.0.0.2/24]}]
  install: {disk: /dev/vda, wipe: false, extraKernelArgs: [console=ttyS0]}
  kubelet:
    extraArgs: {rotate-server-certificates: "true"}
    extraConfig: {anything: [1, 2]}
  sysctls: {net.core.somaxconn: 65535}
  registries: {mirrors: {docker.io: {endpoints: [http://mirror:5000]}}}
  nodeLabels: {zone: a}
  files: [{path: /var/x, content: "a", permissions: 0o644, op: create}]
  features: {kubePrism: {enabled: true, port: 7445}}
cluster:
  network: {cni: {name: none}, podSubnets: [10.244.0.0/16]}
  proxy: {disabled: true}
  allowSchedulingOnControlPlanes: yes
  inlineManifests: [{name: a, contents: "apiVersion: v1"}]
  extraManifests: [https://example.com/a.yaml]
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: a
environment: [A=b]
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: b
"""


def test_everyday_patches_are_taken() -> None:
    assert talos_config.faults(EVERYDAY) == []


@pytest.mark.parametrize(
    ("patch", "fault"),
    [
        (
            "machine:\n  network:\n    interfaces:\n      - {interface: eth0, foo: [1]}\n      - interface: eth1\n",
            "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\n"
            "machine:\n    network:\n        interfaces:\n            - foo:\n                - 1\n",
        ),
        (
            "machine:\n  certSANs: a\n",
            "error decoding document /v1alpha1/ (line 1): error decoding  to *v1alpha1.Config: "
            "yaml: construct errors: line 2: cannot construct !!str `a` into []string",
        ),
        (
            "cluster:\n  proxy:\n    disabled: maybe\n",
            "error decoding document /v1alpha1/ (line 1): error decoding  to *v1alpha1.Config: "
            "yaml: construct errors: line 3: cannot construct !!str `maybe` into bool",
        ),
        (
            "machine: 5\n",
            "error decoding document /v1alpha1/ (line 1): error decoding  to *v1alpha1.Config: "
            "yaml: construct errors: line 1: cannot construct !!int `5` into v1alpha1.MachineConfig",
        ),
        (
            "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: foo\n",
            "error decoding document v1alpha1/NetworkDefaultActionConfig/ (line 1): error decoding "
            "NetworkDefaultActionConfig to *network.DefaultActionConfigV1Alpha1: yaml: construct errors: line 3: "
            "foo does not belong to DefaultAction values",
        ),
        ("# nothing\n", "config not found"),
        ("---\n---\n", "config not found"),
    ],
)
def test_faults_are_named_as_talos_names_them(patch: str, fault: str) -> None:
    assert talos_config.faults(patch) == [fault]


def test_deleting_documents_and_sections_is_taken() -> None:
    assert talos_config.faults("machine:\n  network:\n    $patch: delete\n") == []
    assert talos_config.faults("apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n") == []


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    "patch",
    [
        "machine: &m\n  sysctls: {a: b}\n  pods: [*m]\n",
        "machine:\n  kubelet:\n    extraConfig: &x\n      a: *x\n",
        "machine: &m\n  network: *m\n",
        "machine:\n  sysctls: " + "[" * 2000 + "]" * 2000 + "\n",
        "? [a, b]\n: c\n",
        "machine:\n  ? {a: b}\n  : c\n",
        "machine: !!python/object:os.system x\n",
        "machine: {sysctls: {a: !!timestamp 2020-01-01}}\n",
        "\x00",
        "machine: {<<: {sysctls: 5}}\n",
        "machine:\n  kubelet:\n    extraConfig:\n      a0: &a0 [x]\n"
        + "".join(f"      a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000)),
        BOMB,
        "machine:\n" + "".join(f"  {line}\n" for line in BOMB.splitlines()),
    ],
)
def test_hostile_texts_end_soon_and_in_an_answer(patch: str) -> None:
    started = time.process_time()
    assert isinstance(talos_config.faults(patch), list)
    assert time.process_time() - started < 5
