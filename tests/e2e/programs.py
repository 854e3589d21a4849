"""The Pulumi programs that the tests run. Each reads what it makes from `<stack>.json` in the project's folder."""

from __future__ import annotations

# Every entry is one cluster: its inputs, its timeout, and the options of its resource. A test changes a cluster by
# changing the file.
PROGRAM = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import OmniCluster

made = {}
for name, inputs in json.loads(Path(f"{pulumi.get_stack()}.json").read_text()).items():
    options = inputs.pop("options", {})
    if "replace_with" in options:
        options["replace_with"] = [made[other] for other in options["replace_with"]]
    if "deleted_with" in options:
        options["deleted_with"] = made[options["deleted_with"]]
    timeout = inputs.pop("timeout", None)
    timeouts = pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout)
    cluster = OmniCluster(name, opts=pulumi.ResourceOptions(custom_timeouts=timeouts, **options), **inputs)
    made[name] = cluster
    pulumi.export(name, {"nodes": cluster.nodes, "ready": cluster.ready, "talosVersion": cluster.talos_version})
    pulumi.export(f"{name}Kubeconfig", cluster.kubeconfig)
"""

# A resource `text` of the user's own beside one cluster `main`, which can follow it: in its name or its endpoint, where
# `{text}` stands for the output, or in being replaced.
WITH_TEXT = """\
import json
from pathlib import Path

import pulumi
from pulumi import dynamic

from ksail_pulumi import OmniCluster


class TextProvider(dynamic.ResourceProvider):
    def create(self, props):
        return dynamic.CreateResult("text", {**props, "out": props["text"]})

    def diff(self, id, olds, news):
        return dynamic.DiffResult(
            changes=olds["text"] != news["text"],
            replaces=["text"] if news["replaced"] else [],
        )

    def update(self, id, olds, news):
        return dynamic.UpdateResult({**news, "out": news["text"]})


class Text(dynamic.Resource):
    out: pulumi.Output[str]

    def __init__(self, name, text, replaced):
        super().__init__(TextProvider(), name, {"text": text, "replaced": replaced, "out": None})


asked = json.loads(Path(f"{pulumi.get_stack()}.json").read_text())
text = Text("text", **asked["text"])
inputs = asked["main"]
for key in {"name", "endpoint"} & set(inputs):
    inputs[key] = pulumi.Output.format(inputs[key], text=text.out)
options = pulumi.ResourceOptions(replace_with=[text] if inputs.pop("follows", False) else None)
OmniCluster("main", opts=options, **inputs)
"""

# Two components, each with a child `cluster`.
COMPONENTS = """\
import json
from pathlib import Path

import pulumi

from ksail_pulumi import OmniCluster


class Shop(pulumi.ComponentResource):
    def __init__(self, name, inputs, opts=None):
        super().__init__("test:index:Shop", name, None, opts)
        OmniCluster("cluster", opts=pulumi.ResourceOptions(parent=self), **inputs)


class Bank(pulumi.ComponentResource):
    def __init__(self, name, inputs, opts=None):
        super().__init__("test:index:Bank", name, None, opts)
        OmniCluster("cluster", opts=pulumi.ResourceOptions(parent=self), **inputs)


asked = json.loads(Path(f"{pulumi.get_stack()}.json").read_text())
Shop("shop", asked["shop"])
Bank("bank", asked["bank"])
"""

# Clusters whose inputs follow a resource `text` of the user's own, which is replaced when its text changes. The text is
# JSON, and `{"of": key}` stands for its value of that key. Until it is replaced, Pulumi does not know it.
WITH_UNKNOWNS = """\
import json
from pathlib import Path

import pulumi
from pulumi import dynamic

from ksail_pulumi import OmniCluster


class TextProvider(dynamic.ResourceProvider):
    def create(self, props):
        return dynamic.CreateResult("text", {**props, "out": props["text"]})

    def diff(self, id, olds, news):
        return dynamic.DiffResult(olds["text"] != news["text"], replaces=["text"])


class Text(dynamic.Resource):
    out: pulumi.Output[str]

    def __init__(self, name, text):
        super().__init__(TextProvider(), name, {"text": text, "out": None})


asked = json.loads(Path(f"{pulumi.get_stack()}.json").read_text())
text = Text("text", json.dumps(asked["text"]))


def followed(value):
    if isinstance(value, dict) and set(value) == {"of"}:
        return text.out.apply(lambda known: json.loads(known)[value["of"]])
    if isinstance(value, dict):
        return {key: followed(item) for key, item in value.items()}
    return [followed(item) for item in value] if isinstance(value, list) else value


for name, inputs in asked["clusters"].items():
    OmniCluster(name, **followed(inputs))
"""
