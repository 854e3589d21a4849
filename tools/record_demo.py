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
@keyframes scroll {{
{keyframes}
}}
#lines {{ transform: translateY({end}px); animation: scroll {seconds:.1f}s step-end infinite }}
@media (prefers-reduced-motion: reduce) {{ #lines {{ animation: none }} }}
</style>
<clipPath id="window"><rect width="{width}" height="{inner}"/></clipPath>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
<g transform="translate(0 {margin})" clip-path="url(#window)"><g id="lines">
{lines}
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
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        lines = [Line(time.monotonic(), line.rstrip("\n")) for line in demo.stdout]
    if demo.returncode != 0:
        raise SystemExit(f"the demo failed with exit status {demo.returncode}")
    return lines


def edited(lines: list[Line]) -> list[Line]:
    """Without rows of dots and doubled blank lines, and with pauses of bearable length."""
    kept: list[Line] = []
    before = lines[0].at
    now = 0.0
    for line in lines:
        now += min(line.at - before, LONGEST_PAUSE)
        before = line.at
        plain = _STYLE.sub("", line.text)
        if _DOTS.fullmatch(plain) or (not plain and kept and not _STYLE.sub("", kept[-1].text)):
            continue
        kept.append(Line(now, line.text.replace("pulumi-python:dynamic/ksail:", "…ksail:").rstrip()))
    return kept


def drawn(lines: list[Line]) -> str:
    """The SVG."""
    end = _offset(len(lines))
    seconds = lines[-1].at + LAST_PAUSE
    # The last line that came at one moment decides how far the text has moved by then.
    steps = {round(100 * line.at / seconds, 2): _offset(number) for number, line in enumerate(lines, start=1)}
    return _PAGE.format(
        width=round(COLUMNS * CHARACTER + 2 * MARGIN),
        height=ROWS * LINE + 2 * MARGIN,
        inner=ROWS * LINE,
        margin=MARGIN,
        size=SIZE,
        label="Terminal recording of make demo: a cluster is created, scaled and destroyed with pulumi up",
        keyframes="\n".join(f"{percent}% {{ transform: translateY({offset}px) }}" for percent, offset in steps.items()),
        end=end,
        seconds=seconds,
        lines="\n".join(_text(number, line.text) for number, line in enumerate(lines)),
    )


def _offset(shown: int) -> int:
    """How far the text is moved when so many of its lines are shown: the last of them is the window's last."""
    return (ROWS - shown) * LINE


def _text(number: int, text: str) -> str:
    spans = []
    room, styles = COLUMNS, [_MARKS.get(text[:3], "")]
    for position, part in enumerate(_STYLE.split(text)):
        if position % 2:
            styles = [_CLASSES.get(code, "") for code in part.split(";")]
            continue
        shown = part if len(part) <= room else f"{part[: max(room - 1, 0)]}…"[:room]
        room -= len(shown)
        names = " ".join(filter(None, styles))
        if shown:
            spans.append(f'<tspan class="{names}">{escape(shown)}</tspan>' if names else escape(shown))
    return f'<text x="{MARGIN}" y="{number * LINE + SIZE}" xml:space="preserve">{"".join(spans)}</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(edited(record())), encoding="utf-8")
