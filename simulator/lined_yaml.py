"""Reads YAML into plain data and tells on which line each field stands; refuses what YAML would silently swallow."""

from __future__ import annotations

import math
from typing import Any

import yaml

DEEPEST = 20
# PyYAML lets through what its converters meet with, such as AttributeError for "!!timestamp x"
_NOT_YAML = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class YamlError(ValueError):
    """The line (0: unknown) and the reason."""

    def __init__(self, line: int, reason: str):
        super().__init__(f"line {line}: {reason}" if line else reason)


class Lines(dict[str, int]):
    """Path of a field (answers[0].who) to its line; a field that is not there is looked for where it should be."""

    def find(self, field: str) -> int:
        """1 or more; 0: unknown."""
        while field and field not in self:
            field = field[:max(field.rfind("."), field.rfind("["), 0)]
        return self.get(field, 0)


def read(data: bytes) -> tuple[Any, Lines]:
    """Raises YamlError."""
    if b"&" in data or b"*" in data:
        raise YamlError(0, "anchors and aliases are not allowed")
    loader = None
    try:
        loader = yaml.SafeLoader(data)
        node = loader.get_single_node()
        lines = Lines()
        return (None if node is None else _plain(loader, node, "", lines)), lines
    except YamlError:
        raise
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise YamlError(mark.line + 1 if mark else 0, f"not YAML: {problem[:200]}") from None
    finally:
        if loader:
            loader.dispose()


def _plain(loader: yaml.SafeLoader, node: yaml.Node, field: str, lines: Lines, depth: int = 0) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(field, line)
    if depth > DEEPEST:
        raise YamlError(line, f"nested deeper than {DEEPEST}")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, row, f"{field}[{n}]", lines, depth + 1) for n, row in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        value = loader.construct_object(node, deep=True)
        if not _is_plain(value):
            raise YamlError(line, f"{field or 'file'}: must be a text, a number of usual size, true, false or nothing")
        return value
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise YamlError(key_node.start_mark.line + 1, f"{str(key)[:40]!r}: a field's name must be a text")
        if key in values:
            raise YamlError(key_node.start_mark.line + 1, f"{key}: given twice")
        where = f"{field}.{key}" if field else key
        lines[where] = key_node.start_mark.line + 1
        values[key] = _plain(loader, value_node, where, lines, depth + 1)
    return values


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold it: no date, bytes or infinity, and no integer of more digits than Python prints."""
    if isinstance(value, int):
        return -1 << 63 <= value < 1 << 64
    return value is None or isinstance(value, str) or isinstance(value, float) and math.isfinite(value)
