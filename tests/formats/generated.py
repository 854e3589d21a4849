"""Templates, KSail projects and patches as people write them, made from a seed.

Files have several documents, documents of comments only, anchors, mixed indentation, line ends of Windows, patches in
parent folders, and quotes where others have none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MACHINES = [f"5b1c6d20-7e0a-4f6e-9a51-0000000000{number:02}" for number in range(8)]
SCRIPT = '#!/bin/sh\nset -eu\n\nif true; then\n  echo "it\'s: #1"\nfi\n'

_EVICTION = {"memory.available": "500Mi", "nodefs.available": "10%", "imagefs.available": "15%"}

# What patches of home labs consist of, one mapping for each document.
DOCUMENTS: list[Callable[[random.Random], dict[str, Any]]] = [
    lambda pick: {
        "machine": {"sysctls": {"vm.max_map_count": "262144", "fs.file-max": str(pick.randint(1, 9) * 1000)}}
    },
    lambda pick: {"machine": {"time": {"servers": pick.sample(["time.cloudflare.com", "pool.ntp.org", "::1"], 2)}}},
    lambda pick: {
        "machine": {"kernel": {"modules": [{"name": "br_netfilter", "parameters": ["nf=1"]}, {"name": "zfs"}]}}
    },
    lambda pick: {
        "machine": {
            "network": {
                "interfaces": [
                    {"deviceSelector": {"busPath": "0*"}, "dhcp": pick.random() < 0.5, "mtu": 9000},
                    {
                        "interface": "eth1",
                        "addresses": ["10.5.0.2/24", "fd00::2/64"],
                        "routes": [{"gateway": "10.5.0.1"}],
                    },
                ],
                "nameservers": ["1.1.1.1"],
            }
        }
    },
    lambda pick: {
        "machine": {
            "kubelet": {
                "extraMounts": [
                    {"destination": f"/var/{name}", "type": "bind", "options": ["bind", "rshared", "rw"]}
                    for name in "ab"
                ],
                "extraConfig": {"evictionHard": _EVICTION, "evictionSoft": _EVICTION},
            }
        }
    },
    lambda pick: {"machine": {"kubelet": {"extraArgs": {"rotate-server-certificates": "true", "v": "2"}}}},
    lambda pick: {
        "machine": {"files": [{"content": SCRIPT, "permissions": 0o755, "path": "/var/run.sh", "op": "create"}]}
    },
    lambda pick: {
        "machine": {"nodeLabels": {"topology.kubernetes.io/zone": pick.choice(["a", "yes", "0x1", "1e3", ""])}}
    },
    lambda pick: {
        "machine": {"registries": {"mirrors": {"docker.io": {"endpoints": ["https://mirror.example:5000"]}}}}
    },
    lambda pick: {"cluster": {"allowSchedulingOnControlPlanes": True, "proxy": {"disabled": True}}},
    lambda pick: {"cluster": {"apiServer": {"extraArgs": {"oidc-issuer-url": "https://id.example/x?a=b#c"}}}},
    lambda pick: {"cluster": {"network": {"cni": {"name": "none"}, "podSubnets": ["10.244.0.0/16"]}}},
    lambda pick: {
        "apiVersion": "v1alpha1",
        "kind": "WatchdogTimerConfig",
        "device": "/dev/watchdog0",
        "timeout": "2m0s",
    },
    lambda pick: {
        "apiVersion": "v1alpha1",
        "kind": "ExtensionServiceConfig",
        "name": "nut-client",
        "configFiles": [{"content": "MONITOR ups@host 1\n\nSHUTDOWNCMD /sbin/poweroff", "mountPath": "/etc/nut.conf"}],
        "environment": ["A=b c", "NAÏVE=日本"],
    },
]
OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web", "labels": {"a/b": "true"}}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "web"}, "data": {"f": SCRIPT}},
]


@dataclass(frozen=True)
class Layout:
    """How one author writes YAML.

    Attributes:
        pick: Decides from line to line.
        step: The number of blanks of an indentation.
        flush: Whether lists begin in the column of their key.
        comments: Whether there are comments and empty lines.
        anchors: Whether what is written twice has an anchor.
    """

    pick: random.Random
    step: int
    flush: bool
    comments: bool
    anchors: bool

    def document(self, value: Mapping[str, Any]) -> str:
        lines = [each for line in self._mapping(value, 0, {}) for each in self._commented(line)]
        return "\n".join(lines) + "\n"

    def documents(self, values: list[Mapping[str, Any]]) -> str:
        """A file: documents, and between them those of comments only, doubled `---`, and `null`."""
        parts = []
        for value in values:
            if self.comments and self.pick.random() < 0.4:
                parts.append(self.pick.choice(["# only a comment\n", "\n", "", "# one\n\n# two\n"]))
            parts.append(self.document(value))
        if self.comments and self.pick.random() < 0.4:
            parts.append(self.pick.choice(["# the end\n", "", "\n"]))
        return self.pick.choice(["", "---\n", "# head\n---\n"]) + "---\n".join(parts)

    def _commented(self, line: str) -> Iterator[str]:
        if self.comments and not line.startswith(_RAW):
            if self.pick.random() < 0.1:
                yield self.pick.choice(["", "# note: a", f"{' ' * self.pick.randint(0, 6)}# - b"])
            if self.pick.random() < 0.1 and not line.endswith(_OPEN):
                line += "  # why"
        yield line.removeprefix(_RAW).removesuffix(_OPEN)

    def _mapping(self, value: Mapping[str, Any], column: int, seen: dict[str, str]) -> Iterator[str]:
        for key, item in value.items():
            yield from self._entry(f"{' ' * column}{self._scalar(key)}:", item, column, seen, in_list=False)

    def _entry(self, lead: str, item: Any, column: int, seen: dict[str, str], *, in_list: bool) -> Iterator[str]:
        """`lead` with a value: on its line, or below it."""
        if not isinstance(item, dict | list) or not item:
            yield from self._leaf(lead, item, column)
            return
        form = json.dumps(item, sort_keys=True)
        if self.anchors and form in seen:
            yield f"{lead} *{seen[form]}"
            return
        anchor = ""
        if self.anchors and not in_list:
            anchor = f" &a{len(seen)}"
            seen[form] = anchor[2:]
        if form.isascii() and len(form) < 40 and "\\n" not in form and self.pick.random() < 0.2:
            yield f"{lead}{anchor} {json.dumps(item)}"
        elif isinstance(item, dict):
            yield f"{lead}{anchor}"
            yield from self._mapping(item, column + self._step(), seen)
        else:
            yield f"{lead}{anchor}"
            inner = column if self.flush else column + self._step()
            for each in item:
                yield from self._item(each, inner, seen)

    def _item(self, item: Any, column: int, seen: dict[str, str]) -> Iterator[str]:
        if not isinstance(item, dict) or not item:
            yield from self._entry(f"{' ' * column}-", item, column, seen, in_list=True)
            return
        gap = self.pick.choice([1, 1, 3])
        lines = list(self._mapping(item, column + 1 + gap, seen))
        yield f"{' ' * column}-{' ' * gap}{lines[0].lstrip(' ')}"
        yield from lines[1:]

    def _step(self) -> int:
        return self.pick.choice([2, 4]) if self.step == 0 else self.step

    def _leaf(self, lead: str, item: Any, column: int) -> Iterator[str]:
        if isinstance(item, str) and "\n" in item and self.pick.random() < 0.9:
            step = self._step()
            hint = str(step) if item[0] == " " else ""
            yield f"{lead} |{hint}{'' if item.endswith(chr(10)) else '-'}{_OPEN}"
            lines = item.removesuffix("\n").split("\n")
            yield from (f"{_RAW}{' ' * (column + step)}{line}" if line else _RAW for line in lines)
        else:
            yield f"{lead} {self._scalar(item)}"

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        plain = value[:1].isalpha() and value.replace("-", "").replace(".", "").replace("/", "").isalnum()
        forms = [json.dumps(value, ensure_ascii=False)]
        if "\n" not in value:
            forms.append("'" + value.replace("'", "''") + "'")
        if plain and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n"):
            forms += [value] * 6
        return self.pick.choice(forms)


_RAW = "\0"  # before a line of a block scalar
_OPEN = "\1"  # behind a line that a block scalar begins on


def layout(pick: random.Random) -> Layout:
    return Layout(
        pick,
        step=pick.choice([2, 2, 4, 0]),
        flush=pick.random() < 0.5,
        comments=pick.random() < 0.7,
        anchors=pick.random() < 0.5,
    )


@dataclass
class Tree:
    """A folder of files that is written with the line ends of one author."""

    folder: Path
    crlf: bool

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace("\n", "\r\n" if self.crlf else "\n").encode())
        return path


def patch_documents(pick: random.Random) -> list[Mapping[str, Any]]:
    """The documents of one patch, with no two of a kind."""
    made = [make(pick) for make in pick.sample(DOCUMENTS, pick.choice([1, 1, 1, 2, 3]))]
    kinds: dict[str, Mapping[str, Any]] = {}
    for each in made:
        kinds.setdefault(str(each.get("kind", "")), each)
    return list(kinds.values())


def patches(pick: random.Random, tree: Tree, home: str, scope: str) -> list[dict[str, Any]]:
    """Patches of one scope: as data, as text, and in files beside or above the file that names them."""
    found: list[dict[str, Any]] = []
    documents: list[Mapping[str, Any]] = []
    for index in range(pick.choice([0, 1, 1, 2, 3])):
        if not documents or pick.random() < 0.7:  # else the same again under another name
            documents = patch_documents(pick)
        name = f"{scope}-{index}"
        form = pick.choice(["data", "list", "text", "beside", "above"])
        if form in ("data", "list"):
            found.append({"name": name, "inline": documents if form == "list" or len(documents) > 1 else documents[0]})
        elif form == "text":
            found.append({"name": name, "inline": layout(pick).documents(documents)})
        else:
            path = f"patches/{name}.yaml" if form == "beside" else f"../shared/{name}.yaml"
            tree.write(f"{home}/{path}", layout(pick).documents(documents))
            found.append({"file": path, **({"name": name} if pick.random() < 0.3 else {})})
        if pick.random() < 0.2:
            found[-1]["labels"] = {"tier": "base", "n": "1"}
    return found


def _scope(pick: random.Random, tree: Tree, name: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    if made := patches(pick, tree, "cluster", name):
        scope["patches"] = made
    if pick.random() < 0.3:
        scope["systemExtensions"] = ["siderolabs/iscsi-tools", "siderolabs/util-linux-tools"]
    if pick.random() < 0.2:
        scope["labels"] = {"team": "web", "on": "yes"}
    return scope


def template(seed: int, folder: Path) -> Path:
    """A cluster template with its files; the template is below a folder that has files too."""
    pick = random.Random(seed)
    tree = Tree(folder, crlf=pick.random() < 0.3)
    cluster: dict[str, Any] = {
        "kind": "Cluster",
        "name": f"lab-{seed}",
        "kubernetes": {"version": "v1.36.3"},
        "talos": {"version": "v1.13.8"},
        **_scope(pick, tree, "all"),
    }
    if pick.random() < 0.3:
        objects: Any = OBJECTS if pick.random() < 0.5 else layout(pick).documents(list(OBJECTS))
        cluster["kubernetes"]["manifests"] = [{"name": "base", "mode": "full", "inline": objects}]
    if pick.random() < 0.3:
        cluster["features"] = {"enableWorkloadProxy": True, "backupConfiguration": {"interval": "6h"}}
    control_planes = pick.choice([1, 3])
    documents: list[Mapping[str, Any]] = [
        cluster,
        {"kind": "ControlPlane", "machines": MACHINES[:control_planes], **_scope(pick, tree, "control-plane")},
    ]
    for index in range(pick.choice([0, 1, 2])):
        machines = MACHINES[3 + 2 * index : 5 + 2 * index]
        named = {"name": f"set-{index}"} if index else {}
        documents.append({"kind": "Workers", **named, "machines": machines, **_scope(pick, tree, f"workers-{index}")})
    if pick.random() < 0.5:
        documents.append({"kind": "Machine", "name": MACHINES[0], **_scope(pick, tree, "machine")})
    return tree.write("cluster/cluster.yaml", layout(pick).documents(documents))


def ksail_project(seed: int, folder: Path) -> Path:
    """A KSail project: ksail.yaml, and its patches in the folders of their scopes."""
    pick = random.Random(seed)
    tree = Tree(folder, crlf=pick.random() < 0.3)
    config = pick.choice(["", "patches/of/talos", "../shared"])
    control_planes, workers = pick.choice([1, 3]), pick.choice([0, 2])
    omni: dict[str, Any] = {"endpoint": "https://lab.omni.siderolabs.io:443", "talosVersion": "1.13.8"}
    omni["kubernetesVersion"] = "1.36.3"
    if pick.random() < 0.5:
        omni["machines"] = MACHINES[: control_planes + workers]
    cluster: dict[str, Any] = {"distribution": "Talos", "provider": "Omni"}
    cluster |= {"controlPlanes": control_planes, "workers": workers}
    if config:
        cluster["distributionConfig"] = config
    for scope in ("cluster", "control-planes", "workers"):
        tree.write(f"project/{config or 'talos'}/{scope}/.gitkeep", "")
        for name in pick.sample(["10-net", "time", "b.dots", "Upper"], pick.choice([0, 1, 2])):
            suffix = pick.choice(["yaml", "yaml", "yml"])
            text = layout(pick).documents(patch_documents(pick))
            tree.write(f"project/{config or 'talos'}/{scope}/{name}.{suffix}", text)
    document = {
        "apiVersion": "ksail.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": f"lab-{seed}"},
        "spec": {"cluster": cluster, "provider": {"omni": omni}},
    }
    return tree.write("project/ksail.yaml", layout(pick).document(document))


def program(seed: int, folder: Path) -> dict[str, Any]:
    """The inputs of a program, on the wire; its files are in `folder / "cluster"`."""
    pick = random.Random(seed)
    tree = Tree(folder, crlf=pick.random() < 0.3)
    return {
        "name": f"lab-{seed}",
        "controlPlane": {"machines": MACHINES[:1], **_scope(pick, tree, "control-plane")},
        "workers": [{"machines": MACHINES[1:3], **_scope(pick, tree, "workers")}],
        "machines": {MACHINES[1].upper(): _scope(pick, tree, "machine")},
        **_scope(pick, tree, "all"),
    }
