"""What Omni and Talos quote of patches, manifests, labels and annotations is taken out of their texts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ksail_pulumi.model.gate import private_values, secret_values
from ksail_pulumi.redaction import Gate, behind, quoted

TOKEN = "b7GhQ2-token-of-mine"


def gate_of(inputs: dict[str, Any], *marked: tuple[str | int, ...]) -> Gate:
    return Gate(lambda: secret_values(inputs, marked), lambda: private_values(inputs))


def masked(text: str, inputs: dict[str, Any], *marked: tuple[str | int, ...]) -> str:
    return gate_of(inputs, *marked).theirs(text)


@pytest.mark.parametrize(
    "inputs",
    [
        {"patches": [{"inline": {"machine": {"nosuchfield": TOKEN}}}]},
        {"patches": [{"inline": [{"kind": "X", "list": ["a", [TOKEN]]}]}]},
        {"patches": [{"inline": f"machine:\n  nosuchfield: {TOKEN}\n"}]},
        {"patches": [{"inline": f"machine: {{a: [x, '{TOKEN}']}}\n---\nb: 1\n"}]},
        {"patches": [{"inline": f"machine:\n  token: {TOKEN}\n a: ["}]},
        {"controlPlane": {"patches": [{"inline": {"a": TOKEN}}]}},
        {"workers": [{}, {"patches": [{"inline": {"a": TOKEN}}]}]},
        {"machines": {"m": {"patches": [{"inline": {"a": TOKEN}}]}}},
        {"patches": [{"description": TOKEN}]},
        {"manifests": [{"inline": {"data": {"password": TOKEN}}}]},
        {"manifests": [{"inline": f"data:\n  name: {TOKEN}\n"}]},
        {"addons": {"certManager": {"inline": {"data": {"a": TOKEN}}}}},
        {"addons": {"certManager": {"inline": f"kind: Secret\nstringData: {{a: {TOKEN}}}\n"}}},
        {"healthChecks": [{"job": {"spec": TOKEN}}]},
        {"labels": {"a": TOKEN}},
        {"annotations": {"name": TOKEN}},
        {"workers": [{"labels": {"a": TOKEN}}]},
        {"kernelArgs": [f"talos.config={TOKEN}", TOKEN]},
    ],
)
def test_what_may_be_secret_is_taken_out_wherever_it_stands_in_the_inputs(inputs: dict[str, Any]) -> None:
    text = f"unknown keys found during decoding: machine: nosuchfield: {TOKEN}"
    assert masked(text, inputs) == "unknown keys found during decoding: machine: nosuchfield: …"


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("abcdefghijkl", "cannot unmarshal !!str `abcdefg...` into bool", "cannot unmarshal !!str `…` into bool"),
        ('with "quotes"\n', r'field is "with \"quotes\"\n"', 'field is "…\\n"'),
        ("first line\nsecond line", "found second line in it", "found … in it"),
        ("first line\n  second line\n", "a:\n    |-\n  first line\n  second line", "a:\n    |-\n  …"),
        ("a", "a value a is bad, as", "… value … is bad, as"),
        ("ab", "ab abc xab `ab`: ab-c", "… abc xab `…`: …-c"),
        ("west", "western west, west-1", "western …, …-1"),
        (5, "line 5: 50 is not 5", "line …: 50 is not …"),
        (3.0, "3 is not 13", "… is not 13"),
        (True, "it should be true", "it should be true"),
        ("", "nothing", "nothing"),
        ("-", "a - b", "a … b"),
        ("zażółć gęślą", r"za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 and zażółć gęślą", "… and …"),
    ],
)
def test_a_value_is_found_as_it_is_quoted_and_short_ones_only_as_words(value: Any, text: str, expected: str) -> None:
    assert masked(text, {"labels": {"x": value}}) == expected


def test_keys_and_what_identifies_a_cluster_and_its_parts_stay() -> None:
    inputs = {
        "name": "west",
        "patches": [{"name": "time", "inline": "machine:\n  network: west\n"}],
        "workers": [{"name": "pool", "machines": ["m1"], "labels": {"pool": "pool", "a": "m1"}}],
    }
    text = "cluster west: 200-west-time of pool: machine network of m1"
    assert masked(text, inputs) == text


@pytest.mark.parametrize("form", ["mapping", "list", "text"])
def test_the_names_of_kubernetes_objects_stay(form: str) -> None:
    """Our own texts name the objects too. Without that, `…/… namespace not specified` is left of Omni's text."""
    labels = {"default": TOKEN}
    one = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "namespace", "labels": labels}}
    two = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nons", "namespace": "default"}}
    objects = [one, {**two, "data": {"kind": TOKEN}}]
    inline = {"mapping": objects[1], "list": objects, "text": "---\n".join(map(yaml.safe_dump, objects))}[form]
    text = "v1.ConfigMap/nons namespace not specified: default"
    for inputs in ({"manifests": [{"name": "m", "inline": inline}]}, {"addons": {"certManager": {"inline": inline}}}):
        assert masked(f"{text} {TOKEN}", inputs) == f"{text} …"


def test_a_name_of_an_object_that_is_marked_as_secret_is_taken_out() -> None:
    inputs = {"manifests": [{"name": "m", "inline": {"kind": "ConfigMap", "metadata": {"name": TOKEN}}}]}
    assert masked(f"ConfigMap/{TOKEN}", inputs, ("manifests", 0, "inline", "metadata", "name")) == "ConfigMap/…"


def test_what_is_marked_as_secret_is_taken_out_of_our_own_texts_too() -> None:
    inputs = {"workers": [{"selector": "zone = b"}], "labels": {"a": "b"}, "addons": {"cni": {"name": "cilium"}}}
    gate = gate_of(inputs, ("workers", 0, "selector"), ("addons",))
    assert gate.ours('selector "zone = b" of cilium with b') == 'selector "…" of … with b'
    assert gate.theirs("zone = b, b") == "…, …"


def test_a_gate_holds_for_the_block_that_it_is_set_for() -> None:
    with behind(Gate(private=lambda: ["s3cret"])):
        assert quoted("s3cret") == "…"
        with behind(Gate(private=lambda: ["other"])):
            assert quoted("s3cret other") == "s3cret …"
        assert quoted("s3cret") == "…"
    assert quoted("s3cret") == "s3cret"


def test_thousands_of_values_cost_no_time() -> None:
    inputs = {"manifests": [{"inline": "\n".join(f"k{i}: value-number-{i}" for i in range(20_000))}]}
    gate = gate_of(inputs)
    assert gate.theirs("about value-number-17 and value-number-19999") == "about … and …"


def test_an_alias_bomb_and_deep_nesting_are_no_trouble() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"b{i}: &b{i} [{', '.join(['*b' + str(i - 1) if i else '*a'] * 9)}]\n" for i in range(9)
    )
    assert masked("x y", {"patches": [{"inline": bomb}]}) == "… y"
    assert masked("x", {"patches": [{"inline": "[" * 50_000}]}) == "x"
