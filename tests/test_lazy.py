"""An attribute that is made when it is first asked for."""

from __future__ import annotations

import threading

from rawllm.lazy import lazy
from tests.servers import PATIENCE


class Slow:
    """Makes its attribute once for each event, and not before that is set."""

    def __init__(self, *gates: threading.Event) -> None:
        self.gates = list(gates)
        self.begun = threading.Event()

    @lazy
    def made(self) -> list[threading.Event]:
        """What is made."""
        gate = self.gates.pop(0)
        self.begun.set()
        assert gate.wait(PATIENCE)
        return [gate]


def gate(*, is_open: bool) -> threading.Event:
    event = threading.Event()
    if is_open:
        event.set()
    return event


def test_it_is_made_once() -> None:
    slow = Slow(gate(is_open=True), gate(is_open=True))
    assert slow.made is slow.made
    assert len(slow.gates) == 1


def test_each_object_has_its_own() -> None:
    one, other = Slow(gate(is_open=True)), Slow(gate(is_open=True))
    assert one.made is not other.made


def test_it_can_be_replaced() -> None:
    slow = Slow()
    slow.made = []
    assert slow.made == []


def test_a_class_has_its_documentation() -> None:
    assert Slow.made.__doc__ == "What is made."


def test_nobody_waits_for_a_thread_that_makes_it() -> None:
    held = gate(is_open=False)
    slow, made = Slow(held, gate(is_open=True)), []
    thread = threading.Thread(target=lambda: made.append(slow.made), daemon=True)
    thread.start()
    assert slow.begun.wait(PATIENCE)
    mine = slow.made
    held.set()
    thread.join(PATIENCE)
    assert made[0] is mine
