"""Resources other than clusters that move to another Omni, in Pulumi's own provider process with two Omnis."""

from dataclasses import replace

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.lifecycle.create import create
from ksail_pulumi.lifecycle.session import Deadline, Session
from ksail_pulumi.model.parse import parse_cluster
from ksail_pulumi.omni.channel import Connection
from ksail_pulumi.omni.client import connect
from ksail_pulumi.omni.resources import (
    CLUSTER,
    ETCD_BACKUP,
    LABEL_CLUSTER,
    MACHINE_CLASS,
    MACHINE_LABELS,
    MACHINE_SET,
    Resource,
)
from ksail_pulumi.plan.ownership import OwnershipMark
from ksail_pulumi.provider.cluster import OmniClusterProvider
from ksail_pulumi.provider.etcd_backup import EtcdBackupProvider
from ksail_pulumi.provider.machine_class import MachineClassProvider
from ksail_pulumi.provider.machine_config import MachineConfigProvider
from ksail_pulumi.simulator.server import Simulator
from tests.host import said

TYPE = "urn:pulumi:dev::shop::pulumi-python:dynamic/ksail"
CLASS, CONFIG, BACKUP = f"{TYPE}:MachineClass::it", f"{TYPE}:MachineConfig::it", f"{TYPE}:EtcdBackup::it"
HIDDEN = {"__owner": "organization/shop/dev/it", "__preview": True}
CREATE_FIRST = {**HIDDEN, "__createFirst": True}


@pytest.fixture
def simulator():
    with Simulator(machines=1) as omni:
        yield omni


@pytest.fixture
def other(request):
    """Another Omni, whose machine has the same ID, unless a test asks for another seed."""
    with Simulator(machines=1, seed=getattr(request, "param", 0)) as omni:
        yield omni


@pytest.fixture
def there(other):
    found = connect(Connection(other.endpoint, other.service_account_key))
    yield found
    found.close()


@pytest.fixture
def start(start_process, simulator, other):
    """Start the process with a provider that is configured for one Omni and has a key for the other."""

    def started(provider, **environment):
        process = start_process(
            serialize_provider(provider), environment={"OTHER_KEY": other.service_account_key, **environment}
        )
        process.configure({"omni:serviceAccountKey": simulator.service_account_key})
        return process

    return started


@pytest.fixture
def here(simulator):
    return {"endpoint": simulator.endpoint}


@pytest.fixture
def moved(other):
    return {"endpoint": other.endpoint, "serviceAccountKeyEnvVar": "OTHER_KEY"}


def move(provider, urn, hidden, before, after):
    """Replace a resource as the engine does: check, diff, check without the old inputs, create and delete."""
    olds, failures = provider.check({**hidden, **before}, urn=urn)
    assert failures == {}
    id_, outputs = provider.create(olds, urn=urn)
    news, failures = provider.check({**hidden, **after}, olds, urn=urn)
    assert said(failures) == ""
    assert list(provider.diff(id_, outputs, news, urn=urn).replaces) == ["endpoint"]
    news, failures = provider.check({**hidden, **after}, urn=urn)
    assert said(failures) == ""
    if "__createFirst" not in hidden:
        provider.delete(id_, outputs, urn=urn)
    made = provider.create(news, urn=urn)
    if "__createFirst" in hidden:
        provider.delete(id_, outputs, urn=urn)
    return made


@pytest.mark.parametrize("hidden", [HIDDEN, CREATE_FIRST], ids=["deletes first", "creates first"])
def test_a_machine_class_moves(start, client, there, here, moved, hidden):
    asked = {"name": "big", "matchLabels": ["size = big"]}
    move(start(MachineClassProvider()), CLASS, hidden, {**asked, **here}, {**asked, **moved})
    assert client.state.find(MACHINE_CLASS, "big") is None
    assert there.state.get(MACHINE_CLASS, "big").annotations["ksail-pulumi/owner"] == HIDDEN["__owner"]


def test_a_class_that_is_in_use_in_the_omni_that_it_leaves_is_warned_of(start, simulator, engine, here, moved):
    provider = start(MachineClassProvider())
    asked = {**CREATE_FIRST, "name": "big", "matchLabels": ["size = big"]}
    olds, _ = provider.check({**asked, **here}, urn=CLASS)
    provider.create(olds, urn=CLASS)
    spec = MACHINE_SET.spec()
    spec.machine_allocation.name = "big"
    simulator.store.create(Resource(MACHINE_SET, "west-workers", spec, {LABEL_CLUSTER: "west"}))
    engine.clear()
    _, failures = provider.check({**asked, **moved}, olds, urn=CLASS)
    assert failures == {}
    assert engine.texts("WARNING") == [
        "machine class big will be deleted, and Omni refuses that while machine sets use it. In use by: west-workers "
        "of cluster west"
    ]


@pytest.mark.parametrize("hidden", [HIDDEN, CREATE_FIRST], ids=["deletes first", "creates first"])
def test_a_machine_class_that_exists_in_the_other_omni_is_taken_over_by_its_import(
    start, client, there, here, moved, hidden
):
    asked = {"name": "big", "matchLabels": ["size = big"]}
    for omni in (client, there):
        omni.state.create(Resource(MACHINE_CLASS, "big", MACHINE_CLASS.spec(match_labels=["theirs"])))
    hidden = {**hidden, "__adopt": True}
    move(start(MachineClassProvider()), CLASS, hidden, {**asked, **here}, {**asked, **moved})
    assert client.state.find(MACHINE_CLASS, "big") is None
    assert there.state.get(MACHINE_CLASS, "big").annotations["ksail-pulumi/owner"] == HIDDEN["__owner"]


def test_the_settings_of_a_machine_move(start, simulator, client, there, here, moved):
    machine = simulator.machines[0].id
    there.state.modify(MACHINE_LABELS, machine, lambda found: found)
    asked = {"machineId": machine, "labels": {"zone": "b"}}
    move(start(MachineConfigProvider()), CONFIG, CREATE_FIRST, {**asked, **here}, {**asked, **moved})
    assert client.state.get(MACHINE_LABELS, machine).labels == {}
    assert there.state.get(MACHINE_LABELS, machine).labels == {"zone": "b"}


def test_a_backup_is_taken_in_the_other_omni_too(start, client, there, here, moved):
    for omni in (client, there):
        spec, mark = parse_cluster({"name": "west"}), OwnershipMark("organization/shop/dev/west")
        create(spec, mark, Session(omni, Deadline.after(60)))
    move(
        start(EtcdBackupProvider()),
        BACKUP,
        CREATE_FIRST,
        {"cluster": "west", "triggers": ["1"], **here},
        {"cluster": "west", "triggers": ["1"], **moved},
    )
    for omni in (client, there):
        assert len(omni.state.list(ETCD_BACKUP, {LABEL_CLUSTER: "west"})) == 1


@pytest.mark.parametrize("named", [True, False], ids=["endpoint in the program before", "no endpoint"])
@pytest.mark.parametrize("kind", ["class", "config", "backup"])
def test_only_an_endpoint_in_the_program_moves_a_resource(
    start, simulator, other, client, there, here, failed, kind, named
):
    """As where OMNI_ENDPOINT is another one than in the `up` before."""
    machine = simulator.machines[0].id
    provider, urn, noun, asked, field, first, second = {
        "class": (MachineClassProvider, CLASS, "machine class 'big'", {"name": "big"}, "matchLabels", ["a"], ["b"]),
        "config": (
            MachineConfigProvider,
            CONFIG,
            "machine confi",
            {"machineId": machine},
            "labels",
            {"a": ""},
            {"b": ""},
        ),
        "backup": (EtcdBackupProvider, BACKUP, "etcd backup 'west-", {"cluster": "west"}, "triggers", [1], [2]),
    }[kind]
    if kind == "backup":
        create(parse_cluster({"name": "west"}), OwnershipMark("shop"), Session(client, Deadline.after(60)))
    asked = {**CREATE_FIRST, **asked}
    process = start(provider(), OMNI_ENDPOINT=simulator.endpoint)
    olds, _ = process.check({**asked, field: first, **(here if named else {})}, urn=urn)
    id_, outputs = process.create(olds, urn=urn)

    process = start(provider(), OMNI_ENDPOINT=other.endpoint)
    process.configure({"omni:serviceAccountKey": other.service_account_key})
    reason = f"is in Omni at {simulator.endpoint}, and this is Omni at {other.endpoint}. Set `omni:endpoint` or "
    news, failures = process.check({**asked, field: second}, olds, urn=urn)
    if named and kind != "backup":  # before that, only `diff` knows its ID, and what an environment was
        assert said(failures).startswith(f"endpoint: {noun}")
        assert reason in said(failures)
    with pytest.raises(failed) as refused:
        process.diff(id_, outputs, news, urn=urn)
    assert refused.value.message.startswith(noun)
    assert reason in refused.value.message


@pytest.mark.parametrize("other", [1], indirect=True)
def test_a_cluster_that_exists_in_the_other_omni_is_taken_over_by_its_import(start, client, there, here, moved):
    spec, mark = parse_cluster({"name": "west"}), OwnershipMark("organization/bank/dev/west")
    for omni in (client, there):
        create(spec, mark, Session(omni, Deadline.after(60)))
        omni.state.modify(CLUSTER, "west", lambda found: replace(found, annotations={}))
    urn, hidden = f"{TYPE}:OmniCluster::it", {**HIDDEN, "__adopt": True}
    move(start(OmniClusterProvider()), urn, hidden, {"name": "west", **here}, {"name": "west", **moved})
    assert client.state.find(CLUSTER, "west") is None
    assert there.state.get(CLUSTER, "west").annotations["ksail-pulumi/owner"] == HIDDEN["__owner"]
