# SPDX-License-Identifier: Apache-2.0
"""A session of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from apiary import _core
from apiary._result import Result
from apiary._sessions import Sessions
from apiary._stream import Stream
from apiary._transaction import Transaction
from apiary._values import Parameters, batch_rows, encode_parameters, milliseconds
from apiary.errors import StateError

if TYPE_CHECKING:
    from types import TracebackType

Progress = Callable[[float], object]


class Session:
    """SQL with a state of its own: what ``USE`` and ``SET`` say in it holds in it alone, and what
    others say does not touch it.

    It is made by `Apiary.session` and works until it is closed or its apiary is shut down. It runs
    one call at a time: a second one from another thread is a `StateError`, so give each thread a
    session. Streams count only while they are made; `cancel()` works from any thread.
    """

    def __init__(self, core: _core.Apiary, sessions: Sessions) -> None:
        self._sessions = sessions
        self._session: _core.Session | None = core.session()

    def _opened(self) -> _core.Session:
        if self._session is None:
            raise StateError("the session is closed", hint="make another one")
        return self._session

    def _use_as_others(self) -> None:
        """Use what ``USE`` has set for the whole apiary."""
        self._sessions.use_as_others(self._opened())

    @property
    def hive(self) -> str:
        """The hive in use, or an empty text."""
        return self._opened().hive

    @property
    def box(self) -> str:
        """The box in use, or an empty text."""
        return self._opened().box

    @property
    def in_transaction(self) -> bool:
        """Has BEGIN opened a transaction that is open still?"""
        return self._opened().in_transaction

    @property
    def closed(self) -> bool:
        """Is it closed?"""
        return self._session is None

    def sql(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Run SQL and give the rows of the last statement, as `Apiary.sql` does."""
        encoded = encode_parameters(params)
        timeout_ms = milliseconds(timeout)
        with self._sessions.running(self._opened()) as session:
            return Result(session.query(query, encoded, timeout_ms, progress))

    def sql_stream(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        batch_size: int | None = None,
    ) -> Stream:
        """Run SQL and give the rows of the last statement batch by batch, as `Apiary.sql_stream`
        does.
        """
        encoded = encode_parameters(params)
        rows = batch_rows(batch_size)
        timeout_ms = milliseconds(timeout)
        with self._sessions.running(self._opened()) as session:
            return Stream(session.stream(query, encoded, timeout_ms, progress, rows))

    def transaction(self) -> Transaction:
        """A transaction of this session, as `Apiary.transaction` makes one."""
        return Transaction(self, owns_session=False)

    def export(self, query: str, path: str | os.PathLike[str], format: str | None = None) -> int:
        """Write the rows of a query to a file that must not exist; the number of rows."""
        with self._sessions.running(self._opened()) as session:
            return session.export(query, os.fspath(path), format)

    def cancel(self) -> None:
        """End what it runs, and its streams that are open, from another thread: `Cancelled`."""
        self._opened().interrupt()

    def close(self) -> None:
        """Close it; streams that are open stay so. Again: nothing."""
        self._session = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._session is None:
            return "<Session: closed>"
        used = ".".join(name for name in (self.hive, self.box) if name)
        return f"<Session{' in ' + used if used else ''}>"
