"""Output of commands: tables for people, JSON for programs, one line with the cure for errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Not a terminal: no line is wrapped, so that grep and cut see whole rows.
PLAIN_WIDTH = 500
GAP = 2
# Only words may wrap; a number, an id or a time that is broken cannot be read or copied.
FOLDING = {
    "market": 18,
    "market or event": 18,
    "message": 20,
    "why": 20,
    "dropped": 20,
    "finding": 20,
    "what to do": 20,
    "name": 12,
    "outcome": 7,
    "schedule": 9,
}


def console() -> Console:
    """Return standard output for people; colours and the terminal's width only where there is a terminal."""
    from rich.console import Console

    return Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=PLAIN_WIDTH, no_color=True)


def put(*parts: RenderableType) -> None:
    """Print for people, without trailing spaces where the output is not a terminal."""
    out = console()
    with out.capture() as captured:
        for part in parts:
            out.print(part, markup=False, highlight=False)
    lines = [line if out.is_terminal else line.rstrip() for line in captured.get().splitlines()]
    sys.stdout.write("\n".join(lines) + "\n")


def print_json(answer: Any) -> None:
    """Print the service's answer unchanged, for programs."""
    sys.stdout.write(json.dumps(answer, indent=2, allow_nan=False) + "\n")


def print_error(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str = "Nothing yet.",
    spare: Sequence[str] = (),
) -> None:
    """Print rows under a title, numbers to the right. On a narrow terminal ``spare`` columns are left out, first ones first."""
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    if not listed:
        put(Text(title, style="bold"), Text(f"  {empty}"))
        return
    widths = [
        FOLDING.get(column, max(len(column), *(len(shown(row[number])) for row in listed)))
        for number, column in enumerate(columns)
    ]
    kept, fits = _kept_columns(columns, widths, spare, console().width)
    table = Table(box=None, padding=(0, GAP // 2), header_style="bold", show_edge=False, pad_edge=False)
    for number in kept:
        numeric = all(isinstance(row[number], int | float) or row[number] is None for row in listed)
        folds = columns[number] in FOLDING or not fits
        table.add_column(columns[number], justify="right" if numeric else "left", overflow="fold", no_wrap=not folds)
    for row in listed:
        table.add_row(*[Text(shown(row[number])) for number in kept])
    left_out = [column for number, column in enumerate(columns) if number not in kept]
    note = [Text(f"(no room for: {', '.join(left_out)}; widen the window, or use --json)")] if left_out else []
    put(Text(title, style="bold"), table, *note)


def _kept_columns(
    columns: Sequence[str], widths: Sequence[int], spare: Sequence[str], width: int
) -> tuple[list[int], bool]:
    """Leave out spare columns until the rest fits; return the indices of those that stay, and whether they fit."""
    kept = list(range(len(columns)))

    def fits() -> bool:
        return sum(widths[number] for number in kept) + GAP * (len(kept) - 1) <= width

    for column in spare:
        if fits():
            break
        kept.remove(columns.index(column))
    return kept, fits()


def moment(text: str | None) -> str:
    """Write a time of an answer to the minute; the exact one is in --json."""
    return "-" if not text else text[:16].replace("T", " ")


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
