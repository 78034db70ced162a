"""How commands answer: tables for people, JSON for programs, one line and its cure for errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Not a terminal: no line is broken, so that grep and cut see whole rows.
PLAIN_WIDTH = 500


def console() -> Console:
    """Standard output for people; colours and the terminal's width only where there is a terminal."""
    from rich.console import Console

    return Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, no_color=True)


def put(*parts: RenderableType) -> None:
    """Print for people; lines that go into a file end where their text ends."""
    out = console()
    with out.capture() as captured:
        for part in parts:
            out.print(part, markup=False, highlight=False)
    lines = [line if out.is_terminal else line.rstrip() for line in captured.get().splitlines()]
    sys.stdout.write("\n".join(lines) + "\n")


def print_json(answer: Any) -> None:
    """Print what a program reads: the service's own answer, unchanged."""
    sys.stdout.write(json.dumps(answer, indent=2, allow_nan=False) + "\n")


def print_error(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "Nothing yet."
) -> None:
    """Print rows under a title; a column whose name ends in a unit or amount is aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    if not listed:
        put(Text(title, style="bold"), Text(f"  {empty}"))
        return
    table = Table(box=None, padding=(0, 2), header_style="bold", show_edge=False)
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) or row[number] is None for row in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*[Text(shown(value)) for value in row])
    put(Text(title, style="bold"), table)


def print_pairs(title: str, pairs: Iterable[tuple[str, Any]]) -> None:
    """Print one thing's fields below each other."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), show_header=False, show_edge=False)
    for name, value in pairs:
        table.add_row(Text(name), Text(shown(value)))
    put(Text(title, style="bold"), table)


def shown(value: Any) -> str:
    """Write a value for people: money with two decimals unless it is smaller than a cent, nothing as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.6f}".rstrip("0")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def price(value: float | None) -> str:
    """Write a price between 0 and 1 as the venue does, in cents' fractions."""
    return "-" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")
