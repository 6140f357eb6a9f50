"""Values for schemas: they satisfy them, and they are what was asked for where that is known."""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from typing import Any

import pytest

from rawllm.testing.formats import FORMATS
from rawllm.testing.instances import instance
from rawllm.testing.schemas import fault, read, same

from . import schemas


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    """The schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required)}


TEXT, INTEGER, NUMBER, NULL = ({"type": t} for t in ("string", "integer", "number", "null"))

# --- the value --------------------------------------------------------------

#: name: (schema, its value)
VALUES: dict[str, tuple[Any, Any]] = {
    "true": (True, "text"),
    "anything": ({}, "text"),
    "text": (TEXT, "text"),
    "an integer": (INTEGER, 1),
    "a number": (NUMBER, 1),
    "a boolean": ({"type": "boolean"}, True),
    "null": (NULL, None),
    "an array": ({"type": "array"}, ["text"]),
    "an object": ({"type": "object"}, {}),
    "a type or null": ({"type": ["null", "integer"]}, 1),
    # fixed
    "a const": ({"const": [1]}, [1]),
    "a const of null": ({"const": None}, None),
    "an enum": ({"enum": ["a", "b"]}, "a"),
    "an enum with null": ({"enum": [None, "a"]}, "a"),
    "an enum of a type": ({"enum": [1, "a"], "type": "string"}, "a"),
    "an enum within limits": ({"enum": [1, 5], "minimum": 2}, 5),
    "two enums": ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, 2),
    "a default": ({"type": "string", "default": "metric"}, "metric"),
    "a default that is wrong": ({"type": "integer", "default": "x"}, 1),
    "a default of null": ({"anyOf": [INTEGER, NULL], "default": None}, 1),
    "examples": ({"type": "string", "examples": [1, "x", "y"]}, "x"),
    "a default before examples": ({"examples": ["x"], "default": "y"}, "y"),
    "examples that are none": ({"type": "string", "examples": "xyz"}, "text"),
    # texts
    "a least length": ({"type": "string", "minLength": 6}, "textte"),
    "a most length": ({"type": "string", "maxLength": 2}, "te"),
    "no length": ({"type": "string", "maxLength": 0}, ""),
    "a pattern": ({"type": "string", "pattern": r"^[A-Z]{2}\d$"}, "AB2"),
    "a pattern that the name fits": (obj(code={"pattern": "^[a-z]+$"}), {"code": "code"}),
    "a pattern of a length": ({"pattern": "^[A-Z]+$", "minLength": 3}, "ABC"),
    "a pattern of a great length": (
        {"pattern": "^[a-z]+$", "minLength": 40},
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmn",
    ),
    "two patterns": ({"allOf": [{"pattern": "^[a-z]{3}$"}, {"pattern": "b"}]}, "abc"),
    "an unknown format": ({"type": "string", "format": "phone"}, "text"),
    "a format with a pattern": ({"format": "date", "pattern": "-07$"}, "2025-01-07"),
    "a pattern of a format": ({"format": "hostname", "pattern": "^[a-z]{3}$"}, "abc"),
    # numbers
    "a minimum": ({"type": "integer", "minimum": 18}, 18),
    "a minimum below 1": ({"type": "integer", "minimum": 0}, 1),
    "a maximum": ({"type": "integer", "maximum": -3}, -3),
    "above": ({"type": "integer", "exclusiveMinimum": 1}, 2),
    "below": ({"type": "integer", "exclusiveMaximum": 1}, 0),
    "an integer above a fraction": ({"type": "integer", "minimum": 2.5}, 3),
    "a number above a fraction": ({"type": "number", "minimum": 2.25}, 2.5),
    "a number between": ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
    "a narrow place": ({"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.2}, 0.15),
    "one number": ({"type": "number", "minimum": 0.3, "maximum": 0.3}, 0.3),
    "multiples": ({"type": "integer", "multipleOf": 5}, 5),
    "multiples in a place": ({"multipleOf": 7, "minimum": 15, "maximum": 22}, 21),
    "multiples below": ({"multipleOf": 7, "maximum": -1}, -7),
    "multiples of a tenth": ({"multipleOf": 0.1, "minimum": 0.25, "maximum": 0.35}, 0.3),
    "whole multiples of a fraction": ({"type": "integer", "multipleOf": 1.5}, 3),
    "multiples of two": ({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}]}, 12),
    "a large number": ({"type": "number", "minimum": 10**400}, 10**400),
    "between large numbers": (
        {"type": "number", "exclusiveMinimum": 10**400, "exclusiveMaximum": 10**400 + 2},
        10**400 + 1,
    ),
    # arrays
    "items": ({"type": "array", "items": INTEGER}, [1]),
    "least items": ({"type": "array", "items": INTEGER, "minItems": 2}, [1, 1]),
    "most items": ({"type": "array", "maxItems": 0}, []),
    "no items": ({"items": False}, []),
    "a tuple": ({"prefixItems": [INTEGER, TEXT]}, [1, "text"]),
    "a tuple and more": ({"prefixItems": [INTEGER], "items": NULL, "minItems": 3}, [1, None, None]),
    "a tuple and no more": ({"prefixItems": [INTEGER], "items": False}, [1]),
    "a tuple of what cannot be": ({"prefixItems": [INTEGER, False]}, [1]),
    "different items": (
        {"type": "array", "items": TEXT, "minItems": 3, "uniqueItems": True},
        ["text", "text2", "text3"],
    ),
    "different numbers": (
        {"items": {"type": "integer", "maximum": 2}, "minItems": 4, "uniqueItems": True},
        [1, 2, 0, -1],
    ),
    "different booleans": (
        {"items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
        [True, False],
    ),
    "different objects": (
        {"items": obj(a=TEXT, b={"type": "boolean"}), "minItems": 3, "uniqueItems": True},
        [{"a": "a", "b": True}, {"a": "a", "b": False}, {"a": "a2", "b": False}],
    ),
    "different arrays": (
        {"items": {"items": INTEGER, "minItems": 2}, "minItems": 2, "uniqueItems": True},
        [[1, 1], [1, 2]],
    ),
    "different alternatives": (
        {"items": {"anyOf": [NULL, {"const": 1}]}, "minItems": 2, "uniqueItems": True},
        [1, None],
    ),
    "different dates": (
        {"items": {"format": "date"}, "minItems": 2, "uniqueItems": True},
        ["2025-01-01", "2025-01-02"],
    ),
    "different letters": (
        {"items": {"type": "string", "maxLength": 1}, "minItems": 3, "uniqueItems": True},
        ["t", "2", "3"],
    ),
    # objects
    "all properties": (obj("a", a=TEXT, b=INTEGER), {"a": "a", "b": 1}),
    "required beside": ({"required": ["b"], "properties": {"a": INTEGER}}, {"a": 1, "b": "b"}),
    "required by another type": (
        {"required": ["b"], "additionalProperties": INTEGER},
        {"b": 1},
    ),
    "a property without a name": (obj(**{"": TEXT}), {"": "text"}),
    "a property that must not be": (obj(a=False, b=INTEGER), {"b": 1}),
    "most properties": (
        {**obj("c", a=INTEGER, b=INTEGER, c=INTEGER), "maxProperties": 2},
        {"a": 1, "c": 1},
    ),
    "least properties": (
        {"type": "object", "minProperties": 2, "additionalProperties": INTEGER},
        {"key1": 1, "key2": 1},
    ),
    "least properties beside declared ones": (
        {**obj(key1=INTEGER), "minProperties": 2, "additionalProperties": NULL},
        {"key1": 1, "key2": None},
    ),
    # combinations
    "all of": ({"allOf": [obj("a", a=TEXT), obj("b", b=INTEGER)]}, {"a": "a", "b": 1}),
    "all of, one closed": (
        {
            "allOf": [
                obj(a=TEXT, b=TEXT),
                {**obj(a={"maxLength": 3}), "additionalProperties": False},
            ]
        },
        {"a": "a"},
    ),
    "all of and beside": ({"type": "integer", "allOf": [{"minimum": 5}], "maximum": 5}, 5),
    "any of": ({"anyOf": [INTEGER, TEXT]}, 1),
    "any of and null": ({"anyOf": [NULL, INTEGER]}, 1),
    "any of what can be": (
        {"anyOf": [False, {"minimum": 2, "maximum": 1, "type": "integer"}, TEXT]},
        "text",
    ),
    "one of": ({"oneOf": [INTEGER, TEXT]}, 1),
    "one of that include each other": ({"oneOf": [INTEGER, NUMBER]}, 1.5),
    "one of two required": (
        {**obj(a=INTEGER, b=INTEGER), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": 1},
    ),
    "any of texts and limits": (
        {"anyOf": [{"minLength": 9}, {"minLength": 5}], "maxLength": 6},
        "textte",
    ),
    "types that meet": (
        {"allOf": [{"type": ["integer", "null"]}, {"type": ["null", "string"]}]},
        None,
    ),
    # conditions
    "not": ({"type": "string", "not": {"const": "text"}}, "text2"),
    "a property that may not be": (obj("a", a=TEXT, b={"not": {}}), {"a": "a"}),
    "what then must be": (
        {**obj(a={"enum": [1, 2]}), "if": obj(a={"const": 1}), "then": obj("b", b=INTEGER)},
        {"a": 1, "b": 1},
    ),
    "what else must be": ({"if": {"type": "string"}, "then": False, "else": INTEGER}, 1),
    "an array that contains": ({"contains": {"const": 5}, "items": INTEGER}, [5]),
    "an array that contains several": (
        {
            "contains": INTEGER,
            "minContains": 2,
            "items": {"minimum": 3},
            "minItems": 3,
            "uniqueItems": True,
        },
        [3, 4, 3.5],
    ),
    "properties by the patterns of their names": (
        {**obj("x_1"), "patternProperties": {"^x_": INTEGER}, "additionalProperties": False},
        {"x_1": 1},
    ),
    "names from an enum": ({"propertyNames": {"enum": ["a"]}}, {}),
    "a name that depends on another": (
        {**obj(a=TEXT, b=TEXT), "dependentRequired": {"a": ["b"]}},
        {"a": "a", "b": "b"},
    ),
    # references
    "a reference": ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 7}}}, 7),
    "a reference and beside": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}, "minimum": 3},
        3,
    ),
    "a circle beside a way out": (
        {"anyOf": [TEXT, {"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}},
        "text",
    ),
}


@pytest.mark.parametrize(("schema", "value"), VALUES.values(), ids=VALUES)
def test_a_schema_has_its_value(schema: Any, value: Any) -> None:
    found = instance(schema)
    assert same(found, value), found


# --- schemas that contain themselves ----------------------------------------

LIST = {
    "$defs": {
        "node": obj(
            "value", "next", value=INTEGER, next={"anyOf": [{"$ref": "#/$defs/node"}, NULL]}
        )
    },
    "$ref": "#/$defs/node",
}
TREE = obj("name", name=TEXT, children={"type": "array", "items": {"$ref": "#"}})
SUM = {
    "$defs": {
        "term": {"anyOf": [{"$ref": "#/$defs/sum"}, INTEGER]},
        "sum": obj("left", "right", left={"$ref": "#/$defs/term"}, right={"$ref": "#/$defs/term"}),
    },
    **obj("term", term={"$ref": "#/$defs/term"}),
}

#: name: (schema, its value)
RECURSIVE: dict[str, tuple[Any, Any]] = {
    "a list ends with null": (LIST, {"value": 1, "next": None}),
    "a tree ends with no children": (
        TREE,
        {"name": "name", "children": [{"name": "name", "children": []}]},
    ),
    "a sum ends with numbers": (
        SUM,
        {"term": {"left": 1, "right": 1}},
    ),
    "a class that may be null ends with null": (
        {**obj("next", next={"$ref": "#"}), "type": ["object", "null"]},
        {"next": None},
    ),
    "a class that may be null is not entered again": (
        obj("next", next={"$ref": "#/$defs/x"})
        | {"$defs": {"x": {**obj("y", y={"$ref": "#"}), "type": ["object", "null"]}}},
        {"next": {"y": {"next": None}}},
    ),
    "an object ends without it": (obj(a={"$ref": "#"}), {"a": {}}),
    "a tuple ends before it": ({"prefixItems": [INTEGER, {"$ref": "#"}]}, [1, [1]]),
    "what is asked for once more": (
        {
            "allOf": [{"$ref": "#/$defs/a"}, {"required": ["a"]}],
            "$defs": {"a": obj(a={"$ref": "#/$defs/a"})},
        },
        {"a": {}},
    ),
}


@pytest.mark.parametrize(("schema", "value"), RECURSIVE.values(), ids=RECURSIVE)
def test_a_schema_that_contains_itself_ends(schema: Any, value: Any) -> None:
    assert instance(schema) == value


def test_many_schemas_that_contain_each_other_end_soon() -> None:
    names = [f"d{number}" for number in range(9)]
    defs = {name: obj(**{other: {"$ref": f"#/$defs/{other}"} for other in names}) for name in names}
    start = time.process_time()
    value = instance({"$ref": "#/$defs/d0", "$defs": defs})
    assert len(value) == 9
    assert time.process_time() - start < 5


@pytest.mark.parametrize("many", [4, 5, 9])
@pytest.mark.parametrize("inside", [False, True])
def test_classes_that_contain_each_other_and_may_be_null_end_soon(many: int, inside: bool) -> None:
    names = [f"d{number}" for number in range(many)]
    refs: dict[str, Any] = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    if not inside:
        refs = {name: {"anyOf": [ref, NULL]} for name, ref in refs.items()}
    kind = ["object", "null"] if inside else "object"
    schema = {
        "$ref": "#/$defs/d0",
        "$defs": {n: obj(*names, **refs) | {"type": kind} for n in names},
    }
    assert len(json.dumps(instance(schema))) < 100 * 1000  # each of so many places has some nulls


def test_items_that_contain_each_other_end_soon() -> None:
    names = [f"d{number}" for number in range(9)]
    others = {"prefixItems": [{"$ref": f"#/$defs/{other}"} for other in names]}
    start = time.process_time()
    value = instance({"$ref": "#/$defs/d0", "$defs": dict.fromkeys(names, others)})
    assert len(value) == 9
    assert time.process_time() - start < 5


# --- words ------------------------------------------------------------------

#: name: (schema, words, its value)
WORDS: dict[str, tuple[Any, list[str], Any]] = {
    "a word": (obj(city=TEXT), ["Paris"], {"city": "Paris"}),
    "one after another": (
        obj(origin=TEXT, stops={"type": "array", "items": TEXT, "minItems": 2}, days=TEXT),
        ["Rome", "Oslo", "Paris"],
        {"origin": "Rome", "stops": ["Oslo", "Paris"], "days": "days"},
    ),
    "the same twice": (obj(a=TEXT, b=TEXT, c=TEXT), ["X", "X"], {"a": "X", "b": "X", "c": "c"}),
    "one that fits": (
        obj(code={"type": "string", "pattern": "^[A-Z]{3}$"}, city=TEXT),
        ["Paris", "EUR"],
        {"code": "EUR", "city": "Paris"},
    ),
    "one that is short enough": (obj(a={"type": "string", "maxLength": 2}), ["Paris"], {"a": "a"}),
    "none for a format": (
        obj(host={"format": "hostname"}),
        ["Paris"],
        {"host": "host1.example.com"},
    ),
    "none for an enum": (obj(a={"enum": ["x"]}, b=TEXT), ["Paris"], {"a": "x", "b": "Paris"}),
    "one that an enum has taken": (obj(a={"enum": ["X"]}, b=TEXT), ["X"], {"a": "X", "b": "b"}),
    "one that was given back": (
        obj(
            a={
                "anyOf": [
                    obj("x", "y", x=TEXT, y={"type": "integer", "minimum": 2, "maximum": 1}),
                    TEXT,
                ]
            }
        ),
        ["Paris"],
        {"a": "Paris"},
    ),
    "one that was given back, for one of two": (
        {"oneOf": [obj("a", a=TEXT), obj("a", "b", a=TEXT, b=TEXT)]},
        ["Rome", "Oslo"],
        {"a": "Rome"},
    ),
    "one at the root": (TEXT, ["Paris"], "Paris"),
}


@pytest.mark.parametrize(("schema", "words", "value"), WORDS.values(), ids=WORDS)
def test_texts_are_taken_from_the_words(schema: Any, words: list[str], value: Any) -> None:
    assert instance(schema, words) == value
    assert instance(schema, iter(words)) == value


def test_words_without_end_are_fine() -> None:
    assert instance(obj(a=TEXT, b=TEXT), itertools.cycle(["x", "y"])) == {"a": "x", "b": "y"}


# --- what is refused --------------------------------------------------------

#: name: (schema, what is said of it)
REFUSED: dict[str, tuple[Any, str]] = {
    "no schema": ({"type": "int"}, "type: must be one of"),
    "not supported": (
        {"properties": {"a": {"unevaluatedProperties": False}}},
        "properties.a.unevaluatedProperties: is not supported here",
    ),
    "a pattern of JavaScript": (
        obj(a={"type": "string", "pattern": r"^\p{L}$"}),
        "properties.a.pattern: is not supported here",
    ),
    "a pattern of JavaScript for names": (
        obj(a={"patternProperties": {r"^\p{L}$": {}}, "required": ["b"]}),
        "properties.a.patternProperties: is not supported here",
    ),
    "another document": (
        obj(a={"$ref": "https://example.com/schema"}),
        "properties.a.$ref: is not supported here",
    ),
    "not what it must be": ({"const": 1, "not": {"type": "integer"}}, "not: no value was found"),
    "contains what may not be": (
        {"type": "array", "items": TEXT, "contains": INTEGER},
        "contains.type: excludes what",
    ),
    "false": (False, "the schema: is false, or contains itself without end"),
    "limits that leave nothing": (
        obj(age={"type": "integer", "minimum": 5, "maximum": 3}),
        "properties.age.minimum: no value was found that satisfies this and the rest",
    ),
    "lengths that leave nothing": (
        {"type": "string", "minLength": 3, "maxLength": 2},
        "maxLength: no value was found",
    ),
    "multiples that leave nothing": (
        {"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9},
        "multipleOf: no value was found",
    ),
    "an enum of another type": ({"enum": [1], "type": "string"}, "type: no value was found"),
    "types that exclude each other": ({"allOf": [TEXT, NULL]}, "allOf.1.type: excludes what"),
    "a pattern that cannot match": ({"type": "string", "pattern": "a^"}, "pattern: no value"),
    "a format that is too long": (
        {"type": "string", "format": "uuid", "maxLength": 9},
        "maxLength: no",
    ),
    "a required property that is false": (
        obj("a", a=False),
        "properties.a: is false, or contains itself without end",
    ),
    "a required property that another forbids": (
        {"allOf": [obj("a", a=TEXT), {"additionalProperties": False}]},
        "allOf.1.additionalProperties: is false",
    ),
    "more properties than may be": (
        {"type": "object", "minProperties": 1, "additionalProperties": False},
        "minProperties: no value was found",
    ),
    "more required than may be": ({**obj("a", "b"), "maxProperties": 1}, "maxProperties: no value"),
    "more items than may be": ({"type": "array", "minItems": 1, "items": False}, "items: is false"),
    "more different items than there are": (
        {"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "boolean"}},
        "minItems: no value was found",
    ),
    "one of two that are the same": ({"type": "null", "oneOf": [True, {}]}, "oneOf: no value"),
    "a circle": ({"$ref": "#"}, "the schema: is false, or contains itself without end"),
    "a circle that is required": (
        {"$ref": "#/$defs/a", "$defs": {"a": obj("a", a={"$ref": "#/$defs/a"})}},
        "$defs.a.properties.a: is false, or contains itself without end",
    ),
    "a circle among alternatives": (
        {"anyOf": [{"$ref": "#/$defs/a"}, INTEGER], "$defs": {"a": {"$ref": "#/$defs/a"}}},
        "the schema: is nested too deep, or refers to itself alone",
    ),
    "too long": (
        {"type": "string", "minLength": 10**9},
        "minLength: more than 100000 are not made",
    ),
    "too many items": (
        {"type": "array", "minItems": 10**9},
        "minItems: more than 1000 are not made",
    ),
    "too many properties": ({"type": "object", "minProperties": 10**9}, "minProperties: more than"),
}


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_value_is_refused_with_its_place(schema: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        instance(schema)


def test_a_schema_nested_too_deep_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(2000):
        schema = {"items": schema}
    with pytest.raises(ValueError, match="nested too deep"):
        instance(schema)


def test_a_schema_of_too_many_values_is_refused_soon() -> None:
    schema: dict[str, Any] = {"const": 1}
    for _ in range(4):
        schema = {"type": "array", "minItems": 20, "items": schema}
    start = time.process_time()
    with pytest.raises(ValueError, match="the schema: no value was found in 20000 tries"):
        instance(schema)
    assert time.process_time() - start < 20


# --- schemas of other programs ----------------------------------------------

#: What pydantic makes of a class with optional, nested and constrained fields.
PYDANTIC = {
    "$defs": {
        "Address": {
            "properties": {
                "street": {"title": "Street", "type": "string"},
                "zip": {"pattern": "^\\d{5}$", "title": "Zip", "type": "string"},
            },
            "required": ["street", "zip"],
            "title": "Address",
            "type": "object",
        },
        "Cat": {
            "properties": {
                "kind": {"const": "cat", "title": "Kind", "type": "string"},
                "lives": {"exclusiveMinimum": 0, "maximum": 9, "title": "Lives", "type": "integer"},
            },
            "required": ["kind", "lives"],
            "title": "Cat",
            "type": "object",
        },
        "Colour": {"enum": ["red", "green"], "title": "Colour", "type": "string"},
        "Dog": {
            "properties": {
                "kind": {"const": "dog", "title": "Kind", "type": "string"},
                "friends": {
                    "anyOf": [
                        {"items": {"$ref": "#/$defs/Dog"}, "type": "array"},
                        {"type": "null"},
                    ],
                    "default": None,
                    "title": "Friends",
                },
            },
            "required": ["kind"],
            "title": "Dog",
            "type": "object",
        },
    },
    "additionalProperties": False,
    "properties": {
        "name": {"description": "full name", "maxLength": 40, "title": "Name", "type": "string"},
        "born": {"format": "date", "title": "Born", "type": "string"},
        "email": {
            "anyOf": [{"format": "email", "type": "string"}, {"type": "null"}],
            "default": None,
        },
        "colour": {"$ref": "#/$defs/Colour", "default": "green"},
        "address": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]},
        "pet": {
            "discriminator": {
                "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"},
                "propertyName": "kind",
            },
            "oneOf": [{"$ref": "#/$defs/Dog"}, {"$ref": "#/$defs/Cat"}],
            "title": "Pet",
        },
        "point": {
            "maxItems": 2,
            "minItems": 2,
            "prefixItems": [{"type": "number"}, {"type": "number"}],
            "title": "Point",
            "type": "array",
        },
        "tags": {
            "items": {"type": "string"},
            "type": "array",
            "uniqueItems": True,
            "title": "Tags",
        },
        "scores": {"additionalProperties": {"type": "number"}, "title": "Scores", "type": "object"},
        "extra": {"title": "Extra"},
    },
    "required": ["name", "born", "address", "pet"],
    "title": "Person",
    "type": "object",
}


def test_a_class_of_pydantic_is_filled_in() -> None:
    assert instance(PYDANTIC, ["Ada Lovelace", "London"]) == {
        "name": "Ada Lovelace",
        "born": "2025-01-01",
        "email": "user1@example.com",
        "colour": "red",
        "address": {"street": "London", "zip": "01234"},
        "pet": {"kind": "dog", "friends": [{"kind": "dog", "friends": []}]},
        "point": [1, 1],
        "tags": ["tags"],
        "scores": {},
        "extra": "extra",
    }


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_has_the_format_that_is_asked_for(name: str) -> None:
    assert FORMATS[name].fits(instance({"type": "string", "format": name}))


# --- schemas by chance ------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_value_is_found_for_every_schema_that_has_one(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        given = schemas.value(chance, 3)
        schema = schemas.around(given, chance)
        assert fault(given, read(schema)) is None
        found = instance(schema)
        assert fault(found, read(schema)) is None
        assert same(json.loads(json.dumps(found)), found)
        assert instance(schema) == found  # and always the same


@pytest.mark.parametrize("seed", range(8))
def test_any_schema_has_a_value_that_satisfies_it_or_is_refused(seed: int) -> None:
    chance = random.Random(seed)
    made = 0
    for _ in range(100):
        schema = schemas.whole(chance, circles=True)
        try:
            found = instance(schema, ["Paris", "Rome"])
        except ValueError:
            continue
        made += 1
        assert fault(found, read(schema)) is None
    assert made > 30


@pytest.mark.parametrize("seed", range(8))
def test_jsonschema_finds_no_fault_with_any_value(seed: int) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    chance = random.Random(seed)
    judged: list[tuple[Any, list[str]]]
    judged = [(schema, []) for schema, _ in VALUES.values() if "multipleOf" not in str(schema)]
    judged += [(schema, []) for schema, _ in RECURSIVE.values()]
    judged += [(schema, words) for schema, words, _ in WORDS.values()] + [(PYDANTIC, [])]
    judged += [(schemas.whole(chance), []) for _ in range(100)]
    judged += [(schemas.around(schemas.value(chance), chance), []) for _ in range(100)]
    for schema, words in judged:
        try:
            found = instance(schema, words)
        except ValueError:
            continue
        formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=formats).validate(found)
