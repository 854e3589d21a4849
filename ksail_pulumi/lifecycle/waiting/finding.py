"""What keeps a cluster from where it should be, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        about: What it is about: `machine west-1 (ID), west-workers`, `etcd`; `""`: the text is a whole sentence.
        text: What Omni reports.
        machine: The ID of the machine that it is about; `""` for none.
        log: The last lines of that machine's log.
    """

    about: str
    text: str
    machine: str = ""
    log: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding without the log."""
        return f"{self.about}: {self.text}" if self.about else self.text

    def __str__(self) -> str:
        log = ["  the last lines of its log:", *(f"    {line}" for line in self.log)] if self.log else []
        return "\n".join([self.line, *log])


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and what to do; its text has a line for each.

    Attributes:
        findings: The findings; machines that hold the cluster up come first.
        advice: What to do; `""` if that is not known.
    """

    findings: tuple[Finding, ...] = ()
    advice: str = ""

    def __str__(self) -> str:
        return "\n".join([*map(str, self.findings), *([self.advice] if self.advice else [])])
