# SPDX-License-Identifier: Apache-2.0
"""The sessions of one opened apiary: as many as threads ask at once, with one USE state.

A session answers one query at a time, so each query takes one out of the pool and brings it back.
What USE set belongs to the apiary: a session that lags behind is brought up to it first, and what
a query changes becomes the state for the next ones. Of threads that say USE at the same time, the
last to finish prevails.

A session with an open transaction is no one else's: it waits for the thread that opened it.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

from apiary import _core
from apiary._values import identifier
from apiary.errors import NotFound

_IDLE_MAX = 16


class Sessions:
    """A pool of sessions. Safe from any thread."""

    def __init__(self, core: _core.Apiary) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._idle: list[_core.Session] = []
        self._busy: set[_core.Session] = set()
        self._held: weakref.WeakKeyDictionary[threading.Thread, _core.Session] = (
            weakref.WeakKeyDictionary()
        )
        self._used = ("", "")
        self._closed = False

    @contextlib.contextmanager
    def one(self) -> Iterator[_core.Session]:
        """A session of one's own that has what USE set."""
        session, used = self.take()
        try:
            yield session
        finally:
            self.give_back(session, used)

    @contextlib.contextmanager
    def running(self, session: _core.Session) -> Iterator[_core.Session]:
        """A session of somebody's own while it runs something, so that `interrupt` finds it."""
        with self._lock:
            self._busy.add(session)
        try:
            yield session
        finally:
            with self._lock:
                self._busy.discard(session)

    def take(self) -> tuple[_core.Session, tuple[str, str]]:
        """The same in two steps, for who cannot afford a context manager: give it back."""
        with self._lock:
            used = self._used
            held = self._held.pop(threading.current_thread(), None) if self._held else None
            if held is not None:
                self._busy.add(held)
                return held, (held.hive, held.box)
            if self._idle:
                session = self._idle.pop()
                if (session.hive, session.box) == used:
                    self._busy.add(session)
                    return session, used
        # A session cannot be told to use nothing, so one that lags behind is replaced.
        session = self._core.session()
        used = self._bring_up(session, used)
        with self._lock:
            self._busy.add(session)
        return session, used

    def _bring_up(self, session: _core.Session, used: tuple[str, str]) -> tuple[str, str]:
        hive, box = used
        try:
            if box:
                session.query(f"USE BOX {identifier(hive)}.{identifier(box)}", (), 0, None)
            elif hive:
                session.query(f"USE HIVE {identifier(hive)}", (), 0, None)
        except NotFound:  # dropped or renamed since: nothing is in use
            with self._lock:
                if self._used == used:
                    self._used = ("", "")
            return "", ""
        return session.hive, session.box

    def use_as_others(self, session: _core.Session) -> None:
        """Let a fresh session use what the calls of the apiary use."""
        with self._lock:
            used = self._used
        self._bring_up(session, used)

    def give_back(self, session: _core.Session, used: tuple[str, str]) -> None:
        """What `take` gave."""
        now = (session.hive, session.box)
        with self._lock:
            self._busy.discard(session)
            if now != used:
                self._used = now
            if self._closed:
                return
            if session.in_transaction:
                self._held[threading.current_thread()] = session
            elif len(self._idle) < _IDLE_MAX:
                self._idle.append(session)

    def interrupt(self) -> None:
        """End the queries that run."""
        with self._lock:
            running = list(self._busy)
        for session in running:
            session.interrupt()

    def close(self) -> None:
        """Close what is idle at once, and what runs when it is done."""
        with self._lock:
            self._closed = True
            self._idle.clear()
            self._held.clear()
        self.interrupt()
