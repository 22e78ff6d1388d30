"""The table of the chart's values: their comments from values.yaml, their types from its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Schema = Mapping[str, Any]
_SIGNS = str.maketrans({"|": r"\|", "<": "&lt;"})


@dataclass(frozen=True)
class Value:
    """A row.

    Attributes:
        path: with dots, as `helm --set` takes it.
        type: the schema's words, or the values that there are.
        default: as JSON; empty of one that has others below it, which is a row only where it has a meaning.
        meaning: the comment; empty without one.
    """

    path: str
    type: str
    default: str
    meaning: str


def build_table(text: str, schema: Schema) -> str:
    """Build the table in Markdown of a values.yaml and its schema."""
    rows = (
        f"| `{value.path}` | {value.type} | {value.default and f'`{value.default}`'} | {value.meaning} |\n"
        for value in read_values(text, schema)
    )
    return "| value | type | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def read_values(text: str, schema: Schema) -> Iterator[Value]:
    """Read the values in their order.

    The comment of a value is the one directly above it. At the top level one comment also is for those that follow
    without a blank line and without a comment of their own.
    """
    reader = _Reader(text.splitlines(), schema.get("definitions", {}))
    return reader.below(yaml.compose(text), yaml.safe_load(text), schema)


@dataclass(frozen=True)
class _Reader:
    lines: list[str]
    definitions: Mapping[str, Schema]

    def below(
        self, node: yaml.MappingNode, values: Mapping[str, Any], schema: Schema, prefix: str = ""
    ) -> Iterator[Value]:
        meaning = ""
        for key, child in node.value:
            line, value = key.start_mark.line, values[key.value]
            follows = not prefix and line > 0 and self.lines[line - 1].strip()
            meaning = self._comment_above(line) or (meaning if follows else "")
            of_value = self._resolve(schema.get("properties", {}).get(key.value, {}))
            path = f"{prefix}{key.value}"
            is_branch = bool(value) and "properties" in of_value
            if meaning or not is_branch:
                default = "" if is_branch else json.dumps(value)
                yield Value(path, _words(of_value), default, meaning.translate(_SIGNS))
            if is_branch:
                yield from self.below(child, value, of_value, f"{path}.")

    def _comment_above(self, line: int) -> str:
        first = line
        while first > 0 and self.lines[first - 1].lstrip().startswith("#"):
            first -= 1
        return " ".join(each.strip(" #") for each in self.lines[first:line])

    def _resolve(self, schema: Schema) -> Schema:
        return self.definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _words(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kinds = schema.get("type", "object")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
