"""Checks plain data against a JSON Schema of the few keywords below, with errors that name the field.

$ref to #/$defs, type, enum, properties, required, additionalProperties, minProperties, items, minItems, maxItems,
minimum, maximum, minLength, maxLength, pattern, anyOf, oneOf of `required`. Where a schema has a description, the error
says it: "must be DESCRIPTION".
"""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


class FieldError(ValueError):
    """`field` (a path like answers[0].who, "" for the whole) and the reason."""

    def __init__(self, field: str, reason: str):
        super().__init__(f"{field or 'file'}: {reason}")
        self.field = field


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], field: str = "") -> None:
    """Raises FieldError where `value` is not as `schema`, a part of `root`, says."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        check(value, target | {k: v for k, v in schema.items() if k != "$ref"}, root, field)
        return
    if "anyOf" in schema and not any(_holds(value, choice, root) for choice in schema["anyOf"]):
        raise _wrong(value, schema, field)
    if "enum" in schema and value not in schema["enum"]:
        raise _wrong(value, schema, field)
    if "type" in schema and not _is_type(value, schema["type"]):
        raise _wrong(value, schema, field)
    if isinstance(value, dict):
        _check_mapping(value, schema, root, field)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            raise _wrong(value, schema, field)
        for n, row in enumerate(value):
            check(row, schema.get("items", {}), root, f"{field}[{n}]")
    elif not _is_in_limits(value, schema):
        raise _wrong(value, schema, field)


def _check_mapping(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], field: str) -> None:
    prefix = f"{field}." if field else ""
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in known or isinstance(others, dict):
            check(item, known.get(name, others), root, prefix + str(name))
        elif not others:
            raise FieldError(prefix + str(name), "not a field")
    for name in schema.get("required", ()):
        if name not in value:
            raise FieldError(prefix + name, "missing")
    if len(value) < schema.get("minProperties", 0):
        raise _wrong(value, schema, field)
    choices = [choice["required"][0] for choice in schema.get("oneOf", ())]
    if choices and sum(name in value for name in choices) != 1:
        raise FieldError(field, f"needs one of {', '.join(choices)}, and no two")


def _holds(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    try:
        check(value, schema, root)
    except FieldError:
        return False
    return True


def _is_type(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _is_in_limits(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return (schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
                and re.fullmatch(schema.get("pattern", r"(?s:.*)"), value) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))  # no NaN is
    return True


def _wrong(value: Any, schema: dict[str, Any], field: str) -> FieldError:
    return FieldError(field, f"must be {_wanted(schema)}, not {str(value)[:60]!r}")


def _wanted(schema: dict[str, Any]) -> str:
    if "description" in schema:
        return schema["description"]
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type", "something else")
    if kind in ("number", "integer"):
        word = "a number" if kind == "number" else "a whole number"
        return f"{word} from {schema['minimum']:.10g} to {schema['maximum']:.10g}"
    if kind == "array":
        least = f"{schema['minItems']} to " if "minItems" in schema else "at most "
        return f"a list of {least}{schema['maxItems']}"
    return {"object": "a mapping", "string": "a text", "boolean": "true or false"}.get(kind, kind)
