"""The venue's own OpenAPI and AsyncAPI files as validators: what an answer or a frame says that its schema does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

METHODS = ("get", "post", "put", "delete", "patch")
_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Specification:
    """One OpenAPI file. Operations are named like ``GET /data/order/{orderID}``."""

    def __init__(self, recorded_data: Path, name: str) -> None:
        self.file = f"{name}-openapi"
        packed = gzip.decompress((recorded_data / "specs" / f"{name}-openapi.yaml.gz").read_bytes())
        self.document: dict[str, Any] = _with_nulls(yaml.load(packed, _loader))

    def operations(self) -> set[str]:
        """Every documented operation."""
        return {
            f"{method.upper()} {path}"
            for path, item in self.document["paths"].items()
            for method in item
            if method in METHODS
        }

    def parameters(self, operation: str) -> set[str]:
        """The names of an operation's query parameters."""
        return {each["name"] for each in self._operation(operation).get("parameters", []) if each["in"] == "query"}

    def faults(self, operation: str, status: int, body: object) -> set[str]:
        """What is wrong with an answer, each as ``status place: rule``; empty when it is as documented."""
        documented = self._operation(operation)["responses"].get(str(status))
        if documented is None:
            return {f"{status}: not documented"}
        schema = documented.get("content", {}).get("application/json", {}).get("schema", {})
        return {f"{status} {fault}" for fault in faults_of({**schema, "components": self._components}, body)}

    def _operation(self, operation: str) -> dict[str, Any]:
        method, _, path = operation.partition(" ")
        found: dict[str, Any] = self.document["paths"][path][method.lower()]
        return found

    @property
    def _components(self) -> object:
        return self.document.get("components", {})


class Frames:
    """One AsyncAPI file: the payload schema of every message, by the message's name."""

    def __init__(self, recorded_data: Path, name: str) -> None:
        self.file = name
        self.document: dict[str, Any] = _with_nulls(json.loads((recorded_data / "specs" / f"{name}.json").read_bytes()))

    def messages(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["components"]["messages"]
        return found

    def faults(self, message: str, frame: object) -> set[str]:
        """What is wrong with a frame, each as ``place: rule``."""
        schema = {**self.messages()[message]["payload"], "components": self.document["components"]}
        return set(faults_of(schema, frame))


def faults_of(schema: dict[str, Any], value: object) -> Iterator[str]:
    """Each way in which a value breaks a schema, named without the value: ``data/*/price: type number``."""
    for error in Draft202012Validator(schema).iter_errors(value):
        yield from _named(error)


def _named(error: ValidationError) -> Iterator[str]:
    # Positions, and ids used as names, are all the same place.
    steps = ["*" if isinstance(step, int) or len(step) > 40 else step for step in error.absolute_path]
    place = "/".join(steps) or "(whole)"
    rule = error.validator
    if rule == "required":
        missing = next(name for name in cast(list[str], error.validator_value) if f"'{name}'" in error.message)
        yield f"{place}: {missing} is missing"
    elif rule in ("oneOf", "anyOf", "allOf"):
        yield f"{place}: fits no form"
    elif rule in ("type", "format", "pattern", "minLength", "const"):
        yield f"{place}: {rule} {error.validator_value}"
    else:
        yield f"{place}: {rule}"


def _with_nulls(node: Any) -> Any:
    """Read ``nullable`` as the venue's files mean it, whatever version of OpenAPI they say they are."""
    if isinstance(node, list):
        return [_with_nulls(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _with_nulls(value) for name, value in node.items()}
    if made.pop("nullable", False) is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made
