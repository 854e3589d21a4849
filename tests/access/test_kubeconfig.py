"""Contexts in kubeconfigs."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import pytest
import yaml

from ksail_pulumi.access.kubeconfig import Context, holds, merged, without
from ksail_pulumi.access.plugin import Plugin
from ksail_pulumi.errors import ConfigFileError, UnsupportedError
from ksail_pulumi.goyaml.read import parse_documents

SERVER = "https://omni.example:8095"

OTHERS = """\
apiVersion: v1
kind: Config
future-field: {a: yes, b: 22:30}
preferences:
  colors: true
contexts:
- name: prod
  context: {cluster: prod, user: prod, namespace: shop}
- context:
    cluster: dev
    user: dev
  name: dev
current-context: prod
users:
- name: prod
  user:
    password: '0123'
- name: dev
  user: {exec: {command: aws, args: [eks], env: null}}
clusters:
- {name: prod, cluster: {server: https://prod, certificate-authority-data: QUJD}}
- name: dev
  cluster:
    server: https://dev
    extensions:
    - {name: minikube, extension: {last-update: 2026-01-01}}
"""


def token(cluster="west", uuid="u-1", **claims):
    parts = ({"alg": "HS256"}, {"cluster": cluster, "cluster_uuid": uuid, **claims}, {"signature": True})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def context(name="admin@west", **claims):
    return Context(name, {"server": SERVER}, {"token": token(**claims)}, {"namespace": "default"})


def exec_context(uuid="u-1"):
    plugin = Plugin("west", "https://omni.example", uuid, key_variable="KEY", groups=("a", "b"), ttl="2h")
    return Context("admin@west", {"server": SERVER}, plugin.user_entry(), {"namespace": "default"})


def omnis(cluster="west"):
    name = f"acme-{cluster}-pulumi"
    return yaml.safe_dump(
        {
            "clusters": [{"cluster": {"server": SERVER}, "name": name}],
            "contexts": [{"context": {"cluster": name, "namespace": "default", "user": name}, "name": name}],
            "current-context": name,
            "users": [{"name": name, "user": {"token": token(cluster)}}],
        }
    )


def as_go_reads(text):
    (document,) = parse_documents(text, "config")
    return document.value


def names(text, key):
    return [item["name"] for item in yaml.safe_load(text)[key]]


def test_the_current_context_of_omnis_kubeconfig_is_read_and_renamed():
    found = Context.current(omnis())
    assert found.target == (SERVER, "west", "u-1")
    renamed = yaml.safe_load(Context("mine", found.cluster, found.user, found.chosen).text())
    assert renamed["current-context"] == "mine"
    assert renamed["contexts"] == [
        {"name": "mine", "context": {"cluster": "mine", "namespace": "default", "user": "mine"}}
    ]
    assert renamed["users"][0]["user"] == {"token": token()}


@pytest.mark.parametrize("text", ["", "current-context: a", "contexts: [{name: a, context: {cluster: c, user: u}}]"])
def test_another_form_than_omnis_is_reported(text):
    with pytest.raises(UnsupportedError, match="another form than expected"):
        Context.current(text)


@pytest.mark.parametrize("made", [context(), exec_context()])
@pytest.mark.parametrize("text", ["", OTHERS, "---\n" + OTHERS, json.dumps(yaml.safe_load(OTHERS), default=str)])
def test_merging_and_removing_leaves_everything_else_as_it_is(text, made):
    after = merged(text, "config", made)
    assert holds(after, "config", made)
    assert not holds(text, "config", made)
    assert merged(after, "config", made) == after
    left = as_go_reads(without(after, "config", made))
    if text:
        assert left == as_go_reads(text)
        assert list(left) == list(as_go_reads(text))
        assert yaml.safe_load(after)["current-context"] == "prod"
    else:
        assert yaml.safe_load(after)["current-context"] == "admin@west"
        assert left["current-context"] == ""


def test_values_keep_their_meaning_and_entries_their_order():
    after = merged(OTHERS, "config", context())
    for spelled in ("a: yes", "b: '22:30'", "last-update: 2026-01-01", "password: '0123'", "env: null"):
        assert spelled in after
    assert names(after, "contexts") == ["prod", "dev", "admin@west"]
    again = merged(after, "config", context(exp=1))
    assert names(again, "users") == ["prod", "dev", "admin@west"]


def test_the_current_context_changes_only_on_request():
    assert yaml.safe_load(merged(OTHERS, "c", context(), current=True))["current-context"] == "admin@west"


def test_a_namespace_that_somebody_has_chosen_stays():
    chosen = merged(OTHERS, "config", context()).replace("namespace: default", "namespace: shop-2")
    assert holds(chosen, "config", context())
    assert "namespace: shop-2" in merged(chosen, "config", context(exp=1))


def test_a_context_of_the_same_cluster_is_overwritten_also_after_its_replacement():
    before = merged(OTHERS, "config", context(uuid="u-0"))
    assert holds(merged(before, "config", exec_context()), "config", exec_context())


@pytest.mark.parametrize(
    "other",
    [
        context(cluster="east"),
        Context("admin@west", {"server": "https://elsewhere"}, {"token": token()}),
        Context("admin@west", {"server": SERVER}, {"username": "me"}),
    ],
)
def test_a_context_of_another_cluster_is_neither_overwritten_nor_removed(other):
    text = merged(OTHERS, "config", other)
    with pytest.raises(ConfigFileError) as refused:
        merged(text, "config", context())
    assert str(refused.value).startswith('config:13: contexts[2]: context "admin@west" leads to another cluster: ')
    assert without(text, "config", context()) == text


def test_what_another_context_uses_is_not_overwritten():
    text = OTHERS.replace("user: prod", "user: admin@west").replace("name: prod\n  user", "name: admin@west\n  user")
    with pytest.raises(ConfigFileError, match="leads to another cluster"):
        merged(text, "config", context())


def test_a_context_that_was_changed_by_hand_is_noticed():
    after = merged(OTHERS, "config", context())
    assert not holds(after.replace(token(), "other"), "config", context())
    assert not holds(after.replace("cluster: admin@west", "cluster: dev"), "config", context())
    assert not holds(without(after, "config", context()), "config", context())


@pytest.mark.parametrize("made", [context(), exec_context()])
def test_the_context_of_a_replaced_cluster_does_not_go_with_the_former_one(made):
    text = merged(OTHERS, "config", made)
    assert without(text, "config", context(uuid="u-0")) == text
    assert without(text, "config", exec_context(uuid="u-0")) == text


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("a: [\n", "config:2: invalid YAML"),
        ("a: 1\na: 2\n", "config:2: duplicate key a"),
        ("- a\n", "config:1: expected a mapping"),
        ("a: 1\n---\nb: 2\n", "config:3: expected one document, not several"),
        ("kind: Config\ncontexts: []\nusers: x\n", "config:3: users: should be a list"),
        ("clusters:\n- a\n", "config:2: clusters[0]: should be a mapping"),
    ],
)
def test_a_broken_file_is_reported_with_its_line(text, reported):
    for change in (merged, without):
        with pytest.raises(ConfigFileError) as broken:
            change(text, "config", context())
        assert str(broken.value).startswith(reported)


def test_no_repr_shows_a_token():
    assert token() not in repr(context())


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("made", [context(), exec_context()])
def test_kubectl_reads_and_rewrites_what_we_write(made, tmp_path):
    file = tmp_path / "config"
    file.write_text(merged(OTHERS.replace("future-field: {a: yes, b: 22:30}\n", ""), "config", made))

    def kubectl(*arguments):
        command = ["kubectl", "config", "--kubeconfig", str(file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert kubectl("get-contexts", "-o", "name").split() == ["admin@west", "dev", "prod"]
    kubectl("use-context", "admin@west")
    kubectl("set-context", "--current", "--namespace", "shop-2")
    assert holds(file.read_text(), str(file), made)
    file.write_text(without(file.read_text(), str(file), made))
    assert kubectl("get-contexts", "-o", "name").split() == ["dev", "prod"]
