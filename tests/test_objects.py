"""The dict that came, whose keys are also attributes."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rawllm.objects import Object, parse


class Leaf(Object):
    name: str
    size: int | None


class Branch(Object):
    leaf: Leaf | None
    leaves: list[Leaf]
    more: dict[str, Leaf] | None
    _hidden: Leaf


class Tree(Branch):
    branch: Branch
    leaf: Object  # type: ignore[assignment]  # declared anew


TEXT = '{"name": "é", "size": null, "extra": [1, {"a": 2}], "ok": true}'

# --- a dict -----------------------------------------------------------------


@pytest.mark.parametrize("cls", [Object, Leaf])
def test_it_is_the_dict_that_came(cls: type[Object]) -> None:
    value, plain = cls.from_json(TEXT), json.loads(TEXT)
    assert value == plain
    assert repr(value) == repr(plain)
    assert str(value) == str(plain)
    assert json.dumps(value) == json.dumps(plain)
    assert list(value) == list(plain)
    assert isinstance(value, dict)


def test_every_object_in_a_json_text_is_one() -> None:
    value = parse('{"a": {"b": [{"c": 1}, [{"d": 2}]]}}')
    for item in (value, value["a"], value["a"]["b"][0], value["a"]["b"][1][0]):
        assert type(item) is Object


@pytest.mark.parametrize("text", ["[]", "null", "5", '"x"', "[{}]"])
def test_a_json_text_without_an_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a JSON object: ") as caught:
        Object.from_json(text)
    assert str(caught.value).endswith(text)


def test_a_refusal_shows_the_beginning_of_a_long_text() -> None:
    with pytest.raises(ValueError, match=r"^not a JSON object: \[1{199}$"):
        Object.from_json(f"[{'1' * 1000}]")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("", ValueError, id="empty"),
        pytest.param("{", ValueError, id="half"),
        pytest.param("{} {}", ValueError, id="two"),
        pytest.param('{"a":' * 100_000, RecursionError, id="too deep"),
    ],
)
def test_what_is_not_json_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Object.from_json(text)


# --- attributes -------------------------------------------------------------


def test_keys_are_attributes() -> None:
    value = Leaf.from_json(TEXT)
    assert value.name == "é"
    assert value.size is None
    assert value.extra == [1, {"a": 2}]  # type: ignore[attr-defined]
    assert value.extra[1].a == 2  # type: ignore[attr-defined]


def test_an_attribute_is_the_value_itself() -> None:
    value = Branch.from_json('{"leaves": [{}], "leaf": {}, "extra": {}}')
    assert value.leaves is value["leaves"]
    assert value.leaves[0] is value["leaves"][0]
    assert value.leaf is value["leaf"]
    assert value.extra is value["extra"]  # type: ignore[attr-defined]


def test_a_declared_field_that_did_not_come_is_none() -> None:
    value = Branch.from_json("{}")
    assert value.leaf is None
    assert value.leaves is None
    assert value == {}
    assert "leaf" not in value
    assert hasattr(value, "leaf")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(
            Leaf(name="x", extra=1), "this Leaf has no 'nope'; its keys: name, extra", id="Leaf"
        ),
        pytest.param(Object(), "this Object has no 'nope'; its keys: ", id="no keys"),
    ],
)
def test_a_name_that_is_neither_declared_nor_there_lists_the_keys(
    value: Object, message: str
) -> None:
    with pytest.raises(AttributeError) as caught:
        value.nope  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == message
    assert caught.value.__suppress_context__
    assert not hasattr(value, "nope")


def test_setting_an_attribute_sets_the_key() -> None:
    value = Leaf.from_json("{}")
    value.name = "x"
    value.extra = [1]
    assert value == {"name": "x", "extra": [1]}
    value.name = "y"
    assert value["name"] == value.name == "y"


def test_deleting_an_attribute_deletes_the_key() -> None:
    value = Leaf(name="x", extra=1)
    del value.name
    del value.extra  # type: ignore[attr-defined]
    assert value == {}
    assert value.name is None  # it is declared


@pytest.mark.parametrize("name", ["name", "nope"])
def test_deleting_what_is_not_there_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"^{name}$") as caught:
        delattr(Leaf(), name)
    assert caught.value.__suppress_context__


def test_a_name_with_an_underscore_is_no_key() -> None:
    value = Object.from_json('{"_debug_info": 1}')
    assert value._request_id is None
    value._request_id = "r"
    assert value._request_id == "r"
    assert value == {"_debug_info": 1}
    assert value._debug_info == 1  # type: ignore[attr-defined]
    assert Object()._request_id is None


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "copy", "pop", "update"])
def test_of_a_key_named_like_a_method_the_method_is_the_attribute(name: str) -> None:
    value = Object.from_json(json.dumps({name: 1, "a": 2}))
    assert callable(getattr(value, name))
    assert value[name] == 1
    assert value.to_dict() == value.model_dump() == {name: 1, "a": 2}


def test_dir_lists_keys_and_methods() -> None:
    listed = dir(Leaf(extra=1))
    assert {"extra", "name", "to_dict", "items"} <= set(listed)


# --- declared classes -------------------------------------------------------


def test_objects_have_the_classes_that_are_declared() -> None:
    text = (
        '{"leaf": {"leaf": {}}, "leaves": [{}, 5, {}], "more": {"x": {}}, "_hidden": {}, "b": {}}'
    )
    value = Branch.from_json(text)
    assert type(value) is Branch
    assert type(value.leaf) is Leaf
    assert type(value["leaf"]["leaf"]) is Object  # a Leaf declares no leaf
    assert [type(item) for item in value.leaves] == [Leaf, int, Leaf]
    assert type(value["more"]) is Leaf
    assert type(value["_hidden"]) is Object
    assert type(value["b"]) is Object


def test_declarations_are_inherited_and_may_change() -> None:
    value = Tree.from_json('{"branch": {"leaf": {}}, "leaf": {}, "leaves": [{}]}')
    assert type(value.branch) is Branch
    assert type(value.branch.leaf) is Leaf
    assert type(value.leaf) is Object
    assert type(value.leaves[0]) is Leaf
    assert Tree().more is None
    assert Tree(x=1, leaf=2, branch=3).model_extra == {"x": 1}


def test_a_class_may_be_declared_anywhere() -> None:
    class Here(Object):
        leaf: Leaf
        leaves: list[Leaf] | None
        number: int
        _hidden: Leaf

    class There(Here):
        leaf: Object  # type: ignore[assignment]
        more: Here

    text = '{"leaf": {}, "leaves": [{}], "number": 1, "_hidden": {}, "more": {"leaf": {}}, "x": 2}'
    here, there = Here.from_json(text), There.from_json(text)
    assert [type(here[key]) for key in here] == [Leaf, list, int, Object, Object, int]
    assert [type(there[key]) for key in there] == [Object, list, int, Object, Here, int]
    assert type(here.leaves[0] if here.leaves else None) is Leaf
    assert type(there.more.leaf) is Leaf
    assert there.leaf is there["leaf"]
    assert list(here.model_extra) == ["_hidden", "more", "x"]
    assert list(there.model_extra) == ["_hidden", "x"]
    assert Here().number is None
    assert There().leaf is None
    assert There().more is None
    assert not hasattr(Here(), "_hidden")


@pytest.mark.parametrize("field", ["leaf", "leaves"])
@pytest.mark.parametrize("value", [None, 5, "x", [], [None, 5], [[{}]], {}])
def test_what_is_not_as_declared_stays_as_it_came(field: str, value: Any) -> None:
    text = json.dumps({field: value})
    assert json.dumps(Branch.from_json(text)) == text


def test_declaring_returns_the_value_itself() -> None:
    value = parse('{"leaf": {}}')
    assert Branch.declare(value) is value
    assert type(value) is Branch
    assert type(value.leaf) is Leaf
    assert Branch.declare(5) == 5
    plain: dict[str, Any] = {"leaf": {}}
    assert type(Branch.declare(plain)) is dict


# --- copies -----------------------------------------------------------------


@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        *(
            pytest.param(
                lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol)),
                id=f"pickle {protocol}",
            )
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_copy_keeps_class_and_request_id(copied: Callable[[Branch], Branch]) -> None:
    value = Branch.from_json('{"leaf": {"name": "x"}, "leaves": [{}], "extra": {"a": 1}}')
    value._request_id = "r"
    twin = copied(value)
    assert twin is not value
    assert twin == value
    assert type(twin) is Branch
    assert type(twin.leaf) is Leaf
    assert type(twin.leaves[0]) is Leaf
    assert twin._request_id == "r"
    twin.leaf = None
    assert value.leaf == {"name": "x"}


@pytest.mark.parametrize(
    "name", ["__deepcopy__", "__setstate__", "__getstate__", "__reduce_ex__", "__array_interface__"]
)
def test_a_key_named_like_a_method_of_python_is_no_attribute(name: str) -> None:
    value = Branch.from_json(json.dumps({name: 1, "leaf": {name: None}}))
    assert getattr(value, name, None) != 1
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert type(twin.leaf) is Leaf
    assert value[name] == 1


def test_only_names_between_underscores_are_pythons() -> None:
    value = Object.from_json('{"__verbose": {"a": 1}, "tail__": 2, "__both__": 3}')
    assert getattr(value, "__verbose").a == 1  # which is llama-server's
    assert value.tail__ == 2  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"^__both__$"):
        value.__both__  # type: ignore[attr-defined]  # noqa: B018


# --- plain values -----------------------------------------------------------

DEEP = '{"leaf": {"name": "é", "extra": [{"a": null}]}, "leaves": [{"size": 1}, 5, [{"b": 2}]]}'


def classes(value: Any) -> set[type]:
    """The classes of all objects and lists in `value`."""
    if isinstance(value, dict):
        return {type(value)}.union(*map(classes, value.values()))
    if isinstance(value, list):
        return {type(value)}.union(*map(classes, value))
    return set()


def test_to_dict_is_plain_all_the_way_down() -> None:
    value = Branch.from_json(DEEP)
    plain = value.to_dict()
    assert plain == value
    assert classes(plain) == {dict, list}
    plain["leaf"]["name"] = "y"
    plain["leaves"].clear()
    assert value == json.loads(DEEP)


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_to_json_is_the_json_that_came(indent: int | None) -> None:
    value = Branch.from_json(DEEP)
    expected = json.dumps(json.loads(DEEP), indent=indent, ensure_ascii=False)
    assert value.to_json(indent=indent) == expected
    assert value.to_json() == value.to_json(indent=2)


def test_model_extra_is_what_was_not_declared() -> None:
    assert Leaf.from_json(TEXT).model_extra == {"extra": [1, {"a": 2}], "ok": True}
    assert Leaf().model_extra == {}


DUMPED = {
    "leaf": {"name": "é", "size": None, "extra": [{"a": None}]},
    "leaves": [{"name": None, "size": 1}, 5, [{"b": 2}]],
    "more": None,
}


@pytest.mark.parametrize(
    ("options", "dumped"),
    [
        pytest.param({}, DUMPED, id="all"),
        pytest.param({"mode": "json"}, DUMPED, id="mode"),
        pytest.param({"exclude_unset": True}, json.loads(DEEP), id="exclude_unset"),
        pytest.param(
            {"exclude_none": True},
            {
                "leaf": {"name": "é", "extra": [{}]},
                "leaves": [{"size": 1}, 5, [{"b": 2}]],
            },
            id="exclude_none",
        ),
        pytest.param(
            {"exclude_none": True, "exclude_unset": True},
            {
                "leaf": {"name": "é", "extra": [{}]},
                "leaves": [{"size": 1}, 5, [{"b": 2}]],
            },
            id="both",
        ),
    ],
)
def test_model_dump_adds_the_declared_fields(options: dict[str, Any], dumped: Any) -> None:
    value = Branch.from_json(DEEP)
    assert value.model_dump(**options) == dumped
    assert classes(value.model_dump(**options)) == {dict, list}
    options.pop("mode", None)
    compact = json.dumps(value.model_dump(**options), ensure_ascii=False, separators=(",", ":"))
    assert value.model_dump_json(**options) == compact
    indented = json.dumps(value.model_dump(**options), ensure_ascii=False, indent=2)
    assert value.model_dump_json(indent=2, **options) == indented


def test_model_dump_names_the_fields_that_did_not_come_in_one_order() -> None:
    assert list(Branch(x=1).model_dump()) == ["leaf", "leaves", "more", "x"]


def test_a_null_that_came_is_kept_unless_excluded() -> None:
    value = Leaf.from_json('{"name": null, "x": [null]}')
    assert value.model_dump(exclude_unset=True) == {"name": None, "x": [None]}
    assert value.model_dump(exclude_none=True) == {"x": [None]}
