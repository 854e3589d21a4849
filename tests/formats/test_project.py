from __future__ import annotations

from pathlib import Path

import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.formats.ksail.read import load_ksail
from ksail_pulumi.formats.project import Project, check_project, project_files, template_files, write_files

ROOT = Path(__file__).resolve().parents[2]


def test_the_template_for_pulumi_new_is_what_init_writes():
    folder = ROOT / "template"
    committed = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert committed == template_files(), "run .venv/bin/python tools/write_template.py"


@pytest.mark.parametrize("endpoint", ["", "https://o.example"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_written_project_can_be_read(tmp_path, endpoint, workers):
    write_files(project_files(Project("shop", control_planes=3, workers=workers, endpoint=endpoint)), tmp_path)
    config = load_ksail(tmp_path / "ksail.yaml", {})
    assert (config.spec["name"], config.endpoint, config.warnings) == ("shop", endpoint, ())
    assert config.spec["controlPlane"] == {"count": 3}
    assert config.spec.get("workers") == ([{"count": workers}] if workers else None)


@pytest.mark.parametrize("project", [Project("Shop"), Project("shop", control_planes=0), Project("shop", workers=-1)])
def test_a_project_that_ksail_yaml_would_not_take_is_refused(project):
    with pytest.raises(InputError):
        check_project(project)
