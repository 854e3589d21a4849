"""What commands print: JSON, YAML, and tables, with rich on a terminal where it is installed, else in plain columns."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ksail_pulumi.lifecycle.overview import ClusterOverview


def rich_terminal() -> bool:
    """Whether to print with rich. What a pipe or a file gets is plain, so that scripts can read it."""
    return sys.stdout.isatty() and importlib.util.find_spec("rich") is not None


def print_data(form: str, data: Any) -> None:
    """Print plain data as `json` or `yaml`."""
    print(json.dumps(data, indent=2) if form == "json" else _yaml(data).rstrip("\n"))


def _yaml(data: Any) -> str:
    from ksail_pulumi.goyaml.write import encode

    return encode(_in_order(data))


def _in_order(data: Any) -> Any:
    """The data with its keys in the order of the JSON output; otherwise they are sorted."""
    from ksail_pulumi.goyaml.write import InOrder

    if isinstance(data, dict):
        return InOrder((key, _in_order(value)) for key, value in data.items())
    return [_in_order(each) for each in data] if isinstance(data, list) else data


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their column names."""
    if rich_terminal():
        from rich.console import Console

        Console().print(rich_table(columns, rows))
    else:
        print("\n".join(plain_table(columns, rows)))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in plain text."""
    lines = [[column.upper() for column in columns], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The table for rich, with words of trouble and of success in colour."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # What people copy stays in one piece; the last column gives way.
        last = column == columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold" if last else "ellipsis")
    for row in rows:
        table.add_row(*map(_coloured, row))
    return table


_COLOURS = {
    "running": "green",
    "yes": "green",
    "no": "yellow",
    "available": "cyan",
    "disconnected": "red",
    "failed": "red",
}


def _coloured(text: str) -> str:
    from rich.markup import escape

    colour = _COLOURS.get(text.lower())
    return f"[{colour}]{text}[/]" if colour else escape(text)


def owner(cluster: ClusterOverview) -> str:
    """The Pulumi resource that manages a cluster, and whether it has finished creating it."""
    by = cluster["createdBy"]
    return f"{cluster['owner']} (creation not finished, started by {by})" if by else cluster["owner"]
