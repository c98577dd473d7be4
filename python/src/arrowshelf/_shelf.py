# SPDX-License-Identifier: Apache-2.0
"""A connection to the shelf's server."""

from __future__ import annotations

import contextlib
import json
import os
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from apiary import _core, errors

from arrowshelf import _data, _server
from arrowshelf._builder import Builder
from arrowshelf.errors import ConnectionError, InvalidDataError, translated  # noqa: A004

if TYPE_CHECKING:
    import numpy
    import pandas
    import polars
    import pyarrow

_T = TypeVar("_T")


class _Stream:
    """What was got, for whoever imports Arrow streams."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule


class Shelf:
    """One connection, for any number of threads; a forked process makes its own.

    `socket`: a path, or "@" and an abstract name; by default `$ARROWSHELF_SOCKET`, else the user's
    own. Nothing is connected before the first call.
    """

    def __init__(
        self, socket: str | None = None, *, timeout: float = 30.0, copy_threads: int = 0
    ) -> None:
        self._socket = socket
        with translated():
            self._core = _core.Shelf(socket, round(timeout * 1000), copy_threads)
        _shelves.add(self)

    def _ask(self, call: Callable[[], _T]) -> _T:
        """Make a call; a server that is not there is started where that is wished."""
        try:
            with translated():
                return call()
        except ConnectionError:
            if os.environ.get("ARROWSHELF_AUTOSTART") != "1" or self._core.is_connected():
                raise
            _server.start(self._socket, self._core.is_connected)
        with translated():
            return call()

    # ------------------------------------------------------------------------- put and get

    def put(
        self,
        data: Any,
        *,
        name: str | None = None,
        labels: str | None = None,
        pinned: bool = False,
        preserve_index: bool | None = None,
    ) -> str:
        """Copy data to the shelf, once; gives the key by which every process finds it."""
        source = _data.to_arrow(data, preserve_index=preserve_index)
        if os.environ.get("ARROWSHELF_AUTOSTART") == "1" and not self._core.is_connected():
            self._ask(self._core.usage)  # a stream can be read only once
        with translated():
            return self._core.put(source, name, labels, pinned)

    def get(self, key: str, *, copy: bool = True) -> Any:
        """A pandas frame; a NumPy array where one was put.

        With `copy=False` columns that pandas can hold as they are stay in the shelf's memory, read
        only.
        """
        table = self.get_arrow(key)
        if _data.is_array(table.schema):
            view = _data.to_array(table)
            return view.copy() if copy else view
        frame: pandas.DataFrame = table.to_pandas(split_blocks=not copy)
        return frame

    def get_arrow(self, key: str, *, validate: bool = False) -> pyarrow.Table:
        """An Arrow table whose buffers are the shelf's memory.

        `validate` looks at every offset, index and text in it, for whoever does not trust what else
        of this user writes to the shelf; where the buffers lie is always checked.
        """
        import pyarrow

        stream = _Stream(self._ask(lambda: self._core.get(str(key), validate)))
        return pyarrow.RecordBatchReader.from_stream(stream).read_all()

    def get_numpy_view(self, key: str, column: str | int | None = None) -> numpy.ndarray[Any, Any]:
        """A read-only NumPy view of an array that was put, or of a column. Never a copy."""
        return _data.to_array(self.get_arrow(key), column)

    def get_polars(self, key: str) -> polars.DataFrame:
        """A Polars frame over the shelf's memory."""
        import polars

        frame = polars.from_arrow(self.get_arrow(key), rechunk=False)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def create(
        self,
        columns: Mapping[str, Any] | pyarrow.Schema,
        rows: int,
        *,
        name: str | None = None,
        labels: str | None = None,
        pinned: bool = False,
    ) -> Builder:
        """Columns to be filled where they will lie: `{"x": "float64"}` and how many rows."""
        import numpy
        import pyarrow

        if isinstance(columns, pyarrow.Schema):
            schema = columns
        else:
            fields = [
                (str(column), pyarrow.from_numpy_dtype(numpy.dtype(dtype)))
                for column, dtype in columns.items()
            ]
            schema = pyarrow.schema(fields)
        dtypes = [field.type.to_pandas_dtype() for field in schema]
        if any(pyarrow.types.is_boolean(field.type) for field in schema):
            raise InvalidDataError("booleans are bits: build them as uint8")
        core = self._ask(lambda: self._core.create(schema, rows, name, labels, pinned))
        with translated():
            return Builder(core, schema.names, dtypes)

    # ------------------------------------------------------------------------------- keys

    def list_objects(self, label: str | None = None) -> list[dict[str, Any]]:
        """What is on the shelf, oldest first: key, name, labels, bytes, rows, and so on."""
        text = self._ask(lambda: self._core.list(label))
        objects: list[dict[str, Any]] = json.loads(text)
        return objects

    def list_keys(self, label: str | None = None) -> list[str]:
        """The keys on the shelf, oldest first."""
        return [entry["key"] for entry in self.list_objects(label)]

    def delete(self, key: str) -> None:
        """Forget a key or name. Who holds its data keeps it."""
        self._ask(lambda: self._core.delete(str(key)))

    def delete_all(self) -> int:
        """Forget all keys; gives how many there were."""
        return self._ask(self._core.delete_all)

    def pin(self, key: str, pinned: bool = True) -> None:
        """Keep an object from being evicted, or allow it again."""
        self._ask(lambda: self._core.pin(str(key), pinned))

    def memory_usage(self) -> dict[str, int]:
        """What the server has and uses, in bytes and numbers."""
        return self._ask(self._core.usage)

    # ------------------------------------------------------------------------ connection

    def is_connected(self) -> bool:
        """Does the server answer?"""
        return self._core.is_connected()

    def shutdown_server(self) -> None:
        """End the server. Data that is held somewhere stays there."""
        with translated():
            self._core.shutdown()

    def close(self) -> None:
        """Drop the connection. Data that was got stays valid."""
        self._core.close()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_shelves: weakref.WeakSet[Shelf] = weakref.WeakSet()
_entered: list[_core.Shelf] = []


def _before_fork() -> None:
    for shelf in list(_shelves):
        # One that is closed has nothing to hand on.
        with contextlib.suppress(errors.ApiaryError):
            shelf._core.before_fork()
            _entered.append(shelf._core)


def _after_fork(is_child: bool) -> None:
    while _entered:
        _entered.pop().after_fork(is_child)


# Forked processes hold what this one holds.
os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(False),
    after_in_child=lambda: _after_fork(True),
)
