"""The children of a cluster in Pulumi's own provider processes, with a simulated Omni behind them."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from ksail_pulumi.provider import children
from ksail_pulumi.provider.credentials import former, request, see, see_none
from ksail_pulumi.provider.settings import Settings
from ksail_pulumi.simulator.server import Simulator

DIFF_NONE, DIFF_SOME = 1, 2
PICKLED = {
    children.ClusterIdentityProvider: (
        b"\x80\x04\x95A\x00\x00\x00\x00\x00\x00\x00\x8c\x1eksail_pulumi.provider.children\x94"
        b"\x8c\x17ClusterIdentityProvider\x94\x93\x94)\x81\x94."
    ),
    children.KubeconfigProvider: (
        b"\x80\x04\x95<\x00\x00\x00\x00\x00\x00\x00\x8c\x1eksail_pulumi.provider.children\x94"
        b"\x8c\x12KubeconfigProvider\x94\x93\x94)\x81\x94."
    ),
    children.TalosconfigProvider: (
        b"\x80\x04\x95=\x00\x00\x00\x00\x00\x00\x00\x8c\x1eksail_pulumi.provider.children\x94"
        b"\x8c\x13TalosconfigProvider\x94\x93\x94)\x81\x94."
    ),
}


def plain(outputs):
    """Outputs as the engine hands them back: secrets are plain text."""
    return {
        key: value["secret"] if isinstance(value, dict) and set(value) == {"secret"} else value
        for key, value in outputs.items()
    }


@pytest.fixture(scope="module")
def simulator():
    with Simulator(machines=2) as omni:
        yield omni


@pytest.fixture
def start(start_process, simulator):
    """Start a provider process of a kind of child."""

    def start(kind, key=""):
        process = start_process(serialize_provider(kind()))
        process.configure(
            {"omni:endpoint": simulator.endpoint, "omni:serviceAccountKey": key or simulator.service_account_key}
        )
        return process

    return start


@pytest.fixture(scope="module")
def cluster(simulator, module_client):
    """The inputs of a credential for a cluster that exists."""
    created = module_client.create("west")
    return {"name": "west", "clusterUuid": created.cluster_uuid, "__connection": {}}


@pytest.fixture(scope="module")
def module_client(simulator):
    from ksail_pulumi.omni.channel import Connection
    from ksail_pulumi.omni.client import connect
    from tests.lifecycle.conftest import Lab

    client = connect(Connection(simulator.endpoint, simulator.service_account_key))

    class Made:
        def create(self, name):
            return Lab(client, name).create(waitFor="none")

    yield Made()
    client.close()


@pytest.mark.parametrize("kind", PICKLED)
def test_the_providers_are_stored_by_their_names_for_ever(kind):
    assert base64.b64decode(serialize_provider(kind())) == PICKLED[kind]
    assert kind.serialize_as_secret_always is False


def test_the_identity_is_the_uuid_of_the_cluster_and_stays(start, cluster):
    provider = start(children.ClusterIdentityProvider)
    asked = {"name": "west", "__connection": {}}
    id_, outputs = provider.create(asked)
    assert (id_, outputs["clusterUuid"]) == ("west", cluster["clusterUuid"])
    assert provider.diff("west", outputs, asked).changes == DIFF_NONE
    assert list(provider.diff("west", outputs, {**asked, "name": "east"}).replaces) == ["name"]
    moved = {**asked, "__connection": {"endpoint": "https://other.example"}}
    assert provider.diff("west", outputs, moved).changes == DIFF_NONE


def test_a_kubeconfig_is_kept_until_other_options_are_asked_for(start, cluster):
    provider = start(children.KubeconfigProvider)
    asked = {**cluster, "options": {"ttl": "24h"}}
    _, outputs = provider.create(asked)
    assert "apiVersion: v1" in outputs["kubeconfig"]["secret"]
    state = plain(outputs)
    assert provider.diff("west", state, asked).changes == DIFF_NONE

    longer = {**cluster, "options": {"ttl": "24h", "renewBefore": "1h"}}
    assert provider.diff("west", state, longer).changes != DIFF_NONE
    assert provider.update("west", state, longer)["kubeconfig"] == outputs["kubeconfig"]
    other = {**cluster, "options": {"user": "ci"}}
    assert provider.update("west", state, other)["kubeconfig"] != outputs["kubeconfig"]

    _, found, _ = provider.read("west", state)
    assert found["kubeconfig"] == outputs["kubeconfig"]
    assert list(provider.diff("west", state, {**asked, "clusterUuid": "another"}).replaces) == ["clusterUuid"]


def ending(ends_in):
    """A kubeconfig that was made thirty days ago."""
    now = datetime.now(UTC)
    claims = {"iat": (now - timedelta(days=30)).timestamp(), "exp": (now + ends_in).timestamp()}
    token = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"users:\n- name: u\n  user:\n    token: e30.{token}.x\n"


@pytest.mark.parametrize(
    ("days", "options", "changes"),
    [(20, {}, DIFF_NONE), (6, {}, DIFF_SOME), (-1, {}, DIFF_SOME), (6, {"renewBefore": "24h"}, DIFF_NONE)],
)
def test_a_kubeconfig_that_is_about_to_expire_is_renewed_and_the_reason_shown(
    start, cluster, engine, days, options, changes
):
    provider = start(children.KubeconfigProvider)
    asked = {**cluster, "options": options}
    state = {**asked, "kubeconfig": ending(timedelta(days=days))}
    assert provider.diff("west", state, asked).changes == changes
    shown = [text for text in engine.texts() if f"the kubeconfig expires on {datetime.now(UTC):%Y-}" in text]
    assert len(shown) == (changes == DIFF_SOME) or days == 20
    if changes == DIFF_SOME:
        assert "kind: Config" in provider.update("west", state, asked)["kubeconfig"]["secret"]


def test_a_talosconfig_can_be_left_out(start, cluster):
    provider = start(children.TalosconfigProvider)
    _, outputs = provider.create(cluster)
    assert "context: " in outputs["talosconfig"]["secret"]
    without = {**cluster, "enabled": False}
    assert provider.diff("west", plain(outputs), without).changes != DIFF_NONE
    assert "talosconfig" not in provider.update("west", plain(outputs), without)


@pytest.mark.parametrize("kind", [children.KubeconfigProvider])
def test_a_role_that_may_not_request_credentials_is_named(start, cluster, simulator, failed, kind):
    provider = start(kind, key=simulator.issue_key("reader", role="Reader"))
    with pytest.raises(failed) as refused:
        provider.create(cluster)
    assert "service account 'reader' may not create a kubeconfig for cluster 'west'" in refused.value.message
    assert "Operator" in refused.value.message
    assert "Traceback" not in refused.value.message


def test_a_credential_of_an_earlier_release_is_taken_over_for_the_same_cluster_only():
    settings = Settings(endpoint="https://earlier.example")
    stored = {"clusterUuid": "u-1", "kubeconfig": "k", "talosconfig": "t", "kubeconfigOptions": {"ttl": "24h"}}
    see(settings, {"name": "west"}, stored)
    see(settings, {"name": "west"}, {"clusterUuid": "u-1"})  # after an update
    asked = {"name": "west", "clusterUuid": "u-1", "options": {"ttl": "24h"}}
    assert request(settings, "talosconfig", asked, former(settings, asked))["talosconfig"]["value"] == "t"
    see_none(settings, {"name": "west"})
    see(settings, {"name": "west"}, {"clusterUuid": "u-2"})  # after a replacement
    assert former(settings, asked) == {}
