# SPDX-License-Identifier: Apache-2.0
"""The answer of a query, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from apiary import _core
from apiary._result import Result, need

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow

_ROWS_AT_ONCE = 1024


class Batch(Result):
    """Rows of a stream: a `Result` that is one Arrow record batch, so that
    ``pyarrow.record_batch(batch)`` takes it too.
    """

    __slots__ = ()

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        return self._batches.__arrow_c_array__()


class Stream:
    """The answer of a query, batch by batch, while it is being worked out.

    It is read once, and holds no more than a batch beside what the engine works with, however many
    rows there are. Iterating gives `Batch` objects; `rows()` gives tuples;
    ``pyarrow.RecordBatchReader.from_stream(stream)``, ``polars.DataFrame(stream)`` and others take
    what is left of it over. It holds an engine until it is at its end, closed, or forgotten.

    One thread at a time reads; `close()` and `Apiary.cancel()` work from any thread.

    >>> from apiary import Apiary
    >>> with Apiary("demo") as ap:
    ...     with ap.sql_stream("SELECT range AS n FROM range(100_000)") as stream:
    ...         total = sum(n for (n,) in stream.rows())
    >>> total
    4999950000
    """

    __slots__ = ("__weakref__", "_columns", "_stream")

    def __init__(self, stream: _core.Stream) -> None:
        self._stream = stream
        self._columns = stream.none

    # ------------------------------------------------------------------------------- about it

    @property
    def columns(self) -> list[str]:
        """The columns' names, in order."""
        return self._columns.names

    @property
    def types(self) -> list[str]:
        """The columns' types, as words: ``int64``, ``list<string>``."""
        return self._columns.types

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns as a pyarrow schema."""
        return need("pyarrow", "pyarrow").schema(self._columns)

    @property
    def closed(self) -> bool:
        """Is there nothing more to read: at its end, closed, or handed over?"""
        return self._stream.closed

    # ---------------------------------------------------------------------------------- reading

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batches = self._stream.next()
        if batches is None:
            raise StopIteration
        return Batch(batches)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows that are left, as tuples."""
        while (batches := self._stream.next()) is not None:
            for start in range(0, batches.num_rows, _ROWS_AT_ONCE):
                yield from batches.rows(start, start + _ROWS_AT_ONCE)

    def reader(self) -> pyarrow.RecordBatchReader:
        """What is left as a pyarrow reader."""
        return need("pyarrow", "pyarrow").RecordBatchReader.from_stream(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._stream.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._columns.__arrow_c_schema__()

    # -------------------------------------------------------------------------------- its end

    def close(self) -> None:
        """End the query and free its engine; from any thread, and as often as you like."""
        self._stream.close()

    def cancel(self) -> None:
        """Cancel the query, from another thread: its reader gets `Cancelled`."""
        self._stream.interrupt()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        pairs = ", ".join(f"{name}: {kind}" for name, kind in zip(self.columns, self.types))
        return f"<Stream of ({pairs}): {state}>"
