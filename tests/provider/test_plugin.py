"""The plugin `ksail` as a process of its own: its schema, and components that programs in other languages declare."""

import json
import os
import subprocess
import sys

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi import Output
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from ksail_pulumi.errors import SettingsError
from ksail_pulumi.formats.schema import args_schema
from ksail_pulumi.provider.plugin.arriving import whole
from ksail_pulumi.provider.plugin.interpreter import refuse_other_interpreter
from ksail_pulumi.provider.plugin.schema import TYPE, schema
from tests.host import ROOT, Engine, environment_of_host
from tests.provider.monitor import Monitor, output

CLUSTER = "pulumi-python:dynamic/ksail:OmniCluster"


@pytest.fixture(scope="module")
def monitor():
    found = Monitor()
    yield found
    found.close()


def started(sdk, engine, folder):
    """The plugin, started as Pulumi starts the folder `plugin`, for a project whose `virtualenv` is that of the SDK."""
    environment = {**environment_of_host(), "PULUMI_RUNTIME_VIRTUALENV": os.path.dirname(os.path.dirname(sdk))}  # noqa: PTH120
    command = [sdk, str(ROOT / "plugin"), engine.address]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)


@pytest.fixture(scope="module")
def stub(sdk, tmp_path_factory):
    engine = Engine()
    process = started(sdk, engine, tmp_path_factory.mktemp("program"))
    channel = grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")
    yield provider_pb2_grpc.ResourceProviderStub(channel)
    channel.close()
    process.kill()
    process.communicate()
    engine.server.stop(None).wait()


def refusal(monitor, stub, inputs, **request):
    """Why a component is refused: as Pulumi shows it without a traceback."""
    with pytest.raises(grpc.RpcError) as refused:
        monitor.construct(stub, inputs, **request)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, refused.value.details()
    return refused.value.details()


def test_the_schema_has_all_inputs_and_outputs(stub):
    served = json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert served["version"] == stub.GetPluginInfo(empty_pb2.Empty()).version
    cluster = served["resources"][TYPE]
    assert set(cluster["inputProperties"]) == {*args_schema()["properties"], "timeouts", "import"}
    assert set(cluster["required"]) == set(cluster["properties"])
    assert {name for name, each in cluster["properties"].items() if each.get("secret")} == {"kubeconfig", "talosconfig"}
    assert {"name", "kubernetesVersion", "talosVersion", "clusterUuid", "nodes", "ready"} <= set(cluster["properties"])


def test_the_schema_marks_the_input_that_is_always_a_secret():
    properties = {token: each.get("properties", {}) for token, each in schema()["types"].items()}
    marked = [(token, name) for token, found in properties.items() for name in found if found[name].get("secret")]
    assert marked == [("ksail:index:GitOpsSource", "password")]


def test_every_type_is_defined_and_every_property_described():
    served = schema()
    referenced = set()
    described = [*served["types"].values(), *served["resources"].values()]

    def walk(value):
        if isinstance(value, dict):
            referenced.add(value.get("$ref", "").removeprefix("#/types/"))
            list(map(walk, value.values()))
        if isinstance(value, list):
            list(map(walk, value))

    walk(served)
    assert referenced - {"", "pulumi.json#/Any"} == set(served["types"])
    for each in described:
        for properties in (each.get("properties", {}), each.get("inputProperties", {})):
            assert all(found["description"] for found in properties.values())


def test_integers_are_whole_again_at_every_depth():
    assert whole({"a": [3.0, 2.5, True, "3"], "b": {"c": 262144.0}}) == {"a": [3, 2.5, True, "3"], "b": {"c": 262144}}
    assert [type(each) for each in whole([3.0, 2.5, True])] == [int, float, bool]


def test_integers_in_outputs_are_whole_again(loop):
    assert loop.run_until_complete(whole(Output.secret({"a": [3.0]})).future()) == {"a": [3]}


def test_secrets_and_unknown_values_reach_the_cluster_as_such(monitor, stub):
    sysctls = {"kernel.a": output(value="canary", secret=True), "kernel.b": 7.0}
    inputs = {
        "workers": 2.0,
        "patches": [{"name": "a", "inline": {"machine": {"sysctls": sysctls}}}],
        "kernelArgs": ["quiet", output()],
        "labels": output(value={"a": "b"}, dependencies=["urn:pulumi:dev::shop::a:b:C::x"]),
    }
    answer = monitor.construct(stub, inputs, dryRun=True)
    found = monitor.inputs_of(CLUSTER)
    assert (found["name"], found["workers"], found["labels"]) == ("west", 2, {"a": "b"})
    assert rpc.is_rpc_secret(found["patches"])
    assert found["__marked"] == [["patches", 0, "inline", "machine", "sysctls", "kernel.a"]]
    quiet, unknown = found["kernelArgs"]
    assert quiet == "quiet"
    assert isinstance(unknown, Unknown)
    assert found["__owner"] == "acme/shop/dev/west"
    assert answer.urn == f"urn:pulumi:dev::shop::{TYPE}::west"
    assert {"kubeconfig", "nodes", "name"} <= set(answer.state)


def test_options_that_do_not_reach_a_component_are_inputs(monitor, stub):
    monitor.construct(
        stub, {"timeouts": {"create": "45m", "delete": "5m"}, "import": "west"}, ignoreChanges=["workers"]
    )
    found = monitor.registered[CLUSTER]
    assert (found.customTimeouts.create, found.customTimeouts.update, found.customTimeouts.delete) == ("45m", "", "5m")
    assert list(found.ignoreChanges) == ["workers"]
    assert monitor.inputs_of(CLUSTER)["__adopt"] is True


def test_a_cluster_leaves_machines_for_those_before_it(monitor, stub):
    monitor.construct(stub, {"workers": 3.0}, name="before")
    monitor.construct(stub, {})
    earlier = monitor.inputs_of(CLUSTER)["__earlierClusters"].splitlines()
    assert {"name": "before", "workers": 3} in list(map(json.loads, earlier))


def test_the_component_keeps_what_pulumi_hands_down(monitor, stub):
    monitor.construct(stub, {}, protect=True, retainOnDelete=True)
    assert monitor.registered[CLUSTER].protect
    assert monitor.registered[CLUSTER].retainOnDelete


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"wrokers": 1.0}, "wrokers: unknown field; did you mean workers?"),
        ({"name": output(value="canary", secret=True)}, "name: is marked as secret, and cannot be: "),
        ({"timeouts": {"create": "soon"}}, 'timeouts.create: "soon" is not a duration: write it like 720h'),
        ({"timeouts": {"creation": "1h"}}, "timeouts.creation: unknown field; did you mean create?"),
        ({"import": "east", "name": "west2"}, 'name: is "west2", but `import_` imports cluster "east"'),
        ({"patches": [{"file": "none.yaml"}]}, "patches[0].file: failed to access the file: No such file or directory"),
        ({"labels": {"a": 2.0**60}}, "labels.a: is a number that Pulumi cannot send exactly"),
    ],
)
def test_a_mistake_names_the_field_and_shows_no_traceback(monitor, stub, inputs, reason):
    shown = refusal(monitor, stub, inputs)
    assert shown.startswith(reason)
    assert "Traceback" not in shown
    assert "canary" not in shown


def test_the_plugin_ends_with_the_engine_that_reads_its_output(sdk, tmp_path):
    engine = Engine()
    process = started(sdk, engine, tmp_path)
    try:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        engine.server.stop(None).wait()


def test_another_type_is_refused(monitor, stub):
    shown = refusal(monitor, stub, {}, type="ksail:index:Cluster")
    assert shown == "unknown type: the plugin ksail has only ksail:index:KSailCluster"


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"PULUMI_RUNTIME_VIRTUALENV": "venv"}, "venv/bin/python, which does not exist"),
        ({"PULUMI_RUNTIME_TOOLCHAIN": "uv"}, ".venv/bin/python, which does not exist"),
        ({"PULUMI_PYTHON_CMD": "python4"}, "python4, which does not exist"),
        ({"PATH": "other"}, "other/python3, which does not have the package ksail-pulumi"),
    ],
)
def test_an_interpreter_without_this_package_is_named_before_pulumi_starts_it(
    monkeypatch, tmp_path, environment, command
):
    other = tmp_path / "other" / "python3"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for name in ("PULUMI_RUNTIME_VIRTUALENV", "PULUMI_RUNTIME_TOOLCHAIN", "PULUMI_PYTHON_CMD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        refuse_other_interpreter()
    assert str(refused.value) == (
        f"Pulumi starts the provider of clusters with {command}. Name the virtual environment with ksail-pulumi in "
        f"Pulumi.yaml, under runtime.options: `virtualenv: {sys.prefix}`"
    )
