# SPDX-License-Identifier: Apache-2.0
"""ArrowShelf: one copy of the data, mapped by every process.

Start the server by `arrowshelf-server`; then

    key = arrowshelf.put(frame)            # once
    table = arrowshelf.get_arrow(key)      # in any process, without a copy
    arrowshelf.delete(key)

The functions of this module use one connection of this process, made when it is first needed. A
`Shelf` is a connection of one's own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from arrowshelf._builder import Builder
from arrowshelf._shelf import Shelf
from arrowshelf.errors import (
    ArrowShelfError,
    ConnectionError,  # noqa: A004
    InvalidDataError,
    KeyNotFoundError,
    NameTakenError,
    ShelfFullError,
)

if TYPE_CHECKING:
    import numpy
    import polars
    import pyarrow

__all__ = [
    "ArrowShelfError",
    "Builder",
    "ConnectionError",
    "Executor",
    "InvalidDataError",
    "KeyNotFoundError",
    "NameTakenError",
    "Shared",
    "Shelf",
    "ShelfFullError",
    "close",
    "create",
    "delete",
    "delete_all",
    "get",
    "get_arrow",
    "get_numpy_view",
    "get_polars",
    "is_connected",
    "list_keys",
    "list_objects",
    "memory_usage",
    "pin",
    "put",
    "share",
    "shutdown_server",
]

_lock = threading.Lock()
_shelf: Shelf | None = None


def _default() -> Shelf:
    """This process's connection."""
    global _shelf
    with _lock:
        if _shelf is None:
            _shelf = Shelf()
        return _shelf


def put(
    data: Any,
    *,
    name: str | None = None,
    labels: str | None = None,
    pinned: bool = False,
    preserve_index: bool | None = None,
) -> str:
    """Copy data to the shelf, once; gives the key by which every process finds it.

    Takes pandas frames with their index, Polars frames, Arrow tables, batches, arrays and streams,
    NumPy arrays, and dicts of arrays. `name` finds it too; `labels` are words to list by.
    """
    return _default().put(
        data, name=name, labels=labels, pinned=pinned, preserve_index=preserve_index
    )


def get(key: str, *, copy: bool = True) -> Any:
    """A pandas frame; a NumPy array where one was put. See `Shelf.get`."""
    return _default().get(key, copy=copy)


def get_arrow(key: str, *, validate: bool = False) -> pyarrow.Table:
    """An Arrow table whose buffers are the shelf's memory. See `Shelf.get_arrow`."""
    return _default().get_arrow(key, validate=validate)


def get_numpy_view(key: str, column: str | int | None = None) -> numpy.ndarray[Any, Any]:
    """A read-only NumPy view of an array that was put, or of a column. Never a copy."""
    return _default().get_numpy_view(key, column)


def get_polars(key: str) -> polars.DataFrame:
    """A Polars frame over the shelf's memory."""
    return _default().get_polars(key)


def create(
    columns: Mapping[str, Any] | pyarrow.Schema,
    rows: int,
    *,
    name: str | None = None,
    labels: str | None = None,
    pinned: bool = False,
) -> Builder:
    """Columns to be filled where they will lie: `{"x": "float64"}` and how many rows."""
    return _default().create(columns, rows, name=name, labels=labels, pinned=pinned)


def list_keys(label: str | None = None) -> list[str]:
    """The keys on the shelf, oldest first."""
    return _default().list_keys(label)


def list_objects(label: str | None = None) -> list[dict[str, Any]]:
    """What is on the shelf, oldest first: key, name, labels, bytes, rows, and so on."""
    return _default().list_objects(label)


def delete(key: str) -> None:
    """Forget a key or name. Who holds its data keeps it."""
    _default().delete(key)


def delete_all() -> int:
    """Forget all keys; gives how many there were."""
    return _default().delete_all()


def pin(key: str, pinned: bool = True) -> None:
    """Keep an object from being evicted, or allow it again."""
    _default().pin(key, pinned)


def is_connected() -> bool:
    """Does the server answer?"""
    return _default().is_connected()


def memory_usage() -> dict[str, int]:
    """What the server has and uses, in bytes and numbers."""
    return _default().memory_usage()


def close() -> None:
    """Drop the connection; the next call makes a new one. Data that was got stays valid."""
    global _shelf
    with _lock:
        shelf, _shelf = _shelf, None
    if shelf is not None:
        shelf.close()


def shutdown_server() -> None:
    """End the server. Data that is held somewhere stays there."""
    _default().shutdown_server()


from arrowshelf._share import Executor, Shared, share  # noqa: E402 - they use the functions above
