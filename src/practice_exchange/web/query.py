"""Parses query strings: repeated keys, numbers, switches and timestamps; answers 422 for anything malformed."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from urllib.parse import parse_qsl

from practice_exchange.web.responses import gamma_invalid
from practice_exchange.world.timestamps import parse_moment_ms


class Query:
    """A parsed query string. A key may be repeated, also in the form ``id[]``."""

    def __init__(self, text: str | Sequence[tuple[str, str]] = "") -> None:
        pairs = parse_qsl(text, keep_blank_values=True) if isinstance(text, str) else text
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.removesuffix("[]"), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> list[str]:
        return [value for value in self._values.get(name, []) if value != ""]

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, values in self._values.items() for value in values]

    def switch(self, name: str, default: bool | None = None) -> bool | None:
        """True, False, or the default when the key is absent or empty."""
        value = self.text(name).lower()
        if value == "":
            return default
        if value in ("true", "1", "t"):
            return True
        if value in ("false", "0", "f"):
            return False
        raise gamma_invalid(f"{name} is invalid")

    def whole(self, name: str) -> int | None:
        value = self.text(name)
        if value == "":
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise gamma_invalid(f"{name} is invalid")
        return int(value)

    def wholes(self, name: str) -> list[int]:
        values = self.all(name)
        if any(not value.isascii() or not value.isdigit() or len(value) > 18 for value in values):
            raise gamma_invalid(f"{name} is invalid")
        return [int(value) for value in values]

    def number(self, name: str) -> float | None:
        value = self.text(name)
        if value == "":
            return None
        try:
            number = float(value)
        except ValueError:
            raise gamma_invalid(f"{name} is invalid") from None
        if not isfinite(number):
            raise gamma_invalid(f"{name} is invalid")
        return number

    def moment_ms(self, name: str) -> int | None:
        value = self.text(name)
        if value == "":
            return None
        try:
            # A plus sign in an offset arrives as a blank when a client forgot to escape it.
            return parse_moment_ms(value.replace(" ", "+") if value.count(" ") == 1 and "T" in value else value)
        except (ValueError, OverflowError):
            raise gamma_invalid(f"{name} is invalid") from None
