"""Reading and changing kubeconfigs and talosconfigs, also while kubectl and other processes do so.

kubectl locks a kubeconfig with a file next to it, `config.lock`, which it creates and removes (client-go 0.32). If
another process has created it, kubectl fails at once. The lock of a link is next to the link. kubectl reads the file
before it locks it, so `kubectl config` can lose a change that is made at the same moment.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ksail_pulumi.errors import ConfigFileError, SettingsError
from ksail_pulumi.goyaml.read import read_text
from ksail_pulumi.redaction import short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WAIT_SECONDS = 10.0
"""How long to wait for another process that changes the file, in seconds."""

_POLL_SECONDS = 0.02


def kubeconfig_files(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The files that kubectl reads: those in KUBECONFIG, each once, else `~/.kube/config`."""
    found: dict[Path, Path] = {}
    for path in [Path(part).absolute() for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]:
        found.setdefault(real(path), path)
    return list(found.values()) or [expanded("~/.kube/config")]


def talosconfig_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where talosctl looks for its contexts."""
    return expanded(environ.get("TALOSCONFIG") or "~/.talos/config")


def expanded(path: str) -> Path:
    """An absolute path, without `~`. A relative path begins in the working directory.

    Raises:
        SettingsError: The home folder in it is not known.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        own = Path(path).parts[0] == "~"
        reason = "the home folder is not known: set the environment variable HOME" if own else "user not found"
        raise SettingsError(f"{short(path)}: {reason}") from None


def real(path: Path) -> Path:
    """The file that a path leads to: the same for all spellings of the path, and for links."""
    return Path(os.path.realpath(path))  # not `resolve`, which raises a RuntimeError for a link to itself


def text_of(path: Path) -> str:
    """The text of a file; empty if there is none.

    Raises:
        ConfigFileError: It cannot be read.
    """
    try:
        return read_text(path) if path.exists() else ""
    except OSError as error:  # of `exists`, where its folder may not be read
        raise ConfigFileError(str(path), 0, "", f"cannot read the file: {error.strerror}") from None


def change(path: Path, changed: Callable[[str], str]) -> None:
    """Change the text of a file that others may change at the same time. It is never seen half-written.

    Args:
        path: The file; a new one and its folder can be read by their owner only.
        changed: Makes the new text out of the present one.

    Raises:
        ConfigFileError: The file cannot be read or written, or is locked for longer than `WAIT_SECONDS`.
    """
    try:
        # In one spelling: the file itself must not look like a link to it, which would have the same lock.
        link, target = real(path.parent) / path.name, real(path)
        for folder in {link.parent, target.parent}:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as locks:
            for each in sorted({link, target}):
                locks.enter_context(_locked(each))
            text = text_of(target)
            if (new := changed(text)) != text:
                _replace(target, new)
    except OSError as error:
        raise ConfigFileError(str(path), 0, "", f"cannot write the file: {error.strerror}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > end:
                reason = f"the file is locked: if no kubectl is changing it, delete {lock}"
                raise ConfigFileError(str(path), 0, "", reason) from None
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # only its owner can read it
    temporary = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        with suppress(FileNotFoundError, PermissionError, AttributeError):  # no `chown` on Windows
            before = path.stat()
            os.chown(temporary, before.st_uid, before.st_gid)  # where root changes the file of a user
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
