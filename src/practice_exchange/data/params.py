"""Parameters of the Data API: its lists with commas, its limits, and its refusals, which name the parameter at fault.

Texts are the live API's where they have been seen, in the same manner elsewhere.
"""

from __future__ import annotations

from math import isfinite

from polymarket_kit.signing.eip712 import bytes32, checksum_address
from practice_exchange.web.query import Query
from practice_exchange.web.responses import WireError, json_answer

# The last second of the year 9999.
LAST_S = 253_402_300_799
EVENT_MAX = 2**31 - 1


class Params:
    """Reads a query. ``newer`` is the ``/v2`` form of names and errors. All methods raise WireError (400)."""

    def __init__(self, query: Query, newer: bool = False) -> None:
        self._query = query
        self._newer = newer

    def text(self, name: str) -> str:
        return self._query.text(name)

    def user(self, needed: bool = True) -> str:
        """The account asked about; anything but an address counts as not given, as on the venue."""
        try:
            return checksum_address(self.text("user"))
        except ValueError as error:
            if not needed and not self.text("user"):
                return ""
            raise self.refuse("required query param 'user' not provided", "user") from error

    def conditions(self, name: str) -> list[str]:
        found = self._list(name)
        for condition_id in found:
            try:
                bytes32(condition_id)
            except ValueError as error:
                raise self.refuse(f"invalid {name}: {condition_id}", name) from error
        return [condition_id.lower() for condition_id in found]

    def events(self, name: str) -> list[int]:
        found = self._list(name)
        if any(not _is_whole(each) or not 0 < int(each) <= EVENT_MAX for each in found):
            raise self.refuse(f"invalid {name}", name)
        return [int(each) for each in found]

    def words(self, name: str, allowed: tuple[str, ...]) -> list[str]:
        """A list of words, each one of those allowed."""
        found = [each.upper() for each in self._list(name)]
        if any(each not in allowed for each in found):
            raise self.refuse(f"{name} must be one of {', '.join(allowed)}", name)
        return found

    def word(self, name: str, allowed: tuple[str, ...], default: str = "") -> str:
        found = self.text(name).upper()
        if not found:
            return default
        if found not in allowed:
            choices = f"{', '.join(allowed[:-1])} or {allowed[-1]}" if len(allowed) > 1 else allowed[0]
            raise self.refuse(f"{name} must be {choices}", name)
        return found

    def switch(self, name: str, default: bool = False) -> bool:
        found = self.text(name).lower()
        if found not in ("", "true", "false", "1", "0"):
            raise self.refuse(f"{name} must be a boolean", name)
        return found in ("true", "1") if found else default

    def whole(self, name: str, default: int, most: int = LAST_S) -> int:
        """A whole number from zero; what is larger than ``most`` is clamped to it."""
        found = self.text(name)
        if not found:
            return default
        if not _is_whole(found):
            raise self.refuse(f"invalid {name}: must be a non-negative integer", name)
        return min(int(found), most)

    def offset(self, most: int) -> int:
        """Where a page begins; beyond the cap nothing is served, and nothing is clamped."""
        found = self.whole("offset", 0)
        if found > most:
            raise self.refuse(f"max historical offset of {most} exceeded", "offset")
        return found

    def amount(self, name: str, default: float) -> float:
        found = self.text(name)
        if not found:
            return default
        try:
            number = float(found)
        except ValueError:
            number = -1.0
        if not isfinite(number) or number < 0:
            raise self.refuse(f"invalid {name}: must be a non-negative number", name)
        return number

    def title(self, most: int) -> str:
        found = self.text("title").strip()
        if len(found) > most:
            raise self.refuse(f"title must contain at most {most} characters", "title")
        return found.lower()

    def refuse(self, message: str, parameter: str) -> WireError:
        """A request that makes no sense; the newer API says more about it."""
        if not self._newer:
            return WireError(json_answer({"error": message}, 400))
        content = {"error": message, "code": "invalid_request", "parameter": parameter, "retryable": False}
        return WireError(json_answer(content | {"trace_id": "0" * 32}, 400))

    def _list(self, name: str) -> list[str]:
        return [each.strip() for text in self._query.all(name) for each in text.split(",") if each.strip()]


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
