"""Starts a command as the engine starts a provider, until it is killed: through a shell, with a pipe for its stdout."""

import subprocess
import sys

shell = subprocess.Popen(["sh", "-c", '"$@"; exit', "sh", *sys.argv[1:]], stdout=subprocess.PIPE)
for line in shell.stdout:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
