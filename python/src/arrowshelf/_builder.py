# SPDX-License-Identifier: Apache-2.0
"""Objects that are built where they lie."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from arrowshelf.errors import InvalidDataError, translated

if TYPE_CHECKING:
    import numpy
    from apiary import _core


class _Memory:
    """A column's values for NumPy, whose arrays keep the builder."""

    def __init__(self, owner: Any, address: int, count: int, dtype: numpy.dtype[Any]) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, False),
            "shape": (count,),
            "typestr": dtype.str,
            "version": 3,
        }


class Builder:
    """Columns of fixed width in the shelf's memory, to be filled and then sealed.

    As a context manager it seals at the end, unless an exception came. After that nobody can write
    to the arrays: doing so ends the process.
    """

    def __init__(self, core: _core.ShelfBuilder, names: list[str], dtypes: list[Any]) -> None:
        import numpy

        self._core: _core.ShelfBuilder | None = core
        self._key: str | None = None
        self._arrays: dict[str, numpy.ndarray[Any, Any]] = {}
        for index, (name, dtype) in enumerate(zip(names, dtypes)):
            kind = numpy.dtype(dtype)
            address, size = core.values(index)
            memory = _Memory(core, address, size // kind.itemsize, kind)
            self._arrays[name] = numpy.asarray(memory)

    @property
    def columns(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """The columns' values by name."""
        return dict(self._arrays)

    def __getitem__(self, name: str) -> numpy.ndarray[Any, Any]:
        return self._arrays[name]

    @property
    def key(self) -> str:
        """The key, once it is sealed."""
        if self._key is None:
            raise InvalidDataError("the object is not sealed, so it has no key")
        return self._key

    def seal(self) -> str:
        """Let the object be seen; gives its key."""
        if self._core is None:
            raise InvalidDataError("the builder is closed")
        with translated():
            self._key = self._core.seal()
        for array in self._arrays.values():
            array.flags.writeable = False
        return self._key

    def close(self) -> None:
        """Forget the arrays; what was not sealed is gone when the last of them is."""
        self._arrays = {}
        self._core = None

    def __enter__(self) -> Builder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._key is None:
            self.seal()
        self.close()
