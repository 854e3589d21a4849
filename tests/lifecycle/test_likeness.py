"""An object counts as changed only when it has what is new, and nothing that only the old text had."""

from __future__ import annotations

from typing import Any

import pytest

from ksail_pulumi.lifecycle.likeness import as_written, stored
from ksail_pulumi.model.objects import objects_in

ONE, TWO = {"name": "one"}, {"name": "two"}


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", **container}]}}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"data": {"a": "1", "b": "2"}}, {"data": {"a": "1"}}),
        ({"data": {"a": "1"}}, {}),
        ({"data": {"a": ""}}, {"data": {}}),
        ({"data": {"a": "1.1"}}, {"data": {"a": "1.10"}}),
        ({"data": {"a": "1000"}}, {"data": {"a": "1k"}}),
        ({"data": {"storage": "1000"}}, {"data": {"storage": "1k"}}),
        ({"metadata": {"labels": {"limits": "1000"}}}, {"metadata": {"labels": {"limits": "1k"}}}),
        ({"spec": {"hostNetwork": 1}}, {"spec": {"hostNetwork": True}}),
        (pod(args=["--a", "--b"]), pod(args=["--a"])),
        (pod(args=["--a", "--b"]), pod(args=["--b", "--a"])),
        (pod(args=["--a"]), pod(args=[])),
        (pod(args=["--a"]), pod()),
        (pod(env=[ONE, TWO]), pod(env=[TWO, ONE])),
        (pod(env=[ONE, TWO]), pod(env=[ONE])),
        (pod(env=[{**ONE, "value": "x"}]), pod(env=[ONE])),
        (pod(securityContext={"runAsUser": 1}), pod()),
        (pod(resources={"limits": {"cpu": "1"}}), pod(resources={"limits": {"cpu": "1100m"}})),
    ],
)
def test_the_object_of_the_text_before_is_not_what_is_wanted(before: Any, now: Any) -> None:
    assert not as_written(before, now, before)
    assert as_written(now, now, before)


@pytest.mark.parametrize(
    ("live", "wanted", "before"),
    [
        ({"spec": {"a": 1, "added": True}}, {"spec": {"a": 1}}, {"spec": {"a": 2}}),
        ({"spec": {}}, {"spec": {"empty": {}, "off": False, "none": None}}, None),
        ({"spec": {"none": "a default"}}, {"spec": {"none": None}}, None),
        (pod(resources={"limits": {"cpu": "1"}}), pod(resources={"limits": {"cpu": "1000m"}}), None),
        (pod(resources={}), pod(), pod(resources={"limits": {"cpu": "1"}})),
        (pod(env=[TWO, ONE]), pod(env=[ONE]), pod(env=[ONE])),
        ({"rules": [{"verbs": ["get"]}]}, {"rules": []}, None),
        ({"data": {"a": "1", "of others": "2"}}, {"data": {"a": "1"}}, {"data": {"a": "1", "b": "2"}}),
        (pod(image="new"), pod(image="new"), pod(image="old", command=["x"])),
    ],
)
def test_what_others_add_does_not_matter(live: Any, wanted: Any, before: Any) -> None:
    assert as_written(live, wanted, before)


def test_a_default_for_a_removed_field_leaves_the_change_unproved() -> None:
    live = {"spec": {"replicas": 1}}
    assert not as_written(live, {"spec": {}}, {"spec": {"replicas": 3}})
    assert not as_written({"data": {"a": "1"}}, {"data": {"a": None}}, {"data": {"a": "1"}})
    assert not as_written({"a": []}, {"a": {}})
    assert not as_written({"a": {}}, {"a": [1]})
    assert not as_written(pod(env=[ONE, TWO]), pod(env=[{**ONE, "value": "x"}]))
    assert not as_written({"limits": "1.1.1"}, {"limits": "1.1.2"})


def test_an_object_is_compared_as_it_is_stored() -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n"
    both, bad = (objects_in(secret + more)[0] for more in ("data: {x: eA==}\nstringData: {y: y}\n", "data: [\n"))
    found = stored(both)
    assert (found["data"], "stringData" in found) == ({"x": "eA==", "y": "eQ=="}, False)
    assert stored(bad) is None
    assert as_written(found, found, stored(bad))
    assert not as_written(found, stored(bad))
