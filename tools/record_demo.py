"""Record `make demo` as a moving picture: an SVG that scrolls as the terminal did, with nothing loaded from elsewhere.

    .venv/bin/python tools/record_demo.py docs/demo.svg

The picture leaves out Pulumi's rows of dots, shortens its long type name, and lets nobody wait longer than a moment.
Where a viewer does not animate, it shows the end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
COLUMNS, ROWS = 132, 36
CHARACTER, LINE, SIZE, MARGIN = 7.23, 17, 12, 14
LONGEST_PAUSE, LAST_PAUSE = 0.9, 6.0
"""Seconds that the picture stands still."""

_DOTS = re.compile(r"@ \w+( \w+)?\.*")
_STYLE = re.compile(r"\x1b\[([\d;]*)m")
_CLASSES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}
_MARKS = {" + ": "g", " ~ ": "y", " - ": "r"}

_PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<style>
text {{
  font: {size}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  fill: #d6deeb; white-space: pre;
}}
.b {{ font-weight: bold }} .d {{ fill: #7f8c9b }}
.r {{ fill: #ff7b72 }} .g {{ fill: #7ee787 }} .y {{ fill: #e3b341 }} .c {{ fill: #79c0ff }}
@keyframes scroll {{ {scroll} }}
@keyframes write {{ {write} }}
#lines {{ transform: translateY({scrolled}px); animation: scroll {seconds:.1f}s step-end infinite }}
#cover {{ transform: translateY({written}px); animation: write {seconds:.1f}s step-end infinite }}
@media (prefers-reduced-motion: reduce) {{ #lines, #cover {{ animation: none }} }}
</style>
<clipPath id="window"><rect width="{width}" height="{inner}"/></clipPath>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
<g transform="translate(0 {margin})" clip-path="url(#window)"><g id="lines">
{lines}
<rect id="cover" width="{width}" height="{inner}" fill="#0d1117"/>
</g></g>
</svg>
"""


@dataclass(frozen=True)
class Line:
    """A line of the terminal, and when it came, in seconds."""

    at: float
    text: str


def record() -> list[Line]:
    """Run the demo and note its lines."""
    env = {**os.environ, "FORCE_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(TOOLS / "demo.py")]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        lines = [Line(time.monotonic(), line.rstrip("\n")) for line in demo.stdout]
    if demo.returncode != 0:
        raise SystemExit(f"the demo failed with exit status {demo.returncode}")
    return lines


def edited(lines: list[Line]) -> list[Line]:
    """Without rows of dots and doubled blank lines, and with pauses of bearable length."""
    kept: list[Line] = []
    before = lines[0].at
    now, styles = 0.0, ""
    for line in lines:
        now += min(line.at - before, LONGEST_PAUSE)
        before = line.at
        plain = _STYLE.sub("", line.text)
        if _DOTS.fullmatch(plain) or (not plain and kept and not _STYLE.sub("", kept[-1].text)):
            styles += "".join(style[0] for style in _STYLE.finditer(line.text))  # they hold for the next line
            continue
        kept.append(Line(now, styles + line.text.replace("pulumi-python:dynamic/ksail:", "…ksail:").rstrip()))
        styles = ""
    return kept


def drawn(lines: list[Line]) -> str:
    """The SVG: the text of all lines behind a window; what is still to come is covered."""
    seconds = lines[-1].at + LAST_PAUSE
    # How many lines are written at each moment at which some are, in percent of the time.
    written = {round(100 * line.at / seconds, 2): number for number, line in enumerate(lines, start=1)}
    return _PAGE.format(
        width=round(COLUMNS * CHARACTER + 2 * MARGIN),
        height=ROWS * LINE + 2 * MARGIN,
        inner=ROWS * LINE,
        margin=MARGIN,
        size=SIZE,
        label="Terminal recording of make demo: a cluster is created, scaled and destroyed with pulumi up",
        scroll=" ".join(_step(moment, _scrolled(number)) for moment, number in written.items()),
        write=" ".join(_step(moment, number * LINE) for moment, number in written.items()),
        scrolled=_scrolled(len(lines)),
        written=len(lines) * LINE,
        seconds=seconds,
        lines="\n".join(_texts(lines)),
    )


def _step(percent: float, offset: int) -> str:
    return f"{percent}% {{ transform: translateY({offset}px) }}"


def _scrolled(written: int) -> int:
    return min(0, ROWS - written) * LINE


def _texts(lines: list[Line]) -> Iterator[str]:
    style = ""  # holds until the next one, on the next lines too
    for number, line in enumerate(lines):
        spans = []
        room = COLUMNS
        for position, part in enumerate(_STYLE.split(line.text)):
            if position % 2:
                style = " ".join(filter(None, (_CLASSES.get(code) for code in part.split(";"))))
                continue
            shown = part if len(part) <= room else f"{part[: max(room - 1, 0)]}…"[:room]
            room -= len(shown)
            names = style or _MARKS.get(_STYLE.sub("", line.text)[:3], "")
            if shown:
                spans.append(f'<tspan class="{names}">{escape(shown)}</tspan>' if names else escape(shown))
        if spans:
            # Renderers without CSS read the attribute, and only at the text itself.
            yield f'<text xml:space="preserve" x="{MARGIN}" y="{number * LINE + SIZE}">{"".join(spans)}</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(edited(record())), encoding="utf-8")
