"""In place of pip, with which Pulumi's language host lists the installed packages before each run of a program.

pip takes ten times as long, a seventh of what a `pulumi` command takes. The tests of the Automation API, of the
fixtures for users and of the wheel run pip.
"""

import json
import sys
from pathlib import Path

assert sys.argv[1:3] == ["list", "-v"], sys.argv
packages = []
for folder in sys.path:
    for entry in Path(folder).glob("*.dist-info"):
        name, _, version = entry.stem.partition("-")
        packages.append({"name": name.replace("_", "-"), "version": version, "location": folder})
print(json.dumps(packages))
