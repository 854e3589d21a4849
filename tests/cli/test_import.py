from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
import yaml

from ksail_pulumi.cli.app import main

from .clusters import shop, use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ksail_pulumi.simulator.server import Simulator


@pytest.fixture(scope="module")
def account() -> Iterator[Simulator]:
    with shop(machines=1, labels={"team": "shop"}) as omni:
        yield omni


@pytest.fixture(autouse=True)
def _environment(account: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, account, "Reader")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_project_is_written_and_the_commands_are_printed(account, tmp_path, capsys):
    folder = tmp_path / "the shop"
    assert main(["import", "shop", "--output", str(folder)]) == 0
    assert files(folder) == ["Pulumi.dev.yaml", "Pulumi.yaml", "__main__.py", "requirements.txt"]
    assert yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"] == "shop"
    assert yaml.safe_load((folder / "Pulumi.dev.yaml").read_text()) == {"config": {"omni:endpoint": account.endpoint}}
    program = (folder / "__main__.py").read_text()
    ast.parse(program)
    assert 'import_="shop"' in program
    assert '"team": "shop"' in program
    output = capsys.readouterr()
    steps = [line.partition("#")[0].strip() for line in output.out.splitlines()]
    assert steps == ["Next:", f"cd '{folder}'", "pulumi stack init dev", "pulumi preview", "pulumi up"]
    assert f"wrote {folder / '__main__.py'}" in output.err.splitlines()


def test_into_the_current_folder_there_is_no_cd(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["import", "shop"]) == 0
    assert "cd " not in capsys.readouterr().out
    assert (tmp_path / "__main__.py").exists()


def test_an_existing_file_is_kept_unless_forced(tmp_path, capsys):
    (tmp_path / "__main__.py").write_text("mine")
    assert main(["import", "shop", "--output", str(tmp_path)]) == 1
    assert "__main__.py: the file exists; use --force to overwrite it" in capsys.readouterr().err
    assert files(tmp_path) == ["__main__.py"]
    assert main(["import", "shop", "--output", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "__main__.py").read_text() != "mine"


def test_a_cluster_that_does_not_exist_is_a_message(tmp_path, capsys):
    assert main(["import", "nowhere", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("ksail-pulumi: cluster not found: nowhere")
    assert files(tmp_path) == []


def test_the_help_says_why_there_is_no_import_file(capsys):
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert "There is no import file" in " ".join(capsys.readouterr().out.split())
