"""A backup of etcd in Pulumi's own provider process, with a simulated Omni behind it."""

import base64
import time

import pytest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.resources import ETCD_BACKUP, LABEL_CLUSTER
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider.etcd_backup import EtcdBackupProvider
from ksail_pulumi.simulator.server import Simulator
from tests.host import said

DIFF_NONE = 1
UNKNOWN = Unknown()
URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail:EtcdBackup::nightly"
OWNER = "organization/shop/dev/nightly"
PICKLED = (
    b"\x80\x04\x95?\x00\x00\x00\x00\x00\x00\x00\x8c!ksail_pulumi.provider.etcd_backup\x94"
    b"\x8c\x12EtcdBackupProvider\x94\x93\x94)\x81\x94."
)


def test_the_provider_is_pickled_by_its_import_path():
    assert base64.b64decode(serialize_provider(EtcdBackupProvider())) == PICKLED


@pytest.fixture
def simulator():
    with Simulator(machines=1) as omni:
        yield omni


@pytest.fixture
def cluster(client):
    spec = parse_cluster({"name": "west"})
    return create(spec, OwnershipMark("organization/shop/dev/west"), Session(client, Deadline.after(60))).cluster_uuid


@pytest.fixture
def provider(start_configured):
    return start_configured(EtcdBackupProvider())


def inputs(**others):
    return {"cluster": "west", "__owner": OWNER, "__createFirst": True, "__preview": True, **others}


def test_a_backup_lives_from_create_to_delete_and_stays_in_omni(provider, client, cluster, engine):
    asked, failures = provider.check(inputs(triggers=["one", 2.0]), urn=URN)
    assert failures == {}
    assert "a backup of etcd of cluster west is taken" in engine.texts()
    id_, outputs = provider.create(asked, urn=URN)
    [stored] = client.state.list(ETCD_BACKUP, {LABEL_CLUSTER: "west"})
    assert id_ == stored.id
    facts = {key: outputs[key] for key in ("clusterUuid", "snapshot", "takenAt", "size")}
    at = stored.spec.created_at.ToDatetime()
    assert facts == {
        "clusterUuid": cluster,
        "snapshot": stored.spec.snapshot,
        "takenAt": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "size": stored.spec.size,
    }
    assert provider.diff(id_, outputs, asked, urn=URN).changes == DIFF_NONE
    assert provider.read(id_, outputs, urn=URN) == (id_, outputs, asked)

    other, failures = provider.check(inputs(triggers=["one", 3.0]), asked, urn=URN)
    assert failures == {}
    differs = provider.diff(id_, outputs, other, urn=URN)
    assert (list(differs.replaces), differs.deleteBeforeReplace) == (["triggers"], False)
    time.sleep(1)  # Omni counts backups in seconds
    second, _ = provider.create(other, urn=URN)
    provider.delete(id_, outputs, urn=URN)
    assert {each.id for each in client.state.list(ETCD_BACKUP, {LABEL_CLUSTER: "west"})} == {id_, second}


def test_another_cluster_is_another_backup_and_another_key_is_not(provider, cluster):
    asked, _ = provider.check(inputs(), urn=URN)
    id_, outputs = provider.create(asked, urn=URN)
    assert list(provider.diff(id_, outputs, {**asked, "cluster": "east"}, urn=URN).replaces) == ["cluster"]
    more = {**asked, "triggers": {"a": "b"}}
    assert list(provider.diff(id_, outputs, more, urn=URN).replaces) == ["triggers"]
    renamed = {**asked, "__owner": "organization/shop/dev/other"}
    assert provider.diff(id_, outputs, renamed, urn=URN).changes != DIFF_NONE
    assert provider.update(id_, outputs, renamed, urn=URN)["snapshot"] == outputs["snapshot"]


TRIGGERS = {"release": ["1", "a"]}
WARNING = "triggers is not known yet. If it changes, the etcd backup is replaced"


@pytest.mark.parametrize(
    ("triggers", "replaced"),
    [
        (UNKNOWN, False),
        ({"release": UNKNOWN}, False),
        ({"release": ["1", UNKNOWN]}, False),
        ({"release": ["2", UNKNOWN]}, True),
        ({"release": [UNKNOWN]}, True),
        ({"release": ["1", "a"], "more": UNKNOWN}, True),
    ],
)
def test_a_trigger_that_is_not_known_may_replace_the_backup(provider, cluster, engine, triggers, replaced):
    """It is planned as a replacement only if it is one whatever the value is."""
    asked, _ = provider.check(inputs(triggers=TRIGGERS), urn=URN)
    id_, outputs = provider.create(asked, urn=URN)
    engine.clear()
    other, failures = provider.check(inputs(triggers=triggers), asked, urn=URN)
    assert failures == {}
    assert engine.texts("WARNING") == ([] if replaced else [WARNING])
    assert list(provider.diff(id_, outputs, other, urn=URN).replaces) == (["triggers"] if replaced else [])


WRONG = [
    ({"cluster": ""}, "cluster: is required"),
    ({"cluster": None}, "cluster: is required"),
    ({"triggers": "once"}, "triggers: should be a list or a mapping"),
]


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_wrong_inputs_are_refused(provider, given, reason):
    _, failures = provider.check(inputs(**given), urn=URN)
    assert reason in said(failures)


def test_a_cluster_that_is_missing_or_has_no_etcd_cannot_be_backed_up(provider, simulator, client, failed, engine):
    asked, failures = provider.check(inputs(), urn=URN)
    assert failures == {}
    assert "cluster west does not exist in Omni yet: it must exist before the backup is taken" in engine.texts()
    with pytest.raises(failed, match="cluster 'west' not found in Omni at"):
        provider.create(asked, urn=URN)
    simulator.faults.never_join.add(0)
    spec = parse_cluster({"name": "west", "waitFor": "none"})
    create(spec, OwnershipMark("organization/shop/dev/west"), Session(client, Deadline.after(60)))
    with pytest.raises(failed, match="the cluster has no etcd yet"):
        provider.create(asked, urn=URN)


def test_a_backup_that_fails_gives_omni_s_reason(provider, simulator, cluster, failed):
    simulator.faults.failing_backups = True
    asked, _ = provider.check(inputs(), urn=URN)
    with pytest.raises(failed, match="the etcd backup of cluster 'west' failed: failed to upload etcd snapshot"):
        provider.create(asked, urn=URN)


def test_an_omni_without_a_store_refuses_in_the_preview(provider, simulator, cluster):
    simulator.faults.no_backup_store = True
    time.sleep(0.2)
    _, failures = provider.check(inputs(), urn=URN)
    assert said(failures) == "this Omni has no store for etcd backups: its administrator can add one"


def test_get_reads_a_backup_by_its_id(provider, cluster, failed):
    id_, outputs = provider.create(provider.check(inputs(), urn=URN)[0], urn=URN)
    _, got, _ = provider.read(id_, {}, urn=URN)
    assert got == {key: outputs[key] for key in ("cluster", "clusterUuid", "snapshot", "takenAt", "size")}
    with pytest.raises(failed, match="etcd backup 'west-1' not found in Omni at"):
        provider.read("west-1", {}, urn=URN)


def test_a_backup_that_is_gone_leaves_the_state_at_a_refresh(provider, simulator, cluster, failed):
    asked, _ = provider.check(inputs(), urn=URN)
    id_, outputs = provider.create(asked, urn=URN)
    simulator.store.destroy(ETCD_BACKUP, id_, owner="EtcdBackupController")
    assert provider.read(id_, outputs, urn=URN) == ("", {}, {})
    with pytest.raises(failed, match=r"does not exist in Omni at .* Run `pulumi refresh`"):
        provider.update(id_, outputs, {**asked, "__owner": "organization/shop/dev/other"}, urn=URN)


def test_no_trigger_is_shown(provider, engine, cluster):
    asked, _ = provider.check(inputs(triggers={"password": "p4ssw0rd-canary"}), urn=URN)
    provider.create(asked, urn=URN)
    _, failures = provider.check(inputs(triggers="p4ssw0rd-canary"), urn=URN)
    assert not any("p4ssw0rd" in line for line in [*engine.texts(), said(failures)])
