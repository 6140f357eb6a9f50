"""The JSON object that came, whose keys are also attributes.

Every answer is a dict and prints, compares and `json.dumps`es exactly as the
server sent it; a subclass only says which fields the protocol declares. What
is left out: validation. A server may send more, less or other than declared,
and nothing of it is lost or refused.

>>> class Usage(Object):
...     prompt_tokens: int
...     completion_tokens: int
>>> usage = Usage.from_json('{"prompt_tokens": 9, "cached": true}')
>>> usage["prompt_tokens"], usage.prompt_tokens, usage.cached
(9, 9, True)
>>> print(usage.completion_tokens)
None
>>> usage
{'prompt_tokens': 9, 'cached': True}
"""

import json
from collections.abc import Callable, Iterator
from operator import methodcaller
from typing import TYPE_CHECKING, Any, ClassVar, get_args

if TYPE_CHECKING:
    from typing_extensions import Self


_set = object.__setattr__  # past Object's own, which sets keys


class Object(dict[str, Any]):
    """One JSON object. Keys are attributes, unless a dict method has the name.

    A declared field that the server left out is `None`; any other missing
    name is an `AttributeError` that lists the keys there are. Setting an
    attribute sets the key.
    """

    #: The `x-request-id` header of the answer that this object is the body of.
    _request_id: str | None = None

    _fields: ClassVar[frozenset[str]] = frozenset()
    _children: ClassVar[tuple[tuple[str, "type[Object]"], ...]] = ()

    def __init_subclass__(cls) -> None:
        declared = {k: v for k, v in cls.__annotations__.items() if not k.startswith("_")}
        for name in declared:
            # A property over `dict.get` costs half of what `__getattr__` does.
            setattr(cls, name, property(methodcaller("get", name)))
        children = {k: c for k, v in declared.items() for c in _object_classes(v)}
        cls._fields = cls._fields | declared.keys()
        known = dict(cls._children) | children
        cls._children = tuple((k, c) for k, c in known.items() if c is not Object)

    @classmethod
    def from_json(cls, text: str) -> "Self":
        """The object in `text`, wrapped all the way down.

        Raises `ValueError` for what is not a JSON object, `RecursionError`
        for one nested deeper than the interpreter goes.
        """
        value = parse(text)
        if type(value) is not Object:
            raise ValueError(f"not a JSON object: {text[:200]}")
        cls.declare(value)
        return value  # type: ignore[return-value]  # what `declare` has just made it

    @classmethod
    def declare(cls, value: Any) -> Any:
        """`value` itself, its objects now of the classes that `cls` declares for them.

        Wrapping happened while parsing and knew no classes; giving them
        afterwards, in place, keeps `r.choices[0] is r["choices"][0]` and
        costs a tenth of building each object anew.
        """
        if isinstance(value, Object):
            _declare(value, cls)
        return value

    # Hidden from type checkers, so that they still find `r.choises`.
    if not TYPE_CHECKING:  # pragma: no branch

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") and name.endswith("__"):
                raise AttributeError(name)  # copy and pickle ask for methods; a key is none
            try:
                return self[name]
            except KeyError:
                keys = ", ".join(self.keys())  # iterating a ModelList gives no keys
                raise AttributeError(
                    f"this {type(self).__name__} has no {name!r}; its keys: {keys}"
                ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> Iterator[str]:
        yield from super().__dir__()
        yield from self.keys()

    @property
    def model_extra(self) -> dict[str, Any]:
        """What the server sent beyond the declared fields."""
        return {k: v for k, v in self.items() if k not in self._fields}

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists all the way down, exactly as received."""
        return {k: _plain(v) for k, v in self.items()}

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON as received."""
        return json.dumps(self, indent=indent, ensure_ascii=False)

    def model_dump(
        self, *, mode: str = "python", exclude_unset: bool = False, exclude_none: bool = False
    ) -> dict[str, Any]:
        """As `to_dict`, with `None` for declared fields that did not come.

        The names and defaults are the openai SDK's; `mode` is accepted and
        makes no difference, since all values are JSON already.
        """
        del mode
        dumped = {} if exclude_unset else dict.fromkeys(sorted(self._fields - self.keys()))

        def dump(value: Any) -> Any:
            if isinstance(value, Object):
                return value.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)
            return [dump(item) for item in value] if isinstance(value, list) else value

        dumped |= {k: dump(v) for k, v in self.items()}
        return {k: v for k, v in dumped.items() if not (exclude_none and v is None)}

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        exclude_unset: bool = False,
        exclude_none: bool = False,
    ) -> str:
        """`model_dump` as JSON text."""
        plain = self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)
        separators = (",", ":") if indent is None else None
        return json.dumps(plain, indent=indent, ensure_ascii=False, separators=separators)


# Made once, with a hook: the C scanner then wraps while it parses, ten times as
# fast as walking the result.
_decoder = json.JSONDecoder(object_hook=Object)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]  # not in typeshed


def parse(text: str) -> Any:
    """Parse JSON text, every object in it an `Object`.

    Raises `ValueError` for what is no JSON, `RecursionError` for what is
    nested deeper than the interpreter goes.
    """
    try:
        value, end = _scan(text, 0)
    except StopIteration:  # there is no value, or blanks come first
        return _decoder.decode(text)
    return value if end == len(text) else _decoder.decode(text)


def _declare(value: Object, kind: type[Object]) -> None:
    """What `Object.declare` does; a function, for it is called thrice a chunk."""
    _set(value, "__class__", kind)
    for name, child in kind._children:
        inner = value.get(name)
        if inner is None:
            continue
        if isinstance(inner, Object):
            _declare(inner, child)
        elif type(inner) is list:
            for item in inner:
                if isinstance(item, Object):
                    _declare(item, child)


def _object_classes(annotation: Any) -> Iterator[type[Object]]:
    """The Object classes inside `Choice`, `list[Choice]` or `list[Choice] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Object):
        yield annotation
    for argument in get_args(annotation):
        yield from _object_classes(argument)


def _plain(value: Any) -> Any:
    if isinstance(value, Object):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, list) else value
