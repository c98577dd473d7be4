# SPDX-License-Identifier: Apache-2.0
"""The exceptions of the DB-API over those of the package: each error is of both kinds.

>>> error = of(errors.SqlSyntaxError("no SQL", hint="none"))
>>> isinstance(error, errors.SqlError), isinstance(error, ProgrammingError), str(error)
(True, True, 'no SQL; none')
"""

from __future__ import annotations

from apiary import errors


class Warning(Exception):  # noqa: A001 - the DB-API names it so
    """What PEP 249 asks for; never raised."""


class Error(errors.ApiaryError):
    """Every error of the DB-API; an `apiary.ApiaryError` too."""


class InterfaceError(Error):
    """Misuse of the interface: a closed connection, no rows to fetch."""


class DatabaseError(Error):
    """What the database says."""


class DataError(DatabaseError):
    """Values that do not fit their columns."""


class OperationalError(DatabaseError):
    """What is not in the program's hands: storage, memory, deadlines, other writers."""


class IntegrityError(DatabaseError):
    """Rows that break a frame's rules: NOT NULL, CHECK."""


class InternalError(DatabaseError, errors.InternalError):
    """A fault of Apiary itself."""


class ProgrammingError(DatabaseError):
    """A statement that cannot be run: syntax, names, parameters."""


class NotSupportedError(DatabaseError):
    """Something that is known and cannot be done."""


class _SqlError(ProgrammingError, errors.SqlError): ...


class _SqlSyntaxError(ProgrammingError, errors.SqlSyntaxError): ...


class _InvalidArgument(ProgrammingError, errors.InvalidArgument): ...


class _NotFound(ProgrammingError, errors.NotFound): ...


class _AlreadyExists(ProgrammingError, errors.AlreadyExists): ...


class _SchemaError(DataError, errors.SchemaError): ...


class _ConfigError(OperationalError, errors.ConfigError): ...


class _Unsupported(NotSupportedError, errors.Unsupported): ...


class _StateError(InterfaceError, errors.StateError): ...


class _Conflict(OperationalError, errors.Conflict): ...


class _Busy(OperationalError, errors.Busy): ...


class _TaskTimeout(OperationalError, errors.TaskTimeout): ...


class _Cancelled(OperationalError, errors.Cancelled): ...


class _MemoryExceeded(OperationalError, errors.MemoryExceeded): ...


class _OutOfMemory(OperationalError, errors.OutOfMemory): ...


class _StorageError(OperationalError, errors.StorageError): ...


class _OutcomeUnknown(OperationalError, errors.OutcomeUnknown): ...


class _CorruptError(DatabaseError, errors.CorruptError): ...


class _TaskAbandoned(OperationalError, errors.TaskAbandoned): ...


class _RuleError(IntegrityError, errors.SchemaError): ...


_BOTH: dict[type[errors.ApiaryError], type[Error]] = {
    errors.SqlError: _SqlError,
    errors.SqlSyntaxError: _SqlSyntaxError,
    errors.InvalidArgument: _InvalidArgument,
    errors.NotFound: _NotFound,
    errors.AlreadyExists: _AlreadyExists,
    errors.SchemaError: _SchemaError,
    errors.ConfigError: _ConfigError,
    errors.Unsupported: _Unsupported,
    errors.StateError: _StateError,
    errors.Conflict: _Conflict,
    errors.Busy: _Busy,
    errors.TaskTimeout: _TaskTimeout,
    errors.Cancelled: _Cancelled,
    errors.MemoryExceeded: _MemoryExceeded,
    errors.OutOfMemory: _OutOfMemory,
    errors.StorageError: _StorageError,
    errors.OutcomeUnknown: _OutcomeUnknown,
    errors.CorruptError: _CorruptError,
    errors.TaskAbandoned: _TaskAbandoned,
    errors.InternalError: InternalError,
}


def of(error: errors.ApiaryError) -> Error:
    """An error of the package as one of the DB-API, with all that it tells."""
    if isinstance(error, Error):
        return error
    kind = _BOTH.get(type(error), DatabaseError)
    if error.sqlstate.startswith("23"):
        kind = _RuleError
    same = kind(error.message, hint=error.hint)
    same.__dict__.update(error.__dict__)
    same.code, same.sqlstate, same.retryable = error.code, error.sqlstate, error.retryable
    return same
