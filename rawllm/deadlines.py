"""Time limits that hold: when one passes, the socket is shut down under the reader.

A socket's own timeout starts again with every byte, so that a server which
sends one now and then is waited for for ever. Here a thread of the call's own
watches the clock, and shutting the socket down ends whatever the call waits
for. What is left out: resolving a name, which nothing can interrupt.

A call without limits has no thread.
"""

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable


class Watch:
    """The limits of one call, in seconds; `None` for none.

    `deadline` and `first_token_timeout` run from the making of this object
    (the second until `answering()`), `idle_timeout` from each `waiting()`
    until the next `arrived()`. Only the socket of `attach()` is touched, and
    only until `stop()`: afterwards it may serve somebody else.
    """

    def __init__(
        self,
        deadline: float | None = None,
        first_token_timeout: float | None = None,
        idle_timeout: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        #: The longest wait for a chunk, in seconds.
        self.idle_timeout: float | None = idle_timeout
        start = clock()
        limits = {"deadline": deadline, "first_token_timeout": first_token_timeout}
        self._ends = {name: start + limit for name, limit in limits.items() if limit is not None}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        #: Held until the thread is to end, where there is one.
        self._stopped: threading.Lock | None = None
        self._socket: weakref.ref[socket.socket] | None = None
        self._passed: str | None = None
        #: Whether a limit has ended what the call waited for.
        self.ended: bool = False

    def __del__(self) -> None:
        # Without the lock: nobody else has this object any more, and in a forked process
        # the lock may be that of a thread which is not there.
        self._end_thread()

    @property
    def inherited(self) -> bool:
        """Whether the call is that of the process from which this one was forked.

        Its socket is the parent's, and its locks may be held by threads that are not here.
        """
        return self._pid != os.getpid()

    def passed(self) -> str | None:
        """The name of the limit that has passed, `None` as long as none has."""
        now = self._clock()
        with self._lock:
            for name, end in self._ends.items():
                if self._passed is None and end <= now:
                    self._passed = name
            return self._passed

    def left(self) -> float | None:
        """Seconds until the next limit passes, `None` without one."""
        with self._lock:
            return min(self._ends.values()) - self._clock() if self._ends else None

    def attach(self, sock: socket.socket) -> None:
        """From now on this is the socket that the call waits for."""
        with self._lock:
            if self._socket is not None and self._socket() is sock:
                return
            self._socket = weakref.ref(sock)
        self._begin()
        self._look()

    def answering(self) -> None:
        """The first content has come."""
        with self._lock:
            self._ends.pop("first_token_timeout", None)

    def waiting(self) -> None:
        """The caller waits for the next chunk."""
        if self.idle_timeout is not None:
            with self._lock:
                self._ends["idle_timeout"] = self._clock() + self.idle_timeout

    def arrived(self) -> None:
        """A chunk has come: the caller's own time does not count."""
        if self.idle_timeout is not None:
            with self._lock:
                self._ends.pop("idle_timeout", None)

    def hurry(self, seconds: float) -> None:
        """All that is still awaited has come within `seconds`, or will not be waited for."""
        with self._lock:
            self._ends = {"deadline": self._clock() + seconds}
            self._end_thread()  # which may sleep for longer
        self._begin()

    def stop(self) -> None:
        """The call is over, or its socket is no longer its own: until the next `attach`."""
        if self.inherited:
            return
        with self._lock:
            self._socket = None
            self._end_thread()

    def shut(self, *, by_limit: bool = False) -> bool:
        """End whatever waits for the socket, in whichever thread, and let the server know.

        False if there is no socket to shut.
        """
        if self.inherited:
            return False
        with self._lock:
            sock = self._socket() if self._socket is not None else None
            if sock is not None:
                # Said first, for the reader wakes up as soon as the socket is shut.
                self.ended = self.ended or by_limit
                with contextlib.suppress(OSError):  # it is closed already
                    # Not the TLS socket's own: it would also drop the TLS state
                    # that another thread may be reading through.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            return sock is not None

    def _end_thread(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.release()

    def _begin(self) -> None:
        """Start the thread, if there is something to watch and no thread yet."""
        with self._lock:
            limits = bool(self._ends) or self.idle_timeout is not None
            if self._stopped is not None or self._socket is None or not limits:
                return
            stopped = self._stopped = threading.Lock()
            stopped.acquire()
        watched = weakref.ref(self)
        threading.Thread(target=_watch, args=(watched, stopped), daemon=True).start()

    def _look(self) -> float | None:
        """Shut the socket if a limit has passed; seconds until the next look, `None` for none."""
        if self.passed() is not None:
            self.shut(by_limit=True)
            return None
        # A limit that is set while the thread sleeps ends no sooner than `_idle` from then.
        waits = [wait for wait in (self.left(), self.idle_timeout) if wait is not None]
        return min(waits) if waits else None


def _watch(watched: "weakref.ref[Watch]", stopped: threading.Lock) -> None:
    """The thread: it holds the watch only while it looks, so that a dropped call ends it."""
    pause: float | None = 0.0
    while pause is not None and not stopped.acquire(timeout=max(pause, 0.0)):
        watch = watched()
        pause = watch._look() if watch is not None else None
        del watch
