"""Contexts in talosconfigs."""

from __future__ import annotations

import pytest
import yaml

from ksail_pulumi.access.talosconfig import merged
from ksail_pulumi.errors import ConfigFileError, UnsupportedError


def talosconfig(cluster="west", endpoint="https://omni.example"):
    context = {"endpoints": [endpoint], "auth": {"siderov1": {"identity": "me"}}, "cluster": cluster}
    return yaml.safe_dump({"context": f"acme-{cluster}", "contexts": {f"acme-{cluster}": context}}, sort_keys=False)


def test_the_context_becomes_the_current_one_and_others_stay():
    first = merged("", "config", talosconfig())
    assert yaml.safe_load(first) == yaml.safe_load(talosconfig())
    both = merged(first, "config", talosconfig("east"))
    assert yaml.safe_load(both)["context"] == "acme-east"
    assert list(yaml.safe_load(both)["contexts"]) == ["acme-west", "acme-east"]
    assert merged(both, "config", talosconfig("east")) == both


def test_a_context_of_another_omni_is_not_overwritten():
    there = talosconfig(endpoint="https://other.example")
    with pytest.raises(ConfigFileError) as refused:
        merged(there, "config", talosconfig())
    assert str(refused.value).startswith("config:3: contexts.acme-west: the context leads to another cluster")


@pytest.mark.parametrize(
    ("text", "reported"),
    [("contexts: []\n", "config:1: contexts: should be a mapping"), ("a: [\n", "config:2: invalid YAML")],
)
def test_a_broken_file_is_reported_with_its_line(text, reported):
    with pytest.raises(ConfigFileError) as broken:
        merged(text, "config", talosconfig())
    assert str(broken.value).startswith(reported)


def test_another_form_than_omnis_is_reported():
    with pytest.raises(UnsupportedError, match="another form than expected"):
        merged("", "config", "context: a\n")
