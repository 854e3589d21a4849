"""Manifest groups as a real Omni with a real API server treats them: what the status shows, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.kubernetes_objects import RETRYABLE, TALOS, Key

FULL, ONE_TIME = 1, 2
GROUP_PHASES = {0: "", 1: "PENDING", 2: "PROGRESSING", 3: "APPLIED", 4: "DELETING"}
PHASES = {1: "PENDING", 2: "APPLIED", 3: "DELETING"}


def thing(kind: str, name: str, version: str = "v1", namespace: str = "default", **content: Any) -> dict[str, Any]:
    home = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **home}, **content}


def config(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    return thing("ConfigMap", name, namespace=namespace, data=data)


def group(lab: Any, name: str, *objects: dict[str, Any], mode: int = FULL) -> None:
    text = "\n---\n".join(map(json.dumps, objects))
    spec = specs_pb2.KubernetesManifestGroupSpec(data=text, mode=mode)
    if lab.find(omni.KUBERNETES_MANIFEST_GROUP, name) is None:
        lab.store.create(Resource(omni.KUBERNETES_MANIFEST_GROUP, name, spec, {omni.LABEL_CLUSTER: "c1"}))
    else:
        lab.change(omni.KUBERNETES_MANIFEST_GROUP, name, lambda current: current.CopyFrom(spec))


def status(lab: Any) -> Any:
    return lab.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").spec


def shown(lab: Any, name: str) -> tuple[str, dict[str, str]] | None:
    """The phase of a group and of its objects; None if the status does not have it."""
    groups = dict(status(lab).groups)
    if name not in groups:
        return None
    manifests = {key: PHASES[each.phase] for key, each in groups[name].manifests.items()}
    return GROUP_PHASES[groups[name].phase], manifests


def there(lab: Any, name: str, kind: str = "ConfigMap", namespace: str = "default", group: str = "") -> Any:
    return lab.controllers.kubernetes.of("c1").get(Key(group, kind, namespace, name))


def data(lab: Any, name: str) -> Any:
    found = there(lab, name)
    return None if found is None else found["data"]


def test_a_cluster_without_manifests_has_an_empty_status(ready: Any) -> None:
    assert (status(ready).total, status(ready).out_of_sync, len(status(ready).groups)) == (0, 0, 0)
    assert not ready.get(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1").labels


def test_a_new_group_is_pending_then_there_and_then_applied(ready: Any) -> None:
    group(ready, "m1", config("cm1", "g1", k="v1"), thing("Namespace", "g1", namespace=""))
    ready.run(0.4)
    assert shown(ready, "m1") == ("PROGRESSING", {"ConfigMap/g1/cm1": "PENDING", "Namespace/g1": "PENDING"})
    assert (status(ready).total, status(ready).out_of_sync) == (2, 2)
    ready.run(1)
    assert there(ready, "cm1", namespace="g1")["data"] == {"k": "v1"}
    ready.run(2)
    assert shown(ready, "m1") == ("APPLIED", {"ConfigMap/g1/cm1": "APPLIED", "Namespace/g1": "APPLIED"})
    assert (status(ready).total, status(ready).out_of_sync, status(ready).last_error) == (2, 0, "")


def test_the_status_does_not_move_while_a_group_changes(ready: Any) -> None:
    group(ready, "m1", config("cm1", k="v1"))
    ready.run(5)
    seen = len(ready.history(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1"))
    group(ready, "m1", config("cm1", k="v2"))
    ready.run(5)
    assert data(ready, "cm1") == {"k": "v2"}
    assert len(ready.history(omni.CLUSTER_KUBERNETES_MANIFESTS_STATUS, "c1")) == seen


def test_what_somebody_changes_is_repaired_in_the_next_round_and_the_status_says_nothing(ready: Any) -> None:
    group(ready, "m1", config("cm1", k="v1"), config("cm2", k="v1"))
    ready.run(5)
    kubernetes = ready.controllers.kubernetes.of("c1")
    kubernetes.patch(Key("", "ConfigMap", "default", "cm1"), {"data": {"k": "hand", "more": "x"}})
    kubernetes.delete(Key("", "ConfigMap", "default", "cm2"))
    ready.run(4)
    assert (shown(ready, "m1") or ("",))[0] == "APPLIED"
    assert data(ready, "cm1") == {"k": "hand", "more": "x"}
    ready.run(30)
    assert (data(ready, "cm1"), data(ready, "cm2")) == ({"k": "v1", "more": "x"}, {"k": "v1"})


def test_an_object_that_leaves_a_group_is_deleted(ready: Any) -> None:
    group(ready, "m1", config("cm1", k="v1"), config("cm2", k="v1"))
    ready.run(5)
    group(ready, "m1", config("cm1", k="v1"))
    ready.run(0.3)
    assert shown(ready, "m1") == (
        "PROGRESSING",
        {"ConfigMap/default/cm1": "APPLIED", "ConfigMap/default/cm2": "DELETING"},
    )
    ready.run(4)
    assert there(ready, "cm2") is None
    assert shown(ready, "m1") == ("APPLIED", {"ConfigMap/default/cm1": "APPLIED"})


def test_the_objects_of_a_group_are_deleted_some_seconds_after_it(ready: Any) -> None:
    group(ready, "m1", config("cm1", k="v1"))
    ready.run(5)
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "m1")
    ready.run(1)
    assert ready.find(omni.KUBERNETES_MANIFEST_GROUP, "m1") is None
    assert (shown(ready, "m1") or ("",))[0] == "APPLIED"
    ready.run(3.5)
    assert shown(ready, "m1") == ("DELETING", {"ConfigMap/default/cm1": "DELETING"})
    ready.run(5)
    assert (there(ready, "cm1"), shown(ready, "m1")) == (None, None)


def test_an_object_that_exists_is_taken_over_and_deleted_with_the_group(ready: Any) -> None:
    kubernetes = ready.controllers.kubernetes.of("c1")
    kubernetes.write(config("mine", k="hand", other="stays"))
    group(ready, "m1", config("mine", k="v1"))
    ready.run(5)
    assert data(ready, "mine") == {"k": "v1", "other": "stays"}
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "m1")
    ready.run(12)
    assert there(ready, "mine") is None


def test_one_bad_object_holds_up_every_other_and_its_error_outlives_it(ready: Any) -> None:
    service = thing("Service", "bad", spec={"ports": [{"port": 99999}]})
    group(ready, "bad", config("beside", k="v1"), service)
    ready.run(4)
    error = (
        "failed to diff object v1.Service/default/bad, apply dry run failed for Service/default/bad: 1 error(s) "
        'occurred:\n\tService/default/bad dry-run failed (Invalid): Service "bad" is invalid: '
        "[spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive, "
        "spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive]"
    )
    assert status(ready).last_error == error
    assert shown(ready, "bad") == (
        "PROGRESSING",
        {"ConfigMap/default/beside": "PENDING", "Service/default/bad": "PENDING"},
    )
    group(ready, "other", config("fine", k="v1"))
    ready.run(20)
    assert shown(ready, "other") == ("PROGRESSING", {"ConfigMap/default/fine": "PENDING"})
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "bad")
    ready.run(4.2)
    assert (shown(ready, "bad"), status(ready).last_error) == (None, error)
    ready.run(4)
    assert (data(ready, "fine"), status(ready).last_error) == ({"k": "v1"}, "")


def test_applied_is_no_proof(ready: Any) -> None:
    group(ready, "imm", thing("Deployment", "imm", "apps/v1", spec={"selector": {"matchLabels": {"a": "one"}}}))
    ready.run(5)
    group(ready, "imm", thing("Deployment", "imm", "apps/v1", spec={"selector": {"matchLabels": {"a": "two"}}}))
    ready.run(5)
    assert shown(ready, "imm") == ("APPLIED", {"Deployment/default/imm": "APPLIED"})
    assert status(ready).last_error.endswith(
        'Deployment.apps "imm" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"two"}}: '
        "field is immutable"
    )


def test_a_missing_namespace_heals_by_itself(ready: Any) -> None:
    group(ready, "lost", config("lost", "nowhere", k="v1"), config("good", k="v1"))
    ready.run(5)
    assert status(ready).last_error == RETRYABLE
    assert there(ready, "good") is None
    ready.controllers.kubernetes.of("c1").write(thing("Namespace", "nowhere", namespace=""))
    ready.run(10)
    assert (status(ready).last_error, status(ready).out_of_sync) == ("", 0)


def test_an_object_without_the_namespace_that_it_needs_is_an_error(ready: Any) -> None:
    group(ready, "forms", thing("ConfigMap", "nons", namespace=""))
    ready.run(4)
    assert status(ready).last_error == (
        "1 error(s) occurred:\n\tConfigMap/nons namespace not specified: "
        "the server could not find the requested resource"
    )
    assert shown(ready, "forms") == ("PROGRESSING", {"ConfigMap/nons": "PENDING"})


def test_an_object_of_an_unknown_kind_stays_pending_with_an_error(ready: Any) -> None:
    group(ready, "bad", thing("Nonsense", "x", "example.org/v1"))
    ready.run(60)
    assert (shown(ready, "bad"), status(ready).last_error) == (
        ("PROGRESSING", {"Nonsense/default/x": "PENDING"}),
        RETRYABLE,
    )


def test_a_custom_resource_is_applied_with_its_definition_in_any_order(ready: Any) -> None:
    spec = {"group": "g.example.org", "names": {"kind": "Gadget", "plural": "gadgets"}, "versions": [{"name": "v1"}]}
    definition = thing("CustomResourceDefinition", "gadgets.g.example.org", "apiextensions.k8s.io/v1", "", spec=spec)
    group(ready, "crd", thing("Gadget", "one", "g.example.org/v1", spec={"n": 1}), definition)
    ready.run(5)
    assert (shown(ready, "crd") or ("",))[0] == "APPLIED"
    assert there(ready, "one", "Gadget", group="g.example.org")["spec"] == {"n": 1}


def test_what_is_applied_once_is_left_alone_and_stays(ready: Any) -> None:
    group(ready, "once", config("one", k="v1"), mode=ONE_TIME)
    ready.run(5)
    group(ready, "once", config("one", k="v2"), mode=ONE_TIME)
    ready.run(40)
    assert (data(ready, "one"), shown(ready, "once")) == (
        {"k": "v1"},
        ("APPLIED", {"ConfigMap/default/one": "APPLIED"}),
    )
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "once")
    ready.run(12)
    assert (data(ready, "one"), shown(ready, "once")) == ({"k": "v1"}, None)


def test_from_full_to_one_time_the_object_is_gone_until_the_next_round(ready: Any) -> None:
    group(ready, "mode", config("modes", k="v1"))
    ready.run(5)
    group(ready, "mode", config("modes", k="v2"), mode=ONE_TIME)
    ready.run(3)
    assert (data(ready, "modes"), shown(ready, "mode")) == (
        None,
        ("PROGRESSING", {"ConfigMap/default/modes": "DELETING"}),
    )
    ready.run(20)
    assert data(ready, "modes") is None
    ready.run(14)
    assert (data(ready, "modes"), (shown(ready, "mode") or ("",))[0]) == ({"k": "v2"}, "APPLIED")


def test_from_one_time_to_full_nothing_changes_but_the_error(ready: Any) -> None:
    group(ready, "mode", config("modes", k="v1"), mode=ONE_TIME)
    ready.run(5)
    group(ready, "mode", config("modes", k="v2"))
    ready.run(5)
    assert (data(ready, "modes"), status(ready).last_error) == ({"k": "v1"}, RETRYABLE)
    assert (shown(ready, "mode"), status(ready).out_of_sync) == (("APPLIED", {"ConfigMap/default/modes": "APPLIED"}), 0)
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "mode")
    ready.run(40)
    assert (data(ready, "modes"), status(ready).out_of_sync) == ({"k": "v1"}, 1)


def test_of_two_groups_with_one_object_the_later_one_counts_and_the_first_returns(ready: Any) -> None:
    group(ready, "other", config("fine", k="v1"))
    ready.run(5)
    group(ready, "dup", config("fine", k="from-dup"))
    ready.run(4)
    assert (data(ready, "fine"), shown(ready, "dup")) == ({"k": "from-dup"}, None)
    ready.tear_down(omni.KUBERNETES_MANIFEST_GROUP, "dup")
    ready.run(6)
    assert data(ready, "fine") == {"k": "v1"}


def test_in_a_locked_cluster_nothing_happens_until_it_is_unlocked(ready: Any) -> None:
    ready.annotate(omni.CLUSTER, "c1", {omni.ANNOTATION_CLUSTER_LOCKED: ""})
    group(ready, "locked", config("locked", k="v1"))
    ready.run(36)
    assert (shown(ready, "locked"), status(ready).last_error, there(ready, "locked")) == (None, "", None)
    ready.annotate(omni.CLUSTER, "c1", {})
    ready.run(0.4)
    assert shown(ready, "locked") == ("PROGRESSING", {"ConfigMap/default/locked": "PENDING"})
    ready.run(3)
    assert (shown(ready, "locked") or ("",))[0] == "APPLIED"


INLINE = """\
cluster:
  inlineManifests:
    - name: settings
      contents: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: colours, namespace: default}
        data: {first: green}
"""


@pytest.mark.parametrize(("talos", "inventory"), [("1.13.8", TALOS), ("1.12.11", None)])
def test_an_object_that_talos_keeps_in_its_inventory_is_not_taken_over(
    make_lab: Any, talos: str, inventory: str | None
) -> None:
    lab = make_lab()
    lab.cluster(talos=talos, kubernetes="1.34.9" if talos == "1.12.11" else "1.35.7")
    lab.patch("200-settings", INLINE, cluster="c1")
    lab.run_until_ready()
    lab.run(5)
    assert there(lab, "colours")["metadata"].get("annotations", {}).get("config.k8s.io/owning-inventory") == inventory
    group(lab, "mine", config("colours", first="blue"))
    lab.run(8)
    assert (data(lab, "colours"), status(lab).last_error) == (
        ({"first": "green"}, RETRYABLE) if inventory else ({"first": "blue"}, "")
    )


def test_what_is_nested_without_end_is_no_object_and_ends_nothing(ready: Any) -> None:
    spec = specs_pb2.KubernetesManifestGroupSpec(data="[" * 200_000, mode=FULL)
    ready.store.create(Resource(omni.KUBERNETES_MANIFEST_GROUP, "deep", spec, {omni.LABEL_CLUSTER: "c1"}))
    ready.run(20)
    assert (status(ready).total, list(status(ready).groups)) == (0, [])
