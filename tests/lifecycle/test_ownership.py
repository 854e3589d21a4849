"""Nothing of somebody else's is changed unasked."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ksail_pulumi.errors import ForeignClusterError, LifecycleError
from ksail_pulumi.lifecycle.ownership import refuse_existing, refuse_locked, refuse_locked_deletion, refuse_lost
from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.plan.changes import Plan, Update
from ksail_pulumi.plan.ownership import Creation, OwnershipMark

MARK = OwnershipMark("org/shop/dev/west")
OTHER = OwnershipMark("org/shop/prod/west")
TEMPLATE = {omni.ANNOTATION_MANAGED_BY_TEMPLATES: ""}
TERRAFORM = {omni.ANNOTATION_MANAGED_BY_GITOPS: "Terraform"}
LOCKED = {omni.ANNOTATION_CLUSTER_LOCKED: ""}


def cluster(**annotations: str) -> Resource:
    return Resource(omni.CLUSTER, "west", specs_pb2.ClusterSpec(), annotations=annotations)


@pytest.mark.parametrize(
    ("annotations", "whose"),
    [
        ({}, "created manually or in Omni's UI"),
        (OTHER.annotations(), "the Pulumi resource org/shop/prod/west"),
        (TEMPLATE, "an omnictl cluster template"),
        (TERRAFORM, "Terraform"),
    ],
)
def test_create_refuses_a_cluster_of_somebody_else_and_says_how_to_take_it_over(
    annotations: dict[str, str], whose: str
) -> None:
    with pytest.raises(ForeignClusterError) as raised:
        refuse_existing(cluster(**annotations), MARK)
    assert whose in str(raised.value)
    assert "ResourceOptions(import_='west')" in str(raised.value)


def begun(**changes: Any) -> Resource:
    """A cluster that this resource has begun to create."""
    return replace(Creation.begin(), **changes).on(cluster(**MARK.annotations()))


LONG_AGO = datetime.now(UTC) - timedelta(minutes=3)
NO_PROCESS = 2**22 + 1
"""Greater than any process ID of Linux."""


def test_create_continues_what_this_resource_has_begun() -> None:
    refuse_existing(begun(), MARK)
    refuse_existing(begun(process=NO_PROCESS), MARK)
    refuse_existing(begun(done=True, process=1), MARK)
    refuse_existing(begun(by="somebody@elsewhere", at=LONG_AGO), MARK)


def test_create_refuses_what_this_resource_has_finished() -> None:
    with pytest.raises(ForeignClusterError, match=r"was created by this resource .*import_='west'"):
        refuse_existing(cluster(**MARK.annotations()), MARK)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"by": "somebody@elsewhere"}, "is being created by somebody@elsewhere, last seen at .* UTC"),
        ({"process": os.getppid()}, "is being created by"),
        ({"machine": "another container with the same name"}, "is being created by"),
        ({"by": "somebody@elsewhere", "done": True, "at": LONG_AGO}, "import it"),
    ],
)
def test_create_refuses_what_somebody_is_at_work_on_or_may_have(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ForeignClusterError, match=says):
        refuse_existing(begun(**changes), MARK)


def test_a_creation_that_has_ended_is_not_continued_where_a_replacement_creates_first() -> None:
    """The engine would delete it right after, if a state has it."""
    with pytest.raises(ForeignClusterError, match="delete_before_replace"):
        refuse_existing(begun(by="somebody@elsewhere", at=LONG_AGO), MARK, create_first=True)
    with pytest.raises(ForeignClusterError):
        refuse_existing(begun(done=True), MARK, create_first=True)


def test_nothing_is_continued_without_a_urn() -> None:
    with pytest.raises(ForeignClusterError):
        refuse_existing(begun(), MARK, resumable=False)


@pytest.mark.parametrize("annotations", [{}, MARK.annotations(), TEMPLATE | MARK.annotations()])
def test_what_was_ours_stays_ours_as_long_as_nobody_else_claims_it(annotations: dict[str, str]) -> None:
    refuse_lost(cluster(**annotations), MARK, "delete")


@pytest.mark.parametrize("annotations", [OTHER.annotations(), TEMPLATE, TERRAFORM])
def test_what_somebody_else_has_taken_over_is_left_alone(annotations: dict[str, str]) -> None:
    with pytest.raises(ForeignClusterError, match="does not delete it"):
        refuse_lost(cluster(**annotations), MARK, "delete")


def test_a_locked_cluster_is_neither_changed_nor_deleted() -> None:
    locked = cluster(**LOCKED)
    patch = Resource(omni.CONFIG_PATCH, "p", specs_pb2.ConfigPatchSpec())
    with pytest.raises(LifecycleError, match="is locked and cannot be changed"):
        refuse_locked(locked, Plan(creates=(patch,)))
    with pytest.raises(LifecycleError, match="omnictl cluster unlock west"):
        refuse_locked_deletion(locked)


def test_a_locked_cluster_that_needs_no_change_is_no_problem() -> None:
    refuse_locked(cluster(**LOCKED), Plan())
    refuse_locked(None, Plan())


def test_unlocking_is_a_change_that_a_locked_cluster_allows() -> None:
    refuse_locked(cluster(**LOCKED), Plan(updates=(Update(cluster(**LOCKED), cluster()),)))
