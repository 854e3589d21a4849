"""PyYAML without its C part: everything that reads YAML works, with the same result."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["yaml._yaml"] = None  # as where PyYAML was built without libyaml
import yaml
assert not yaml.__with_libyaml__
from ksail_pulumi.formats.ksail.expansion import _comments
from ksail_pulumi.model.gate import private_values
from ksail_pulumi.model.parse import InvalidCluster, parse_cluster
from ksail_pulumi.model.patches import inline_of, patch_problems, same_configuration
from ksail_pulumi.plan.parts.install_disks import _patched_disk
from ksail_pulumi.simulator.server import Simulator
from ksail_pulumi.simulator.validations import talos_config

TEXT = "machine: {sysctls: {a: b}} # why\\n---\\nkind: A\\n"
assert parse_cluster({"name": "c", "patches": [{"name": "p", "inline": TEXT}]}).patches[0].inline == TEXT
assert patch_problems((), "a: 1\\na: 2\\n")[0].reason == 'line 2: mapping key already defined at line 1'
assert "nested" in patch_problems((), "[" * 100_000)[0].reason
assert inline_of("a:\\n    b: c\\n") == {"a": {"b": "c"}}
assert same_configuration("a: {b: c}", "a:\\n  b: c\\n")
assert private_values({"patches": [{"inline": "a: secret\\n"}]}) == {"secret"}
assert _patched_disk("machine: {install: {disk: /dev/sda}}") == "/dev/sda"
assert [TEXT[start:end] for start, end in _comments(TEXT)] == ["# why"]
assert talos_config.faults("machine: {time: {bootTimeout: 5}}")
assert not talos_config.faults("machine: {sysctls: {a: b}}")
try:
    parse_cluster({"name": "c", "manifests": [{"name": "m", "mode": "full", "inline": "a: b"}]})
except InvalidCluster as error:
    print(error)
with Simulator(machines=1, speed="manual"):
    print("runs")
"""


def test_everything_reads_yaml_without_the_c_part() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "manifests[0].inline: error loading JSON manifest into unstructured: Object 'Kind' is missing in document 1",
        "runs",
    ]
