"""The recorded answers of the venue, read with the standard library only: the plain reading that ours is held against."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec

Objects = list[dict[str, Any]]


def read(folder: Path, name: str) -> Any:
    path = folder / name
    content = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    if ".jsonl" in name:
        return [json.loads(line) for line in content.splitlines()]
    return json.loads(content)


def raw(objects: Objects) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(item).encode()) for item in objects]


def recorded_calls(folder: Path) -> dict[str, Any]:
    calls = read(folder, "clob/recorded-calls-2026-06-20.json")["results"]
    return {call["label"]: call["sampleData"] for call in calls}


def all_events(folder: Path) -> dict[str, Objects]:
    """Every recorded event object by the file that holds it."""
    calls = recorded_calls(folder)
    return {
        "catalog": read(folder, "catalog/gamma-events-2025-12-11.json.gz")["markets"],
        "fed": [read(folder, "gamma/event-fed-decision-2026-05-17.json")],
        "nominee": read(folder, "gamma/gamma_event.json"),
        "search": read(folder, "gamma/public-search-2026-05-17.json")["events"],
        "calls": [*calls["Gamma GET /events"], calls["Gamma GET /events/{id}"]],
    }


def all_markets(folder: Path) -> dict[str, Objects]:
    """Every recorded market object of the catalogue's market listings by the file that holds it."""
    calls = recorded_calls(folder)
    single = {
        path.stem: [read(folder, f"gamma/{path.name}")] for path in sorted((folder / "gamma").glob("gamma_market_*"))
    }
    return {
        "catalog": read(folder, "catalog/gamma-markets-2026-03-25.json.gz"),
        "btc": [line["raw"] for line in read(folder, "gamma/btc-5m-markets-2026-07-24.jsonl.gz")],
        "calls": [*calls["Gamma GET /markets"], calls["Gamma GET /markets/{id}"]],
        **single,
    }


def all_books(folder: Path) -> Objects:
    return [*read(folder, "clob/books-fed-decision-2026-05-17.json"), recorded_calls(folder)["CLOB GET /book"]]
