from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.ksail.write import ksail_project
from ksail_pulumi.model.parse import parse_cluster, to_wire

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = (f"{number}0000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
VERSIONS = {"talosVersion": "1.13.8", "kubernetesVersion": "1.36.3"}
ENDPOINT = "https://acme.omni.siderolabs.io"
WHICH_MACHINES = (
    "the machines of the cluster are left out: ksail.yaml supports one list of machines, or one machine class of a "
    "fixed size, for control plane and workers together"
)
DATA = {"machine": {"sysctls": {"a.b": "1"}}}


def cluster(**inputs: Any) -> dict[str, Any]:
    return {"name": "shop", **VERSIONS, "controlPlane": {"machines": [ONE]}, **inputs}


def read_again(folder: Path, inputs: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The inputs that the written project has, and what was said about it."""
    project = ksail_project(inputs, ENDPOINT)
    for name, text in project.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    config = load_ksail(folder / "ksail.yaml", {})
    assert config.endpoint == ENDPOINT
    assert config.warnings == ()
    return to_wire(parse_cluster(config.spec)), project.unsaid


@pytest.mark.parametrize(
    "inputs",
    [
        cluster(),
        cluster(workers=[{"machines": [THREE, TWO]}]),
        cluster(addons={"cni": "calico", "metricsServer": True, "policyEngine": "gatekeeper", "csi": "local-path"}),
        cluster(
            controlPlane={"machineClass": {"name": "any", "size": 3}},
            workers=[{"machineClass": {"name": "any", "size": 2}}],
        ),
        cluster(controlPlane={"machineClass": {"name": "any", "size": 1}}),
        cluster(
            controlPlane={"machines": [ONE], "patches": [{"name": "b", "inline": "machine: {}\n---\nkind: X\n"}]},
            workers=[{"machines": [TWO], "patches": [{"name": "c", "inline": "# why\n\nmachine: {}\n"}]}],
            patches=[{"name": "a", "inline": "machine: {}\n"}, {"name": "b", "inline": "cluster: {}\n"}],
        ),
    ],
    ids=["one machine", "machines", "add-ons", "classes", "only a control plane by class", "patches"],
)
def test_what_ksail_can_say_comes_back_unchanged(tmp_path, inputs):
    read, unsaid = read_again(tmp_path, inputs)
    assert unsaid == []
    assert read == to_wire(parse_cluster(inputs))


def test_data_is_written_as_omni_holds_it(tmp_path):
    read, _ = read_again(tmp_path, cluster(patches=[{"name": "a", "inline": DATA}]))
    assert read["patches"] == [{"name": "a", "inline": 'machine:\n    sysctls:\n        a.b: "1"\n'}]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"addons": {"cni": "none"}}, "addons.cni is left out: ksail.yaml has no field for it"),
        (
            {
                "addons": {
                    "certManager": {"url": "https://example.com/a.yaml"},
                    "csi": {"name": "local-path", "version": "1.2"},
                }
            },
            "addons.certManager is left out: ksail.yaml has no field for it\n"
            "addons.csi.version is left out: ksail.yaml has no field for it",
        ),
        ({"labels": {"a": "b"}}, "labels is left out: ksail.yaml has no field for it"),
        ({"systemExtensions": []}, "systemExtensions is left out: ksail.yaml has no field for it"),
        ({"machines": {ONE: {"locked": True}}}, f"machines.{ONE}.locked is left out: ksail.yaml has no field for it"),
        (
            {"controlPlane": {"machines": [ONE], "kernelArgs": ["a"]}},
            "controlPlane.kernelArgs is left out: ksail.yaml has no field for it",
        ),
        (
            {"workers": [{"name": "gpu", "machines": [THREE]}, {"machines": [TWO], "labels": {"a": "b"}}]},
            'workers[0] ("gpu") is left out: KSail has only the default set of workers\n'
            "workers[1].labels is left out: ksail.yaml has no field for it",
        ),
        (
            {"workers": [{"machineClass": {"name": "any", "size": 2}}]},
            WHICH_MACHINES,
        ),
        (
            {
                "controlPlane": {"machineClass": {"name": "any", "size": 1}},
                "workers": [{"machineClass": {"name": "any", "size": "unlimited"}}],
            },
            WHICH_MACHINES,
        ),
        (
            {"patches": [{"name": "a", "idOverride": "x", "inline": DATA}]},
            "patches[0].idOverride is left out: ksail.yaml has no field for it",
        ),
        ({"patches": [{"name": "dir/a.yaml", "inline": DATA}]}, "patches[0] is renamed to dir-a"),
        ({"patches": [{"name": "../../a", "inline": DATA}]}, "patches[0] is renamed to -..-a"),
        ({"patches": [{"name": "cluster-name", "inline": DATA}]}, "patches[0] is renamed to cluster-name-patch"),
        (
            {"patches": [{"name": "b", "inline": DATA}, {"name": "a", "inline": DATA}]},
            "patches[0] is renamed to 00-b\npatches[1] is renamed to 01-a",
        ),
        (
            {"patches": [{"name": "a", "inline": DATA}, {"name": "a", "inline": DATA}]},
            "patches[0] is renamed to 00-a\npatches[1] is renamed to 01-a",
        ),
        (
            {"patches": [{"name": "a", "inline": "machine: {sysctls: {a: '${HOME:-x}'}}\n"}]},
            "patches[0] contains ${…}: KSail would replace it with an environment variable",
        ),
    ],
)
def test_what_ksail_cannot_say_is_told(tmp_path, more, said):
    read, unsaid = read_again(tmp_path, cluster(**more))
    assert "\n".join(unsaid) == said
    assert len(read.get("patches", [])) == len(more.get("patches", []))


def test_the_order_of_patches_stays(tmp_path):
    patches = [{"name": f"p{number}", "inline": DATA} for number in range(12)]
    read, _ = read_again(tmp_path, cluster(patches=patches))
    assert [patch["name"].partition("-")[2] for patch in read["patches"]] == [patch["name"] for patch in patches]


def test_a_name_that_ksail_does_not_take(tmp_path):
    with pytest.raises(InputError, match="DNS-1123"):
        ksail_project(cluster(name="My_Cluster"), ENDPOINT)
