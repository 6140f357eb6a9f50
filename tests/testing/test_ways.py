"""The ways to satisfy a schema: references and alternatives taken apart."""

from __future__ import annotations

from typing import Any

import pytest

from rawllm.testing import ways
from rawllm.testing.schemas import read
from rawllm.testing.ways import Way, expanded, joined

NODE = {"$defs": {"node": {"items": {"$ref": "#/$defs/node"}}}, "$ref": "#/$defs/node"}

#: name: (schema, the places of each way's schemas)
WAYS: dict[str, tuple[Any, list[list[str]]]] = {
    "one": ({"type": "string"}, [[""]]),
    "true says nothing": (True, [[]]),
    "false has none": (False, []),
    "a reference": (NODE, [["", "$defs.node"]]),
    "a reference to true": ({"$ref": "#/$defs/x", "$defs": {"x": True}}, [[""]]),
    "a reference to false": ({"$ref": "#/$defs/x", "$defs": {"x": False}}, []),
    "a reference to itself": ({"$ref": "#"}, []),
    "all of": ({"allOf": [{}, True, {}]}, [["", "allOf.0", "allOf.2"]]),
    "any of": ({"anyOf": [{}, False, {}]}, [["", "anyOf.0"], ["", "anyOf.2"]]),
    "one of": ({"oneOf": [{}, {}]}, [["", "oneOf.0"], ["", "oneOf.1"]]),
    "none of any": ({"anyOf": [False, {"$ref": "#"}]}, []),
    "any of two, twice": (
        {"anyOf": [{}, {}], "oneOf": [{}, {}]},
        [
            ["", "anyOf.0", "oneOf.0"],
            ["", "anyOf.0", "oneOf.1"],
            ["", "anyOf.1", "oneOf.0"],
            ["", "anyOf.1", "oneOf.1"],
        ],
    ),
    "not anything": ({"not": {}}, []),
    "not true": ({"not": True}, []),
    "not something": ({"not": {"type": "string"}}, [[""]]),
    "if": ({"if": {}, "then": {}, "else": {}}, [["", "if", "then"], ["", "else"]]),
    "if without then": ({"if": {}, "else": {}}, [["", "if"], ["", "else"]]),
    "if without else": ({"if": {}, "then": {}}, [["", "if", "then"], [""]]),
    "if, then nothing": ({"if": {}, "then": False}, [[""]]),
    "nested": (
        {"allOf": [{"anyOf": [{}, {}]}]},
        [["", "allOf.0", "allOf.0.anyOf.0"], ["", "allOf.0", "allOf.0.anyOf.1"]],
    ),
}


@pytest.mark.parametrize(("schema", "places"), WAYS.values(), ids=WAYS)
def test_a_schema_is_taken_apart(schema: Any, places: list[list[str]]) -> None:
    assert [[part.place for part in way.parts] for way in expanded(read(schema))] == places


def test_what_is_referred_to_is_remembered() -> None:
    assert [way.entered for way in expanded(read(NODE))] == [{"$defs.node"}]


def test_a_schema_that_contains_itself_is_entered_twice() -> None:
    assert expanded(read(NODE), ("$defs.node",)) != []
    assert expanded(read(NODE), ("$defs.node", "$defs.node")) == []


def test_there_are_not_too_many_ways() -> None:
    many: dict[str, Any] = {"allOf": [{"anyOf": [{}] * 10}] * 10}
    assert len(expanded(read(many))) == ways.MOST_WAYS


def way_of(*schemas: Any) -> Way:
    [way] = joined(expanded(read(schema)) for schema in schemas)
    return way


#: name: (schemas that must all hold, the types they leave)
TYPES: dict[str, tuple[list[Any], list[str]]] = {
    "a name": ([{"type": "array"}], ["array"]),
    "names": ([{"type": ["boolean", "string"]}], ["boolean", "string"]),
    "null is last": ([{"type": ["null", "string"]}], ["string", "null"]),
    "a number may be an integer": ([{"type": "number"}], ["number", "integer"]),
    "both": ([{"type": "number"}, {"type": "integer"}], ["integer"]),
    "both, the other way round": ([{"type": "integer"}, {"type": "number"}], ["integer"]),
    "what is in all": (
        [{"type": ["string", "null"]}, {"type": ["null", "array"]}, {}],
        ["null"],
    ),
    "any": ([{}], ["string", "object", "array", "integer", "number", "boolean", "null"]),
    "by what is said of it": (
        [{"minimum": 1, "title": "x"}],
        ["number", "string", "object", "array", "integer", "boolean", "null"],
    ),
}


@pytest.mark.parametrize(("schemas", "types"), TYPES.values(), ids=TYPES)
def test_types_are_those_that_all_allow(schemas: list[Any], types: list[str]) -> None:
    assert way_of(*schemas).types() == types


@pytest.mark.parametrize(
    ("keyword", "said", "kind"),
    [
        ("properties", {}, "object"),
        ("required", [], "object"),
        ("additionalProperties", True, "object"),
        ("minProperties", 1, "object"),
        ("items", True, "array"),
        ("prefixItems", [True], "array"),
        ("patternProperties", {}, "object"),
        ("propertyNames", True, "object"),
        ("dependentRequired", {}, "object"),
        ("uniqueItems", True, "array"),
        ("contains", {}, "array"),
        ("maxItems", 1, "array"),
        ("pattern", "a", "string"),
        ("format", "date", "string"),
        ("multipleOf", 1, "number"),
    ],
)
def test_what_is_said_of_a_type_means_it(keyword: str, said: Any, kind: str) -> None:
    assert way_of({keyword: said}).types()[0] == kind


def test_types_that_exclude_each_other_are_refused() -> None:
    schema = {"allOf": [{"type": "string"}, {"type": "integer"}]}
    with pytest.raises(ValueError, match=r"^allOf\.1\.type: excludes what the rest asks for$"):
        way_of(schema).types()


@pytest.mark.parametrize(
    ("schema", "null"),
    [
        ({"type": "null"}, True),
        ({"const": None}, True),
        ({"type": ["null", "string"]}, False),
        ({"const": 0}, False),
        ({}, False),
    ],
)
def test_a_way_to_null_alone_is_known(schema: Any, null: bool) -> None:
    assert way_of(schema).is_null() is null


def test_what_all_say_is_put_together() -> None:
    way = way_of(
        {"minItems": 2, "required": ["b", "a"]}, {}, {"minItems": 5, "required": ["c", "a"]}
    )
    assert way.all("minItems") == [2, 5]
    assert way.least("minItems", 5) == 5
    assert way.least("maxItems", 5) == 0
    assert way.names("required") == ["b", "a", "c"]


def test_a_limit_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^minItems: more than 4 are not made here$"):
        way_of({"minItems": 5}).least("minItems", 4)
