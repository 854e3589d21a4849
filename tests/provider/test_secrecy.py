"""What is marked as secret goes along into the provider process, and no hidden property shows."""

import pytest
from pulumi.runtime.proto import provider_pb2

from ksail_pulumi.provider.secrecy import gate_for

OWNER = "organization/shop/dev/west"
INPUTS = {"name": "west", "labels": {"a": "s3cret-value"}, "__owner": OWNER}
MARKS = {"__marked": [["labels", "a"]]}
SOME, NONE, UNKNOWN = (getattr(provider_pb2.DiffResponse, f"DIFF_{name}") for name in ("SOME", "NONE", "UNKNOWN"))


def outputs(**more):
    """Outputs of a cluster that is ready."""
    return {**INPUTS, "ready": True, "phase": "RUNNING", "schema": 2, "clusterUuid": "u", "nodes": [], **more}


def test_the_marks_are_no_input_of_the_state(provider):
    inputs, failures = provider.check({**INPUTS, **MARKS, "__preview": True})
    assert failures == {}
    assert inputs == INPUTS


@pytest.mark.parametrize("marks", [{}, MARKS])
def test_what_is_marked_shows_in_no_failure(provider, marks):
    wrong = {**INPUTS, "workers": [{"selector": "!!s3cret-value"}], "talosVersion": 7.5}
    wrong["waitFor"] = "s3cret-wait"
    _, failures = provider.check({**wrong, **({"__marked": [["waitFor"], ["talosVersion"]]} if marks else {})})
    assert ("s3cret-wait" in failures["waitFor"]) is not bool(marks)
    assert ("7.5" in failures["talosVersion"]) is not bool(marks)
    assert "should be" in failures["waitFor"]


def test_what_is_marked_later_is_a_change_since_it_is_stored_in_plain_text(provider):
    for olds, news, changes in (
        (outputs(), INPUTS, NONE),
        (outputs(), {**INPUTS, **MARKS}, SOME),
        (outputs(__marked=[["labels", "a"]]), {**INPUTS, **MARKS}, NONE),
        (outputs(__marked=[["labels", "a"]]), INPUTS, NONE),
    ):
        inputs, _ = provider.check(news, olds=INPUTS)
        assert provider.diff("west", olds, inputs).changes == changes


def test_the_marks_of_a_state_from_before_addons_had_their_name_still_count(provider):
    components = {"components": {"csi": {"name": "local-path", "url": "https://a.b/s3cret"}}}
    olds = outputs(**components, __marked=[["components", "csi", "url"]])
    inputs, _ = provider.check({**INPUTS, **components, "__marked": [["addons", "csi", "url"]]}, olds=INPUTS)
    assert provider.diff("west", olds, inputs).changes == NONE
    gate = gate_for("", olds)
    assert "s3cret" not in gate.ours("it is https://a.b/s3cret")


@pytest.mark.parametrize(
    ("before", "changes"), [({}, UNKNOWN), ({"__adopt": True}, SOME), ({"__owner": "organization/shop/old/west"}, SOME)]
)
def test_a_hidden_property_that_differs_is_kept_from_the_engines_own_comparison(provider, before, changes):
    stored = {**INPUTS, **before}
    inputs, _ = provider.check({**INPUTS, "labels": {"a": "other"}}, olds=stored)
    assert provider.diff("west", outputs(), inputs).changes == changes
