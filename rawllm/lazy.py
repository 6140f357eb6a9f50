"""An attribute that is made when it is first asked for, without a lock.

`functools.cached_property` holds one while it does so, up to Python 3.11: a
process that is forked meanwhile by another thread would wait for it for ever.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from typing_extensions import Self

Value = TypeVar("Value")


class lazy(Generic[Value]):  # noqa: N801  # a decorator, as `property` is
    """A method of an object alone; what it returns becomes its attribute of that name.

    Threads that ask at once may each call it, and all get the same.

    >>> class Lamp:
    ...     @lazy
    ...     def bulb(self) -> list[str]:
    ...         return ["40 W"]
    >>> lamp = Lamp()
    >>> lamp.bulb is lamp.bulb
    True
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "Self": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object, owner: type) -> "Self | Value":
        if instance is None:
            return self
        made: Value = vars(instance).setdefault(self._make.__name__, self._make(instance))
        return made
