# SPDX-License-Identifier: Apache-2.0
"""The exceptions of ArrowShelf.

Every one is an `ArrowShelfError`, and the built-in one of its meaning too.

>>> issubclass(KeyNotFoundError, KeyError)
True
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

from apiary import errors as _errors

__all__ = [
    "ArrowShelfError",
    "ConnectionError",
    "InvalidDataError",
    "KeyNotFoundError",
    "NameTakenError",
    "ShelfFullError",
]


class ArrowShelfError(Exception):
    """What every error of ArrowShelf is."""


class ConnectionError(ArrowShelfError, builtins.ConnectionError):  # noqa: A001 - documented so
    """No server answers; start it by `arrowshelf-server`."""


class KeyNotFoundError(ArrowShelfError, KeyError):
    """Nothing on the shelf has this key or name."""

    def __str__(self) -> str:
        return str(self.args[0])


class NameTakenError(ArrowShelfError, ValueError):
    """Another object has this name."""


class InvalidDataError(ArrowShelfError, ValueError):
    """Data that cannot go on the shelf, or an argument that makes no sense."""


class ShelfFullError(ArrowShelfError, MemoryError):
    """There is no room; delete something, or start the server with more `--memory`."""


_KINDS: dict[str, type[ArrowShelfError]] = {
    "AP_ABANDONED": ConnectionError,
    "AP_TIMEOUT": ConnectionError,
    "AP_NOT_FOUND": KeyNotFoundError,
    "AP_ALREADY_EXISTS": NameTakenError,
    "AP_MEMORY_EXCEEDED": ShelfFullError,
    "AP_INVALID_ARGUMENT": InvalidDataError,
    "AP_UNSUPPORTED": InvalidDataError,
}


@contextmanager
def translated() -> Iterator[None]:
    """The library's errors as this package's."""
    try:
        yield
    except _errors.ApiaryError as error:
        raise _KINDS.get(error.code, ArrowShelfError)(str(error)) from error
