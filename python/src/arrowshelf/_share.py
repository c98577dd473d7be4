# SPDX-License-Identifier: Apache-2.0
"""Data for other processes, forgotten when its owner forgets it."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any

import arrowshelf
from arrowshelf.errors import ArrowShelfError

if TYPE_CHECKING:
    import pyarrow


def _forget(key: str) -> None:
    # Somebody else may have deleted it, or the server be gone and the data with it.
    with contextlib.suppress(ArrowShelfError):
        arrowshelf.delete(key)


class Shared:
    """A key that is small to send and that other processes read by.

    It is deleted when the object that `share()` gave is closed or forgotten; the copies that other
    processes get by pickling do not delete it.
    """

    def __init__(self, key: str, *, owns: bool = False) -> None:
        self.key = key
        self._finalizer = weakref.finalize(self, _forget, key) if owns else None

    def get(self) -> Any:
        """As `arrowshelf.get`."""
        return arrowshelf.get(self.key)

    def arrow(self) -> pyarrow.Table:
        """As `arrowshelf.get_arrow`."""
        return arrowshelf.get_arrow(self.key)

    def close(self) -> None:
        """Delete it, if this is the owner."""
        if self._finalizer is not None:
            self._finalizer()

    def __reduce__(self) -> tuple[Any, ...]:
        return Shared, (self.key,)

    def __repr__(self) -> str:
        return f"Shared({self.key!r})"

    def __enter__(self) -> Shared:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def share(data: Any, **options: Any) -> Shared:
    """Put data for as long as what this gives is alive; takes the options of `put`."""
    return Shared(arrowshelf.put(data, **options), owns=True)


def _is_data(value: Any) -> bool:
    kind = type(value).__module__.split(".")[0]
    return kind in ("pandas", "polars", "pyarrow", "numpy") and (
        hasattr(value, "__arrow_c_stream__")
        or hasattr(value, "__arrow_c_array__")
        or type(value).__name__ == "ndarray"
    )


def _run(function: Callable[..., Any], args: tuple[Any, ...], kinds: tuple[str, ...]) -> Any:
    """In the worker: what was shared is read, and a large result is shared in turn."""
    values = [_read(arg, kind) for arg, kind in zip(args, kinds)]
    result = function(*values)
    if not _is_data(result):
        return result, ""
    return Shared(arrowshelf.put(result)), _kind_of(result)


def _kind_of(value: Any) -> str:
    return type(value).__module__.split(".")[0] if _is_data(value) else ""


def _read(value: Any, kind: str) -> Any:
    if not kind:
        return value
    if kind == "pyarrow":
        return arrowshelf.get_arrow(value.key)
    if kind == "polars":
        return arrowshelf.get_polars(value.key)
    return arrowshelf.get(value.key)


class Executor(ProcessPoolExecutor):
    """A `ProcessPoolExecutor` whose frames, tables and arrays go over the shelf.

    Arguments that are such are put and not pickled, and so are results; all are deleted when they
    have arrived. To give the same data to many calls, `share()` it once.
    """

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], /, *args: Any
    ) -> Future[Any]:
        """As the base class has it, without keyword arguments."""
        kinds = tuple(_kind_of(arg) for arg in args)
        sent = tuple(share(arg) if kind else arg for arg, kind in zip(args, kinds))
        inner = super().submit(_run, function, sent, kinds)
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()

        def arrived(done: Future[Any]) -> None:
            for arg, kind in zip(sent, kinds):
                if kind:
                    arg.close()
            try:
                result, kind = done.result()
                if kind:
                    key = result.key
                    result = _read(result, kind)
                    _forget(key)
                outer.set_result(result)
            except BaseException as error:
                outer.set_exception(error)

        inner.add_done_callback(arrived)
        return outer
