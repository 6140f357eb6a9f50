"""Limits of time hold by shutting the socket; the clock is a parameter."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rawllm.deadlines import Watch
from tests.forks import FORKED, in_child
from tests.servers import PATIENCE

Pair = tuple[socket.socket, socket.socket]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours, theirs:
        yield ours, theirs


def is_shut(ours: socket.socket) -> bool:
    ours.setblocking(False)
    try:
        return ours.recv(1) == b""
    except BlockingIOError:
        return False


def test_nothing_passes_without_limits(pair: Pair) -> None:
    before = threading.active_count()
    watch = Watch()
    watch.attach(pair[0])
    watch.waiting()
    watch.arrived()
    assert watch.passed() is None
    assert watch.left() is None
    assert threading.active_count() == before
    watch.stop()


@pytest.mark.parametrize("name", ["deadline", "first_token_timeout"])
def test_a_limit_runs_from_the_start(clock: Clock, name: str) -> None:
    watch = Watch(**{name: 2.0}, clock=clock)
    assert watch.left() == 2.0
    clock.now += 1.5
    assert watch.left() == 0.5
    assert watch.passed() is None
    clock.now += 0.5
    assert watch.passed() == name


def test_the_limit_that_passed_first_is_named_for_good(clock: Clock) -> None:
    watch = Watch(deadline=3.0, first_token_timeout=2.0, clock=clock)
    clock.now += 2.0
    assert watch.passed() == "first_token_timeout"
    clock.now += 2.0
    assert watch.passed() == "first_token_timeout"


def test_an_answer_ends_the_wait_for_the_first_token(clock: Clock) -> None:
    watch = Watch(first_token_timeout=2.0, clock=clock)
    watch.answering()
    watch.answering()
    clock.now += 5.0
    assert watch.passed() is None


def test_idle_time_is_what_the_caller_waits(clock: Clock) -> None:
    watch = Watch(idle_timeout=2.0, clock=clock)
    clock.now += 9.0
    watch.waiting()
    clock.now += 1.9
    watch.arrived()
    clock.now += 9.0
    assert watch.passed() is None
    watch.waiting()
    clock.now += 2.0
    assert watch.passed() == "idle_timeout"


def test_a_limit_that_passes_shuts_the_socket_and_wakes_its_reader(pair: Pair) -> None:
    watch = Watch(deadline=0.02)
    watch.attach(pair[0])
    assert pair[0].recv(1) == b""
    assert watch.passed() == "deadline"


def test_an_idle_limit_set_while_the_thread_sleeps_holds(pair: Pair) -> None:
    watch = Watch(deadline=PATIENCE, idle_timeout=0.02)
    watch.attach(pair[0])
    watch.waiting()
    assert pair[0].recv(1) == b""
    assert watch.passed() == "idle_timeout"
    watch.stop()


@pytest.mark.parametrize("deadline", [None, PATIENCE * 9], ids=["no limit before", "a longer one"])
def test_what_is_hurried_ends_soon(pair: Pair, deadline: float | None) -> None:
    watch = Watch(deadline=deadline)
    watch.attach(pair[0])
    watch.hurry(0.02)
    assert pair[0].recv(1) == b""
    assert watch.passed() == "deadline"


def test_what_is_hurried_without_a_socket_needs_no_thread() -> None:
    before = {*threading.enumerate()}
    Watch().hurry(PATIENCE)
    assert not {*threading.enumerate()} - before


def test_it_is_known_whether_a_limit_ended_something(pair: Pair, clock: Clock) -> None:
    watch = Watch(deadline=1.0, clock=clock)
    clock.now += 2.0
    assert watch.passed() == "deadline"
    assert not watch.ended
    watch.attach(pair[0])
    assert watch.ended


@pytest.mark.filterwarnings(FORKED)
@pytest.mark.parametrize("work", [Watch.stop, Watch.shut, Watch.__del__], ids=lambda f: f.__name__)
def test_a_forked_process_leaves_the_socket_to_its_parent(
    pair: Pair, work: Callable[[Watch], Any]
) -> None:
    watch = Watch(deadline=PATIENCE * 9)
    watch.attach(pair[0])
    with watch._lock:  # as a thread that the child does not have
        assert not in_child(lambda: work(watch))
    assert not is_shut(pair[0])
    watch.stop()


def test_an_inherited_watch_touches_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    watch.attach(pair[0])
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        assert watch.inherited
        watch.stop()
        assert not watch.shut()
    assert watch.shut()


def test_a_socket_attached_too_late_is_shut_at_once(pair: Pair, clock: Clock) -> None:
    watch = Watch(deadline=1.0, clock=clock)
    clock.now += 2.0
    watch.attach(pair[0])
    assert is_shut(pair[0])


def test_a_socket_attached_twice_is_watched_once(pair: Pair) -> None:
    before = {*threading.enumerate()}
    watch = Watch(deadline=PATIENCE)
    watch.attach(pair[0])
    watch.attach(pair[0])
    assert len({*threading.enumerate()} - before) == 1
    watch.stop()


def test_after_stop_the_socket_is_left_alone(pair: Pair, clock: Clock) -> None:
    watch = Watch(deadline=1.0, clock=clock)
    watch.attach(pair[0])
    watch.stop()
    clock.now += 2.0
    watch.shut()
    assert not is_shut(pair[0])


def test_a_socket_attached_after_stop_is_watched_again(pair: Pair) -> None:
    watch = Watch(deadline=0.05)
    watch.attach(pair[0])
    watch.stop()
    watch.attach(pair[0])
    assert pair[0].recv(1) == b""


def test_shutting_a_closed_socket_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    watch = Watch()
    watch.attach(ours)
    ours.close()
    theirs.close()
    watch.shut()


def test_the_watch_keeps_neither_its_socket_nor_a_thread_alive(pair: Pair) -> None:
    before = set(threading.enumerate())
    watch = Watch(idle_timeout=0.02)
    watch.attach(pair[0])
    (thread,) = set(threading.enumerate()) - before
    del watch
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()
