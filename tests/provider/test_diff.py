"""Which differences count, called as Pulumi calls it: old outputs against new inputs, numbers as floats."""

from importlib import metadata

import pytest
from pulumi.output import Unknown

from ksail_pulumi.lifecycle.outputs import stored_inputs
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.diff import reasons
from ksail_pulumi.provider.host.call import CallError
from ksail_pulumi.provider.spelling import to_wire

INPUTS = {"name": "west", "controlPlane": {"count": 1.0}, "workers": 2.0, "__owner": "o/p/s/west", "__provider": "x"}
FACTS = {"clusterUuid": "u", "phase": "RUNNING", "ready": True, "nodes": [], "schema": 2.0}
PINS = {"kubernetesVersion": "1.36.3", "talosVersion": "1.13.8", "__pinned": ["kubernetesVersion", "talosVersion"]}
OUTPUTS = {**INPUTS, **FACTS, **PINS}
MACHINES = {"controlPlane": {"machines": ["a"]}}


def diff(olds, news):
    return OmniClusterProvider().diff("west", olds, news)


def same_but(inputs, **changes):
    return {**inputs, **changes}


def test_the_same_inputs_are_no_difference():
    assert diff(OUTPUTS, INPUTS).changes is False


@pytest.mark.parametrize(
    "spelling",
    [
        {"controlPlane": {"count": 1}},
        {"controlPlane": 1.0},
        {"workers": [{"count": 2.0}]},
        {"waitFor": "ready"},
        {"kubernetesVersion": "v1.36.3", "talosVersion": "v1.13.8"},
        {"__provider": "y"},
    ],
)
def test_the_same_in_other_words_is_no_difference(spelling):
    olds = {key: value for key, value in OUTPUTS.items() if key != "__pinned"} | {"__pinned": []}
    assert diff(olds, same_but({**INPUTS, **PINS}, **spelling)).changes is False


def test_a_state_from_before_addons_had_their_name_is_no_difference():
    components = {"components": {"cni": "cilium", "csi": {"name": "local-path", "url": "https://a.b/s3cret"}}}
    program = to_wire({**INPUTS, "addons": {"cni": {"name": "cilium"}, "csi": components["components"]["csi"]}})
    checked = OmniClusterProvider().check({**INPUTS, **components}, stored_inputs(program))
    assert (checked.failures, checked.inputs["components"]) == ([], stored_inputs(program)["components"])
    assert diff({**OUTPUTS, **components}, checked.inputs).changes is False


def test_a_version_that_was_left_out_stays_pinned():
    assert diff(OUTPUTS, INPUTS).changes is False


@pytest.mark.parametrize(
    "change",
    [
        {"controlPlane": {"count": 3.0}},
        {"workers": [{"name": "gpu", "count": 2.0}]},
        {"kubernetesVersion": "1.36.4"},
        {"patches": [{"name": "p", "inline": "a: 1"}]},
        {"labels": {"a": "b"}},
        {"waitFor": "none"},
        {"serviceAccountKeyEnvVar": "WEST_KEY"},
        {"workers": Unknown()},
        {"controlPlane": {"machines": ["a", Unknown()]}},
        {"name": Unknown()},
        {"endpoint": Unknown()},
    ],
)
def test_a_change_is_for_the_engine_to_name(change):
    result = diff(OUTPUTS, same_but(INPUTS, **change))
    assert (result.changes, result.replaces, result.delete_before_replace) == (None, [], False)


def test_an_input_that_is_gone_is_a_change():
    assert diff({**OUTPUTS, "labels": {"a": "b"}}, INPUTS).changes is None


def test_another_name_replaces():
    result = diff(OUTPUTS, same_but(INPUTS, name="east"))
    assert (result.changes, result.replaces, result.delete_before_replace) == (None, ["name"], True)


def test_an_omni_that_cannot_be_asked_replaces_nothing():
    news = {**INPUTS, **MACHINES, "endpoint": "https://b", "serviceAccountKeyEnvVar": "NO_SUCH_KEY"}
    with pytest.raises(CallError, match="NO_SUCH_KEY is not set"):
        diff({**OUTPUTS, **MACHINES, "endpoint": "https://a"}, news)


@pytest.mark.parametrize("change", [{"schema": 1.0}, {"__owner": "o/p/former/west"}, {"__unfinished": True}])
def test_what_has_to_be_written_again_is_a_change(change):
    assert diff({**OUTPUTS, **change}, INPUTS).changes is True


def test_a_state_of_a_newer_release_is_refused_with_both_versions():
    with pytest.raises(
        CallError, match=rf"by ksail-pulumi 9\.1\.0, .* ksail-pulumi {metadata.version('ksail-pulumi')}"
    ):
        diff({**OUTPUTS, "schema": 4.0, "__package": "9.1.0"}, INPUTS)


def test_the_same_omni_in_other_words_is_a_change_but_no_replacement():
    result = diff({**OUTPUTS, "endpoint": "https://a"}, {**INPUTS, "endpoint": "https://a:443/"})
    assert (result.changes, result.replaces) == (None, [])


def test_an_endpoint_that_moves_from_the_environment_into_the_program_is_no_replacement(monkeypatch):
    monkeypatch.setenv("OMNI_ENDPOINT", "https://a:443")
    result = diff(OUTPUTS, {**INPUTS, "endpoint": "https://a"})
    assert (result.changes, result.replaces) == (None, [])


def test_an_endpoint_that_the_program_omits_is_that_of_the_environment_and_no_difference_if_it_is_the_same(monkeypatch):
    """As with a ksail.yaml that has one: OMNI_ENDPOINT has precedence where it is set."""
    monkeypatch.setenv("OMNI_ENDPOINT", "https://a:443")
    assert diff({**OUTPUTS, "endpoint": "https://a"}, INPUTS).changes is False


def test_another_name_moves_no_cluster_to_another_omni(monkeypatch):
    monkeypatch.setenv("OMNI_ENDPOINT", "https://b")
    olds = {**OUTPUTS, "__omni": "https://a"}
    with pytest.raises(CallError, match="cluster 'west' is in Omni at https://a, and this is Omni at https://b"):
        diff(olds, {**INPUTS, "name": "east"})
    assert diff(olds, {**INPUTS, "name": "east", "endpoint": "https://a"}).replaces == ["name"]


def test_an_endpoint_of_the_environment_replaces_nothing(monkeypatch):
    """It asks nobody: `https://b` does not exist, and there is no key."""
    monkeypatch.setenv("OMNI_ENDPOINT", "https://b")
    result = diff({**OUTPUTS, "endpoint": "https://a"}, INPUTS)
    assert (result.changes, result.replaces) == (None, [])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"ready": False}, True),
        ({"ready": False, "waitFor": "running"}, False),
        ({"ready": False, "waitFor": "running", "phase": "SCALING_UP"}, True),
        ({"ready": False, "waitFor": "none", "phase": "UNKNOWN"}, False),
    ],
)
def test_a_cluster_that_is_not_what_was_waited_for_is_gone_on_with(state, expected):
    asked = {"waitFor": state["waitFor"]} if "waitFor" in state else {}
    assert diff({**OUTPUTS, **state}, {**INPUTS, **asked}).changes is expected


def test_an_update_with_the_same_inputs_has_a_reason():
    assert list(reasons(OUTPUTS)) == []
    olds = {**OUTPUTS, "schema": 1.0, "ready": False, "__unfinished": True}
    earlier, not_ready, unfinished = reasons(olds)
    assert "written by an earlier release" in earlier
    assert "was not ready" in not_ready
    assert "has not finished" in unfinished


def test_a_state_with_the_credentials_in_it_is_no_change():
    assert diff({**OUTPUTS, "schema": 2.0, "kubeconfig": "k", "talosconfig": "t"}, INPUTS).changes is False


def test_a_state_that_is_no_longer_understood_is_a_change():
    assert diff({**OUTPUTS, "colour": "red"}, INPUTS).changes is None
