"""Input over HTTP: strict JSON, and the bounded types of every parameter and field.

Numbers are read from their own text, never through a float; what is not finite, not plain or out of bounds is refused.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.values import MICRO, NUMBER_LENGTH_MAX, parse_micro

# An unsigned decimal number in ASCII; "1e3" is one, "-0", "NaN", "1_0" and " 1" are not.
NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
WHOLE = re.compile(r"\d{1,18}", re.ASCII)
# What the venue and we make ids and slugs of; nothing here needs quoting in a URL, a log line or SQL.
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,249}$"
KEY_PATTERN = r"^[ -~]{1,200}$"
FIELD_NAME = re.compile(r"[A-Za-z0-9_.:\-]{1,64}", re.ASCII)

SMALLEST = Decimal("0.000001")
DOLLARS_MAX = 100_000_000_000
PORTFOLIO_ID_MAX = 2**31 - 1
PAGE_MAX = 1_000
OFFSET_MAX = 10_000_000
BALANCE_MAX = 1_000_000_000
JSON_DEPTH_MAX = 32


class Form(BaseModel):
    """A request's fields. Unknown ones are refused: a misspelt limit must not silently become its default."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True)


def safe_name(name: object) -> str:
    """Return a field's name if it is plain enough to be repeated in an answer or a log, else a placeholder."""
    text = str(name)
    return text if FIELD_NAME.fullmatch(text) else "(unknown field)"


def parse_json(body: bytes) -> Any:
    """Decode a request's JSON strictly. Raises InvalidRequest: bad UTF-8, duplicate keys, too deep, not JSON.

    Decimals come as ``Decimal``. NaN, Infinity and numbers of more than 40 characters come as a float that is not a
    number, so that the field that holds one is the field that is named in the refusal.
    """
    try:
        parsed = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_not_a_number,
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidRequest("body", "is not valid JSON in UTF-8.") from error
    except RecursionError as error:
        raise InvalidRequest("body", "is nested too deep.") from error
    _check_depth(parsed)
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise InvalidRequest(safe_name(name), "stands twice in the body; send each field once.")
        result[name] = value
    return result


def _decimal(text: str) -> Decimal | float:
    return Decimal(text) if len(text) <= NUMBER_LENGTH_MAX else float("nan")


def _integer(text: str) -> int | float:
    # Nobody means a negative zero: a sign or a digit was lost on the way.
    return int(text) if len(text) <= NUMBER_LENGTH_MAX and text != "-0" else float("nan")


def _not_a_number(_text: str) -> float:
    return float("nan")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(JSON_DEPTH_MAX):
        level = [item for parent in level for item in _children(parent)]
        if not level:
            return
    raise InvalidRequest("body", f"is nested deeper than {JSON_DEPTH_MAX} levels.")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _micro(minimum: int, maximum: int) -> BeforeValidator:
    """Read a number within whole-numbered bounds as micro-units."""

    def refuse() -> NoReturn:
        raise ValueError(f"must be a number from {minimum} to {maximum}")

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            refuse()
        text = str(value)
        if len(text) > NUMBER_LENGTH_MAX or not NUMBER.fullmatch(text):
            refuse()
        try:
            # An amount below the smallest unit is zero; the parser would refuse its exponent.
            micro = 0 if Decimal(text) < SMALLEST else parse_micro(text)
        except ValueError:
            refuse()
        if not minimum * MICRO <= micro <= maximum * MICRO:
            refuse()
        return micro

    return BeforeValidator(read)


def _whole(minimum: int, maximum: int, *, from_text: bool) -> BeforeValidator:
    """Read a whole number within bounds. Digits as text are a number in a URL, but not in a body."""

    def read(value: Any) -> int:
        if from_text and isinstance(value, str) and WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return value

    return BeforeValidator(read)


def _as_number(minimum: int, maximum: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "minimum": minimum, "maximum": maximum})


def _as_integer(minimum: int, maximum: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": minimum, "maximum": maximum})


def plain_numbers(value: Any) -> Any:
    """Turn the decimals of a free-form object into floats, as its own checks and the store expect them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    return value


def _composed(value: Any) -> Any:
    """Normalize Unicode, and refuse what cannot be printed."""
    if not isinstance(value, str):
        return value
    if not all(char.isprintable() or char in "\n\t" for char in value):
        raise ValueError("must be printable text")
    return unicodedata.normalize("NFC", value)


# Values of these types are micro-units once they are validated; outside they are dollars and ratios.
DollarsMicro = Annotated[int, _micro(0, DOLLARS_MAX), _as_number(0, DOLLARS_MAX)]
BalanceMicro = Annotated[int, _micro(1, BALANCE_MAX), _as_number(1, BALANCE_MAX)]
RatioMicro = Annotated[int, _micro(0, 1), _as_number(0, 1)]

PortfolioIdText = Annotated[int, _whole(1, PORTFOLIO_ID_MAX, from_text=True), _as_integer(1, PORTFOLIO_ID_MAX)]
PortfolioId = Annotated[int, _whole(1, PORTFOLIO_ID_MAX, from_text=False), _as_integer(1, PORTFOLIO_ID_MAX)]
LimitText = Annotated[int, _whole(1, PAGE_MAX, from_text=True), _as_integer(1, PAGE_MAX)]
# A list in an answer may be left out (0): a caller that only wants the counts.
ListLimitText = Annotated[int, _whole(0, PAGE_MAX, from_text=True), _as_integer(0, PAGE_MAX)]
ListLimit = Annotated[int, _whole(0, PAGE_MAX, from_text=False), _as_integer(0, PAGE_MAX)]
OffsetText = Annotated[int, _whole(0, OFFSET_MAX, from_text=True), _as_integer(0, OFFSET_MAX)]
DaysText = Annotated[int, _whole(1, 3_650, from_text=True), _as_integer(1, 3_650)]

Id = Annotated[str, StringConstraints(strict=True, pattern=ID_PATTERN)]
IdempotencyKey = Annotated[str, StringConstraints(strict=True, pattern=KEY_PATTERN)]
Name = Annotated[str, BeforeValidator(_composed), StringConstraints(strict=True, min_length=1, max_length=100)]
Description = Annotated[str, BeforeValidator(_composed), StringConstraints(strict=True, max_length=1_000)]
Word = Annotated[str, BeforeValidator(_composed), StringConstraints(strict=True, max_length=100)]
FreeObject = Annotated[dict[str, Any], BeforeValidator(plain_numbers)]
