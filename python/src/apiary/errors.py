# SPDX-License-Identifier: Apache-2.0
"""The exceptions of Apiary.

Every one is an `ApiaryError` and says by attributes what a program may want to know: `sqlstate`
(five letters, as databases have them), `retryable` (the same call may succeed later), `hint` (the
way out, for people) and `code` (the name of the library's status).

>>> error = NotFound("frame 'sales.order' does not exist", hint="did you mean 'orders'?")
>>> print(error)
frame 'sales.order' does not exist; did you mean 'orders'?
>>> error.sqlstate, error.retryable
('42704', False)
"""

from __future__ import annotations

import datetime
import re
from typing import Any

__all__ = [
    "AlreadyExists",
    "ApiaryError",
    "Busy",
    "Cancelled",
    "ConfigError",
    "Conflict",
    "CorruptError",
    "InternalError",
    "InvalidArgument",
    "MemoryExceeded",
    "NotFound",
    "OutOfMemory",
    "OutcomeUnknown",
    "SchemaError",
    "SqlError",
    "SqlSyntaxError",
    "StateError",
    "StorageError",
    "TaskAbandoned",
    "TaskTimeout",
    "Unsupported",
]


class ApiaryError(Exception):
    """What every error of Apiary is."""

    sqlstate: str = "XX000"
    retryable: bool = False
    code: str = "AP_INTERNAL"

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.origin = ""
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def _rebuild(kind: type[ApiaryError], message: str, facts: dict[str, Any]) -> ApiaryError:
    error = kind(message)
    error.__dict__.update(facts)
    return error


class InvalidArgument(ApiaryError, ValueError):
    """An argument that no call can be made with."""

    sqlstate = "22023"
    code = "AP_INVALID_ARGUMENT"


class SqlError(ApiaryError):
    """A query that cannot be run: an unknown column, a failed cast, and so on."""

    sqlstate = "42000"
    code = "AP_QUERY"


class SqlSyntaxError(SqlError):
    """A query that cannot be parsed."""

    sqlstate = "42601"
    code = "AP_SYNTAX"


class NotFound(ApiaryError):
    """There is no such hive, box, frame or version."""

    sqlstate = "42704"
    code = "AP_NOT_FOUND"


class AlreadyExists(ApiaryError):
    """The name is taken."""

    sqlstate = "42710"
    code = "AP_ALREADY_EXISTS"


class SchemaError(ApiaryError):
    """Rows or columns that do not fit the frame; nothing has been written."""

    sqlstate = "42804"
    code = "AP_SCHEMA_MISMATCH"


class ConfigError(ApiaryError):
    """A setting that cannot be: a storage, a size, an environment variable."""

    sqlstate = "F0000"
    code = "AP_CONFIG"


class Unsupported(ApiaryError):
    """Something that is known and cannot be done."""

    sqlstate = "0A000"
    code = "AP_UNSUPPORTED"


class StateError(ApiaryError):
    """A call at the wrong time: before start(), after shutdown(), in another process."""

    sqlstate = "55000"
    code = "AP_STATE"


class Conflict(ApiaryError):
    """Another writer was first: read again, then decide."""

    sqlstate = "40001"
    retryable = True
    code = "AP_CONFLICT"


class Busy(ApiaryError):
    """All bees are at work."""

    sqlstate = "53300"
    retryable = True
    code = "AP_BUSY"


class TaskTimeout(ApiaryError):
    """The work was not done before its deadline."""

    sqlstate = "57014"
    retryable = True
    code = "AP_TIMEOUT"


class Cancelled(ApiaryError):
    """The work was ended on request: by shutdown() or an interrupt."""

    sqlstate = "57014"
    code = "AP_CANCELLED"


class MemoryExceeded(ApiaryError):
    """A bee's memory budget did not suffice.

    `bee` is its name, `budget` and `requested` are bytes; each is None where it is not known.
    """

    sqlstate = "53200"
    retryable = True
    code = "AP_MEMORY_EXCEEDED"
    bee: str | None = None
    budget: int | None = None
    requested: int | None = None


class OutOfMemory(ApiaryError, MemoryError):
    """The process has no memory left."""

    sqlstate = "53200"
    code = "AP_OUT_OF_MEMORY"


class StorageError(ApiaryError):
    """The storage failed, is full, or refuses."""

    sqlstate = "58030"
    retryable = True
    code = "AP_IO"


class OutcomeUnknown(StorageError):
    """The reply to a commit was lost: it may or may not be there. Look before writing again."""

    sqlstate = "08007"
    code = "AP_OUTCOME_UNKNOWN"


class CorruptError(ApiaryError):
    """Stored bytes are not what they must be."""

    sqlstate = "XX001"
    code = "AP_CORRUPT"


class TaskAbandoned(ApiaryError):
    """A task failed so often that it was given up."""

    sqlstate = "57000"
    retryable = True
    code = "AP_ABANDONED"


class InternalError(ApiaryError):
    """A fault of Apiary itself; please report it."""


_BY_CODE: dict[str, type[ApiaryError]] = {
    "AP_INVALID_ARGUMENT": InvalidArgument,
    "AP_SYNTAX": SqlSyntaxError,
    "AP_NOT_FOUND": NotFound,
    "AP_ALREADY_EXISTS": AlreadyExists,
    "AP_SCHEMA_MISMATCH": SchemaError,
    "AP_NULL_VIOLATION": SchemaError,
    "AP_CHECK_VIOLATION": SchemaError,
    "AP_CONFIG": ConfigError,
    "AP_UNSUPPORTED": Unsupported,
    "AP_QUERY": SqlError,
    "AP_STATE": StateError,
    "AP_CONFLICT": Conflict,
    "AP_BUSY": Busy,
    "AP_TIMEOUT": TaskTimeout,
    "AP_CANCELLED": Cancelled,
    "AP_MEMORY_EXCEEDED": MemoryExceeded,
    "AP_OUT_OF_MEMORY": OutOfMemory,
    "AP_IO": StorageError,
    "AP_NO_SPACE": StorageError,
    "AP_PERMISSION": StorageError,
    "AP_CORRUPT": CorruptError,
    "AP_OUTCOME_UNKNOWN": OutcomeUnknown,
    "AP_ABANDONED": TaskAbandoned,
    "AP_INTERNAL": InternalError,
}

_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = r"([0-9.]+) (bytes|[KMGT]iB)"


def _size(pattern: str, message: str) -> int | None:
    found = re.search(pattern, message)
    return round(float(found.group(1)) * _UNITS[found.group(2)]) if found else None


def from_status(
    code: str, message: str, hint: str, sqlstate: str, retryable: bool, origin: str
) -> ApiaryError:
    """The exception of an error of the library.

    >>> from_status("AP_CONFLICT", "frame 'a.b' changed", "", "40001", True, "log.c:7")
    Conflict("frame 'a.b' changed")
    """
    error = _BY_CODE.get(code, InternalError)(message, hint=hint)
    error.code = code
    error.sqlstate = sqlstate
    error.retryable = retryable
    error.origin = origin
    if isinstance(error, MemoryExceeded):
        error.budget = _size("needs more than its " + _SIZE, message)
        bee = re.search(r" of memory on (bee-[0-9]+): ", message)
        error.bee = bee.group(1) if bee else None
        error.requested = _size("(?:block of size|allocate data of size) " + _SIZE, message)
    return error


def zone(name: str) -> datetime.tzinfo:
    """The time zone of an Arrow column: a name or an offset.

    >>> zone("+02:00")
    datetime.timezone(datetime.timedelta(seconds=7200))
    """
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if offset:
        minutes = int(offset.group(2)) * 60 + int(offset.group(3))
        sign = -1 if offset.group(1) == "-" else 1
        return datetime.timezone(sign * datetime.timedelta(minutes=minutes))
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)
