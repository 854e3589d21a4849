from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest
import yaml

from ksail_pulumi.cli.app import main
from ksail_pulumi.formats.ksail.read import load_ksail

SEED = [
    "--name",
    "my-omni-cluster",
    "--distribution",
    "Talos",
    "--provider",
    "Omni",
    "--control-planes",
    "1",
    "--workers",
    "2",
]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_seeds_command_writes_a_project(tmp_path, capsys):
    assert main(["init", *SEED, "--output", str(tmp_path)]) == 0
    assert files(tmp_path) == {
        "Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py", "requirements.txt", "ksail.yaml",
        "talos/cluster/.gitkeep", "talos/control-planes/.gitkeep", "talos/workers/.gitkeep",
    }  # fmt: skip
    config = load_ksail(tmp_path / "ksail.yaml", {})
    assert config.spec == {"name": "my-omni-cluster", "controlPlane": {"count": 1}, "workers": [{"count": 2}]}
    assert (config.endpoint, config.warnings) == ("", ())
    output = capsys.readouterr()
    assert f"wrote {tmp_path}/ksail.yaml" in output.err.splitlines()
    assert output.out.splitlines()[:2] == ["", "Next:"]
    assert "export OMNI_ENDPOINT=" in output.out


@pytest.mark.parametrize("endpoint", [[], ["--endpoint", "https://acme.omni.siderolabs.io"]])
def test_ksail_yaml_has_todays_form(tmp_path, endpoint):
    assert main(["init", *SEED, *endpoint, "--output", str(tmp_path)]) == 0
    spec = yaml.safe_load((tmp_path / "ksail.yaml").read_text())["spec"]
    assert spec == {
        "cluster": {"distribution": "Talos", "provider": "Omni", "controlPlanes": 1, "workers": 2},
        "provider": {"omni": {"endpoint": endpoint[1]} if endpoint else None},
    }


def test_without_workers_the_control_plane_takes_workloads(tmp_path):
    assert main(["init", "--name", "edge", "--output", str(tmp_path)]) == 0
    assert "talos/cluster/allow-scheduling-on-control-planes.yaml" in files(tmp_path)
    (patch,) = load_ksail(tmp_path / "ksail.yaml", {}).spec["patches"]
    assert yaml.safe_load(patch["inline"]) == {"cluster": {"allowSchedulingOnControlPlanes": True}}


def test_an_endpoint_is_written_down(tmp_path, capsys):
    assert main(["init", *SEED, "--endpoint", "https://o.example:443", "--output", str(tmp_path)]) == 0
    assert load_ksail(tmp_path / "ksail.yaml", {}).endpoint == "https://o.example:443"
    assert "OMNI_ENDPOINT=" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--endpoint", "https://o.example:443/x"],
            "omni endpoint 'https://o.example:443' is not valid: it has a path",
        ),
        (["--endpoint", "ftp://o.example"], "omni endpoint 'ftp://o.example' is not valid: the scheme is not"),
        (["--workers", str(2**31)], "--workers: should be a number from 0 to 2147483647"),
        (["--control-planes", str(2**31)], "--control-planes: should be a number from 1 to 2147483647"),
    ],
)
def test_what_could_not_be_used_is_not_written(tmp_path, capsys, arguments, message):
    assert main(["init", "--name", "shop", *arguments, "--output", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert files(tmp_path) == set()


class Installed:
    """How an installer records a package."""

    version = "1.2.3"

    def __init__(self, record: dict[str, object] | None) -> None:
        self.read_text = lambda _: None if record is None else json.dumps(record)


@pytest.mark.parametrize(
    ("record", "line", "remark"),
    [
        (None, "ksail-pulumi==1.2.3", ""),
        ({"url": "file://{}/a.whl", "archive_info": {}}, "ksail-pulumi @ file://{}/a.whl", "on another computer"),
        ({"url": "file://{}/gone.whl", "archive_info": {}}, "ksail-pulumi @ file://{}/gone.whl", "no longer exists"),
        ({"url": "file://{}", "dir_info": {"editable": True}}, "-e {}", "on another computer"),
        (
            {"url": "https://example.com/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "ksail-pulumi @ git+https://example.com/r.git@abc",
            "installs ksail-pulumi from git+https",
        ),
        (
            {"url": "https://example.com/a.whl", "archive_info": {}},
            "ksail-pulumi @ https://example.com/a.whl",
            "installs ksail-pulumi from https",
        ),
    ],
)
def test_the_requirements_name_what_is_installed(tmp_path, monkeypatch, capsys, record, line, remark):
    (tmp_path / "a.whl").touch()
    if record is not None:
        record = {**record, "url": record["url"].format(tmp_path)}
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(record))
    assert main(["init", "--name", "shop", "--output", str(tmp_path / "shop")]) == 0
    assert (tmp_path / "shop" / "requirements.txt").read_text() == line.format(tmp_path) + "\n"
    said = [each for each in capsys.readouterr().err.splitlines() if each.startswith("ksail-pulumi: ")]
    assert [remark in each for each in said] == ([True] if remark else [])


def test_the_folders_name_is_the_default(tmp_path, monkeypatch):
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(["init"]) == 0
    assert load_ksail("ksail.yaml", {}).spec["name"] == "shop"


def test_existing_files_are_kept_unless_forced(tmp_path, capsys):
    (tmp_path / "ksail.yaml").write_text("mine\n")
    assert main(["init", *SEED, "--output", str(tmp_path)]) == 0
    assert (tmp_path / "ksail.yaml").read_text() == "mine\n"
    assert f"kept  {tmp_path}/ksail.yaml" in capsys.readouterr().err
    assert main(["init", *SEED, "--output", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "ksail.yaml").read_text() != "mine\n"


def test_a_project_of_ksail_gets_no_patches(tmp_path, capsys):
    (tmp_path / "ksail.yaml").write_text("apiVersion: ksail.io/v1alpha1\n")
    assert main(["init", "--output", str(tmp_path), "--name", "shop"]) == 0
    assert (tmp_path / "__main__.py").exists()
    assert not (tmp_path / "talos").exists()
    assert main(["init", "--output", str(tmp_path), "--name", "shop", "--force"]) == 0
    assert (tmp_path / "talos").exists()


def test_a_virtual_environment_beside_the_project_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "own venv"))
    assert main(["init", *SEED, "--output", str(tmp_path / "deep" / "project")]) == 0
    options = yaml.safe_load((tmp_path / "deep/project/Pulumi.yaml").read_text())["runtime"]["options"]
    assert options == {"virtualenv": "../../own venv"}
    assert main(["init", *SEED, "--output", str(tmp_path.parent / f"{tmp_path.name}-other")]) == 0
    elsewhere = tmp_path.parent / f"{tmp_path.name}-other" / "Pulumi.yaml"
    assert yaml.safe_load(elsewhere.read_text())["runtime"] == {"name": "python"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "My Cluster"], '--name: cluster name is invalid: "My Cluster" must be DNS-1123 compliant'),
        (["--name", "a" * 64], "--name: cluster name is too long"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(tmp_path, capsys, arguments, message):
    assert main(["init", *arguments, "--output", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert files(tmp_path) == set()


def test_a_folder_that_cannot_be_written_is_a_message(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", *SEED, "--output", str(tmp_path / "file")]) == 1
    message = capsys.readouterr().err
    assert "cannot write the file: Not a directory" in message or "cannot write the file: File exists" in message
