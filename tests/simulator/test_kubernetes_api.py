"""Omni's proxy of the Kubernetes APIs, with the tokens of kubeconfigs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from ksail_pulumi.omni import resources as omni
from ksail_pulumi.omni.api import management_pb2, specs_pb2
from ksail_pulumi.omni.resources import Resource
from ksail_pulumi.simulator.server import Simulator

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}, "data": {}}
PATH = "/api/v1/namespaces/default/configmaps/a"


@pytest.fixture
def call(caller: Any, still: Simulator) -> Callable[..., Any]:
    """Calls the API of a cluster with a token; the status code, or the answer."""
    still.store.put(Resource(omni.CLUSTER_UUID, "web", specs_pb2.ClusterUUID(uuid="u-1")))
    status = specs_pb2.ClusterStatusSpec(kubernetesAPIReady=True)
    still.store.put(Resource(omni.CLUSTER_STATUS, "web", status))
    request = management_pb2.KubeconfigRequest(service_account=True, service_account_user="me")
    request.service_account_ttl.FromTimedelta(timedelta(hours=1))
    config = yaml.safe_load(caller.call("Kubeconfig", request, {"context": "web"}).kubeconfig)
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]

    def call(path: str, patch: Any = None, *, as_: str = token, kind: str = "application/merge-patch+json") -> Any:
        body = None if patch is None else json.dumps(patch).encode()
        headers = {"Authorization": f"Bearer {as_}", "Content-Type": kind}
        request = Request(server + path, body, headers, method="GET" if body is None else "PATCH")
        try:
            with urlopen(request, timeout=10) as response:
                return json.load(response)
        except HTTPError as error:
            return error.code

    return call


def test_objects_are_read_and_patched(call: Any, still: Simulator) -> None:
    assert call(PATH) == 404
    still.kubernetes("web").write(CONFIG_MAP)
    assert call(PATH) == CONFIG_MAP
    assert call(PATH, {"data": {"k": "v"}})["data"] == {"k": "v"}
    assert call(PATH, {"data": {"k": None}})["data"] == {}
    assert call("/api/v1/namespaces/default/configmaps/b", {}) == 404
    assert call(PATH, {}, kind="application/json") == 415


def test_the_kinds_of_a_version_are_listed_those_of_definitions_too(call: Any, still: Simulator) -> None:
    kinds = {each["kind"]: each["name"] for each in call("/apis/networking.k8s.io/v1")["resources"]}
    assert kinds == {"Ingress": "ingresses", "IngressClass": "ingressclasses", "NetworkPolicy": "networkpolicies"}
    assert call("/apis/example.org/v1") == 404
    spec = {"group": "example.org", "names": {"kind": "Gizmo", "plural": "gizmos"}, "versions": [{"name": "v1"}]}
    metadata = {"name": "gizmos.example.org"}
    still.kubernetes("web").write(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": spec,
        }
    )
    assert call("/apis/example.org/v1")["resources"] == [{"name": "gizmos", "kind": "Gizmo", "namespaced": True}]


@pytest.mark.parametrize("path", ["/", "/api", "/apis/apps", "/api/v1/pods/a", "/api/v1/namespaces/x/namespaces/y"])
def test_another_path_is_not_found(path: str, call: Any) -> None:
    assert call(path) == 404


def test_without_a_valid_token_nothing_is_read(call: Any, still: Simulator) -> None:
    assert call(PATH, as_="a.b.c") == 401
    still.store.put(Resource(omni.CLUSTER_UUID, "web", specs_pb2.ClusterUUID(uuid="u-2")))
    assert call(PATH) == 401


def test_without_a_kubernetes_api_the_gateway_is_bad(call: Any, still: Simulator) -> None:
    still.faults.no_kubernetes_proxy = True
    assert call(PATH) == 502
    still.faults.no_kubernetes_proxy = False
    still.store.put(Resource(omni.CLUSTER_STATUS, "web", specs_pb2.ClusterStatusSpec()))
    assert call(PATH) == 502
