# SPDX-License-Identifier: Apache-2.0
"""A transaction as a block of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiary._result import Result
from apiary.errors import StateError

if TYPE_CHECKING:
    from types import TracebackType

    from apiary._session import Progress, Session
    from apiary._stream import Stream
    from apiary._values import Parameters


class Transaction:
    """Statements that make one version of one frame together, or nothing at all.

    Made by `Apiary.transaction` and `Session.transaction`. It is committed at the end of its
    ``with`` block, and rolled back by an exception that leaves it. It reads each frame as it was
    when it first did, and sees its own changes; nobody else does before the end. When others have
    changed the frame meanwhile, the end is a `Conflict` and nothing is changed: run the block
    again.

    >>> from apiary import Apiary
    >>> with Apiary("demo") as ap:
    ...     frame = ap.create_hive("h").create_box("b").create_frame("f", {"n": "int64"})
    ...     with ap.transaction() as tx:
    ...         _ = tx.sql("INSERT INTO h.b.f VALUES (1), (2)")
    ...         _ = tx.sql("UPDATE h.b.f SET n = n * 10 WHERE n = 2")
    ...     tx.result["version"], sorted(ap.sql("FROM h.b.f")["n"])
    (1, [1, 20])
    """

    def __init__(self, session: Session, owns_session: bool) -> None:
        self._session = session
        self._owns_session = owns_session
        self._result: dict[str, Any] | None = None
        session.sql("BEGIN")
        self._open = True

    @property
    def open(self) -> bool:
        """Neither committed nor rolled back?"""
        return self._open and not self._session.closed and self._session.in_transaction

    @property
    def result(self) -> dict[str, Any] | None:
        """What the commit answered: rows_inserted, rows_updated, rows_deleted and version; None
        while there is none.
        """
        return self._result

    def _opened(self) -> Session:
        if not self.open:
            raise StateError(
                "the transaction has ended", hint="with ap.transaction() as tx: begins another one"
            )
        return self._session

    def sql(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Run SQL in it and give the rows of the last statement, as `Apiary.sql` does."""
        return self._opened().sql(query, params, timeout=timeout, progress=progress)

    def sql_stream(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        batch_size: int | None = None,
    ) -> Stream:
        """Run SQL in it and give the rows batch by batch, as `Apiary.sql_stream` does."""
        return self._opened().sql_stream(
            query, params, timeout=timeout, progress=progress, batch_size=batch_size
        )

    def commit(self) -> dict[str, Any]:
        """Commit now; what it answers is `result`."""
        session = self._opened()
        self._open = False
        try:
            self._result = session.sql("COMMIT").to_pylist()[0]
        finally:
            self._leave()
        return self._result

    def rollback(self) -> None:
        """Take back all it did."""
        session = self._opened()
        self._open = False
        try:
            session.sql("ROLLBACK")
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._owns_session:
            self._session.close()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.open:
            self._leave()
        elif error is None:
            self.commit()
        else:
            self.rollback()

    def __repr__(self) -> str:
        return f"<Transaction: {'open' if self.open else 'ended'}>"
