"""JSON Schema: what is one, and where a value breaks it."""

from __future__ import annotations

import math
import random
import re
from fractions import Fraction
from typing import Any

import pytest

from rawllm.testing.formats import FORMATS
from rawllm.testing.schemas import UNSUPPORTED, Part, exact, fault, names_of, read, same, types_of

from . import schemas

# --- reading ----------------------------------------------------------------

#: name: (what is no schema, what is said of it)
WRONG: dict[str, tuple[Any, str]] = {
    "null": (None, "the schema: must be an object or a boolean, not null"),
    "a list": ([{}], "the schema: must be an object or a boolean, not [{}]"),
    "a property that is none": (
        {"properties": {"age": "integer"}},
        'properties.age: must be an object or a boolean, not "integer"',
    ),
    "items as a list": ({"items": [{}]}, "items: must be an object or a boolean, not [{}]"),
    "properties as a list": (
        {"properties": []},
        "properties: must be an object of schemas, not []",
    ),
    "a type that is none": (
        {"properties": {"a": {"type": "int"}}},
        "properties.a.type: must be one of string, object, array, integer, number, boolean, null, "
        'or a list of them, not "int"',
    ),
    "no type in a list": ({"type": []}, "type: must be one of string"),
    "a type of types that is none": ({"type": ["string", "text"]}, "type: must be one of string"),
    "a type of a type": ({"type": [["string"]]}, "type: must be one of string"),
    "an empty enum": ({"enum": []}, "enum: must be a list of at least one value, not []"),
    "an enum that is text": (
        {"enum": "ab"},
        'enum: must be a list of at least one value, not "ab"',
    ),
    "a length of text": (
        {"minLength": "3"},
        'minLength: must be a whole number of at least 0, not "3"',
    ),
    "a negative length": ({"maxLength": -1}, "maxLength: must be a whole number of at least 0"),
    "a length that is true": ({"minItems": True}, "minItems: must be a whole number of at least 0"),
    "a fraction of an item": ({"maxItems": 1.5}, "maxItems: must be a whole number of at least 0"),
    "so many properties": ({"minProperties": None}, "minProperties: must be a whole number"),
    "at most so many": ({"maxProperties": {}}, "maxProperties: must be a whole number"),
    "a limit of draft 4": (
        {"minimum": 0, "exclusiveMinimum": True},
        "exclusiveMinimum: must be a number, not true",
    ),
    "a maximum of text": ({"maximum": "9"}, 'maximum: must be a number, not "9"'),
    "multiples of nothing": ({"multipleOf": 0}, "multipleOf: must be a number above 0, not 0"),
    "multiples of text": ({"multipleOf": "2"}, 'multipleOf: must be a number above 0, not "2"'),
    "required as in draft 3": ({"required": True}, "required: must be a list of names, not true"),
    "a required number": ({"required": [1]}, "required: must be a list of names, not [1]"),
    "unique as text": ({"uniqueItems": "yes"}, 'uniqueItems: must be true or false, not "yes"'),
    "a pattern of 2": ({"pattern": 2}, "pattern: must be a regular expression, not 2"),
    "patterns of names in a list": (
        {"patternProperties": ["^a"]},
        "patternProperties: must be an object of schemas",
    ),
    "a name that depends on one": (
        {"dependentRequired": {"a": "b"}},
        'dependentRequired: must be an object of lists of names, not {"a": "b"}',
    ),
    "names that depend on each other": (
        {"dependentRequired": ["a"]},
        "dependentRequired: must be an object of lists of names",
    ),
    "not a text": ({"not": "text"}, "not: must be an object or a boolean"),
    "half of an item": ({"minContains": 0.5}, "minContains: must be a whole number of at least 0"),
    "a format of null": ({"format": None}, "format: must be a name, not null"),
    "nothing to choose from": (
        {"anyOf": []},
        "anyOf: must be a list of at least one schema, not []",
    ),
    "one instead of a list": ({"oneOf": {}}, "oneOf: must be a list of at least one schema"),
    "within a list": ({"allOf": [{}, {"type": "x"}]}, "allOf.1.type: must be one of"),
    "within a tuple": (
        {"prefixItems": [1]},
        "prefixItems.0: must be an object or a boolean, not 1",
    ),
    "within what is not used": ({"$defs": {"x": {"type": 1}}}, "$defs.x.type: must be one of"),
    "within what draft 7 has": ({"definitions": {"x": 1}}, "definitions.x: must be an object"),
    "within more properties": ({"additionalProperties": 0}, "additionalProperties: must be an obj"),
    "a reference of 1": ({"$ref": 1}, "$ref: must be a reference, as #/$defs/name, not 1"),
    "a reference to nothing": (
        {"properties": {"a": {"$ref": "#/$defs/a"}}},
        "properties.a.$ref: there is no #/$defs/a",
    ),
    "a reference into text": ({"$ref": "#/title/x", "title": "y"}, "$ref: there is no #/title/x"),
    "a reference past a list": ({"$ref": "#/enum/1", "enum": [{}]}, "$ref: there is no #/enum/1"),
    "a reference to no place": ({"$ref": "#/enum/x", "enum": [{}]}, "$ref: there is no #/enum/x"),
    "a reference to what is none": (
        {"$ref": "#/x-own", "x-own": {"type": 1}},
        "x-own.type: must be one of",
    ),
    "not a number of JSON": ({"minimum": math.nan}, "the schema: is not JSON: "),
    "not JSON at all": ({"const": {1, 2}}, "the schema: is not JSON: "),
    "a long value is cut": ({"type": "x" * 200}, 'not "' + "x" * 99),
}


@pytest.mark.parametrize(("schema", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_schema_is_refused_with_its_place(schema: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read(schema)
    assert str(caught.value).startswith(words) or words.startswith("not ")


#: keyword: what it says that no value can be judged by here
STRANGE: dict[str, Any] = dict.fromkeys(UNSUPPORTED, True) | {
    "pattern": r"^\p{L}$",
    "patternProperties": {"(": {}},
    "$ref": "https://example.com/schema",
}


@pytest.mark.parametrize(("keyword", "said"), STRANGE.items(), ids=STRANGE)
def test_what_is_not_supported_is_a_schema_and_refused_where_a_value_could_be_wrong(
    keyword: str, said: Any
) -> None:
    part = read({"items": {keyword: said}})
    assert fault([], part) is None
    with pytest.raises(ValueError, match=rf"^items\.{re.escape(keyword)}: is not supported here$"):
        fault([{"a": 1}], part)


def test_a_reference_to_an_anchor_is_not_supported() -> None:
    with pytest.raises(ValueError, match=r"^\$ref: is not supported here$"):
        fault(1, read({"$ref": "#x", "$defs": {"x": {"$anchor": "x"}}}))


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(True, id="true"),
        pytest.param({}, id="nothing"),
        pytest.param({"title": 1, "x-order": [], "then": {}, "strict": True}, id="unknown words"),
        pytest.param({"format": "phone"}, id="an unknown format"),
        pytest.param({"properties": {"not": {}, "type": {}}}, id="properties named as keywords"),
        pytest.param({"enum": [{"type": "x"}], "default": {"not": 1}}, id="values, not schemas"),
        pytest.param({"$ref": "#", "$defs": {"x": {"$ref": "#/$defs/x"}}}, id="circles"),
    ],
)
def test_what_is_a_schema_is_read(schema: Any) -> None:
    assert read(schema) == Part(schema, "", schema)


#: name: (schema with a reference at its root, where it leads)
TARGETS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "a definition": ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}, "$defs.a", "null"),
    "as draft 7 has it": (
        {"$ref": "#/definitions/a", "definitions": {"a": {"type": "null"}}},
        "definitions.a",
        "null",
    ),
    "one of a list": ({"$ref": "#/anyOf/0", "anyOf": [{"type": "null"}]}, "anyOf.0", "null"),
    "a name with signs": (
        {"$ref": "#/$defs/a~1b~0c%20d", "$defs": {"a/b~c d": {"type": "null"}}},
        "$defs.a/b~c d",
        "null",
    ),
    "the whole": ({"$ref": "#", "type": "object"}, "", "object"),
}


@pytest.mark.parametrize(("schema", "place", "kind"), TARGETS.values(), ids=TARGETS)
def test_a_reference_leads_to_its_schema(schema: dict[str, Any], place: str, kind: str) -> None:
    target = read(schema).target()
    assert target.place == place
    assert target.schema["type"] == kind


# --- values -----------------------------------------------------------------

NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
    "$ref": "#/$defs/node",
}

#: name: (schema, values that satisfy it, values that do not, the place these break)
FAULTS: dict[str, tuple[Any, list[Any], list[Any], str]] = {
    "false": (False, [], [1, None], "the schema"),
    "a type": ({"type": "string"}, ["", "a"], [1, None, []], "type"),
    "an integer": ({"type": "integer"}, [1, 1.0, -2], [1.5, True, "1"], "type"),
    "a number": ({"type": "number"}, [1, 1.5], [True, "1"], "type"),
    "a boolean": ({"type": "boolean"}, [True, False], [0, 1], "type"),
    "null": ({"type": "null"}, [None], [0, False, ""], "type"),
    "an array": ({"type": "array"}, [[]], [{}, "[]"], "type"),
    "an object": ({"type": "object"}, [{}], [[]], "type"),
    "two types": ({"type": ["string", "null"]}, ["", None], [1], "type"),
    "an enum": ({"enum": [1, "a", [True]]}, [1.0, "a", [True]], [True, [1], "b"], "enum"),
    "a const": ({"const": {"a": 0}}, [{"a": 0.0}], [{"a": False}, {}, {"b": 0}], "const"),
    "a minimum": ({"minimum": 2}, [2, 2.5, "1", True], [1, 1.99], "minimum"),
    "a maximum": ({"maximum": 2}, [2, -1], [2.01], "maximum"),
    "above": ({"exclusiveMinimum": 2}, [2.01], [2, 2.0], "exclusiveMinimum"),
    "below": ({"exclusiveMaximum": 2}, [1.99], [2, 3], "exclusiveMaximum"),
    "multiples": ({"multipleOf": 0.1}, [0.3, 1, -0.7, 1e-1, 0], [0.25, 0.01], "multipleOf"),
    "a least length": ({"minLength": 2}, ["ab", "😀😀", 1], ["😀"], "minLength"),
    "a most length": ({"maxLength": 1}, ["", "😀", ["a", "b"]], ["ab"], "maxLength"),
    "a pattern anywhere": ({"pattern": "b+"}, ["abc", 1], ["ac"], "pattern"),
    "a format": ({"format": "date"}, ["2025-01-31", 1], ["soon"], "format"),
    "an unknown format": ({"format": "phone"}, ["anything"], [], ""),
    "least items": ({"minItems": 1}, [[0], {}], [[]], "minItems"),
    "most items": ({"maxItems": 1}, [[], [0], "ab"], [[1, 2]], "maxItems"),
    "different items": (
        {"uniqueItems": True},
        [[1, True, "1", [1], [True]], [{"a": 1}, {"a": 2}]],
        [[1, 1.0], [{"a": [1]}, {"a": [1.0]}]],
        "uniqueItems",
    ),
    "items that may be equal": ({"uniqueItems": False}, [[1, 1]], [], ""),
    "items": ({"items": {"minimum": 2}}, [[], [2, 3]], [[2, 1]], "items.minimum"),
    "no items": ({"items": False}, [[]], [[1]], "items"),
    "a tuple": (
        {"prefixItems": [{"type": "string"}, True], "items": {"type": "null"}},
        [[], ["a"], ["a", 1, None]],
        [["a", 1, 2]],
        "items.type",
    ),
    "the first of a tuple": (
        {"prefixItems": [{"const": 1}]},
        [[1, 2]],
        [[2]],
        "prefixItems.0.const",
    ),
    "required": ({"required": ["a", "b"]}, [{"a": 1, "b": 2}, []], [{"a": 1}], "required"),
    "least properties": ({"minProperties": 1}, [{"a": 1}], [{}], "minProperties"),
    "most properties": ({"maxProperties": 0}, [{}], [{"a": 1}], "maxProperties"),
    "properties": (
        {"properties": {"age": {"minimum": 2}}},
        [{}, {"age": 2}, {"Age": 1}],
        [{"age": 1}],
        "properties.age.minimum",
    ),
    "no more properties": (
        {"properties": {"a": {}}, "additionalProperties": False},
        [{}, {"a": 1}],
        [{"b": 1}],
        "additionalProperties",
    ),
    "more properties": (
        {"additionalProperties": {"type": "null"}},
        [{"a": None}],
        [{"a": 1}],
        "additionalProperties.type",
    ),
    "properties whose names have a pattern": (
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
        [{}, {"a": None, "ab": None}],
        [{"ab": 1}],
        "patternProperties.^a.type",
    ),
    "a property, and the pattern of its name": (
        {"properties": {"a": {"minimum": 1}}, "patternProperties": {"a": {"maximum": 2}}},
        [{"a": 1}, {"ba": 0}],
        [{"a": 3}, {"ba": 3}],
        "patternProperties.a.maximum",
    ),
    "names of properties": (
        {"propertyNames": {"maxLength": 1}},
        [{"a": "bc"}, [], {}],
        [{"ab": 1}],
        "propertyNames.maxLength",
    ),
    "names that depend on others": (
        {"dependentRequired": {"a": ["b"], "c": ["d"]}},
        [{}, {"b": 1}, {"a": 1, "b": 2}, "a"],
        [{"a": 1}, {"a": 1, "c": 2}],
        "dependentRequired",
    ),
    "not": ({"not": {"type": "string"}}, [1, None], ["a"], "not"),
    "if, then": (
        {"if": {"minimum": 3}, "then": {"multipleOf": 2}, "else": {"minimum": 1}},
        [4, 1, 2],
        [3, 5],
        "then.multipleOf",
    ),
    "if, else": ({"if": {"minimum": 3}, "else": {"minimum": 1}}, [3, 1], [0], "else.minimum"),
    "then without if": ({"then": False, "else": False}, [1], [], ""),
    "contains": ({"contains": {"const": 1}}, [[1], [2, 1], {}], [[], [2]], "contains"),
    "contains often": (
        {"contains": {"const": 1}, "minContains": 2, "maxContains": 3},
        [[1, 1], [1, 1, 2, 1]],
        [[1], [1, 1, 1, 1]],
        "contains",
    ),
    "all of": ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [3], "allOf.1.maximum"),
    "any of": ({"anyOf": [{"minimum": 3}, {"maximum": 1}]}, [1, 3, "a"], [2], "anyOf"),
    "one of": ({"oneOf": [{"minimum": 3}, {"maximum": 4}]}, [2, 5], [3, 4, "a"], "oneOf"),
    "a reference": (
        NODE,
        [{"next": None}, {"next": {"next": None}}],
        [{}],
        "$defs.node.required",
    ),
    "a reference, further down": (NODE, [], [{"next": {}}], "$defs.node.properties.next.anyOf"),
    "the first fault of several": (
        {"required": ["b"], "properties": {"a": False}},
        [{"b": 1}],
        [{"a": 1}],
        "required",
    ),
}


@pytest.mark.parametrize(("schema", "good", "bad", "place"), FAULTS.values(), ids=FAULTS)
def test_the_place_that_a_value_breaks_is_found(
    schema: Any, good: list[Any], bad: list[Any], place: str
) -> None:
    part = read(schema)
    assert [fault(value, part) for value in good] == [None] * len(good)
    assert [fault(value, part) for value in bad] == [place] * len(bad)


def test_json_values_are_equal_where_their_types_are() -> None:
    assert same({"a": [1, None]}, {"a": [1.0, None]})
    assert not same([1], [True])
    assert not same([], [0])
    assert not same({"a": 1}, {"a": 1, "b": 1})
    assert not same([], {})
    assert not same(0, None)


def test_numbers_are_as_their_digits_say() -> None:
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e-7) == Fraction(1, 10**7)


def test_a_whole_number_is_of_two_types() -> None:
    assert types_of(1.0) == types_of(1) == {"integer", "number"}
    assert names_of("string") == names_of(["string"]) == ["string"]


# --- another's judgement ----------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_faults_are_those_that_jsonschema_finds(seed: int) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    formats = jsonschema.FormatChecker(formats=())
    for name, form in FORMATS.items():
        formats.checks(name)(
            lambda value, form=form: not isinstance(value, str) or form.fits(value)
        )
    chance = random.Random(seed)
    told = {True: 0, False: 0}
    for _ in range(200):
        schema = schemas.whole(chance)
        judge = jsonschema.Draft202012Validator(schema, format_checker=formats)
        for value in [schemas.value(chance) for _ in range(10)]:
            expected, found = judge.is_valid(value), fault(value, read(schema))
            assert (found is None) is expected, (schema, value, found)
            told[expected] += 1
    assert min(told.values()) > 100, told
