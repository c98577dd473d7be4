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


class SqlError(ProgrammingError, errors.SqlError): ...


class SqlSyntaxError(ProgrammingError, errors.SqlSyntaxError): ...


class InvalidArgument(ProgrammingError, errors.InvalidArgument): ...


class NotFound(ProgrammingError, errors.NotFound): ...


class AlreadyExists(ProgrammingError, errors.AlreadyExists): ...


class SchemaError(DataError, errors.SchemaError): ...


class ConfigError(OperationalError, errors.ConfigError): ...


class Unsupported(NotSupportedError, errors.Unsupported): ...


class StateError(InterfaceError, errors.StateError): ...


class Conflict(OperationalError, errors.Conflict): ...


class Busy(OperationalError, errors.Busy): ...


class TaskTimeout(OperationalError, errors.TaskTimeout): ...


class Cancelled(OperationalError, errors.Cancelled): ...


class MemoryExceeded(OperationalError, errors.MemoryExceeded): ...


class OutOfMemory(OperationalError, errors.OutOfMemory): ...


class StorageError(OperationalError, errors.StorageError): ...


class OutcomeUnknown(OperationalError, errors.OutcomeUnknown): ...


class CorruptError(DatabaseError, errors.CorruptError): ...


class TaskAbandoned(OperationalError, errors.TaskAbandoned): ...


class RuleError(IntegrityError, errors.SchemaError): ...


_BOTH: dict[type[errors.ApiaryError], type[Error]] = {
    errors.SqlError: SqlError,
    errors.SqlSyntaxError: SqlSyntaxError,
    errors.InvalidArgument: InvalidArgument,
    errors.NotFound: NotFound,
    errors.AlreadyExists: AlreadyExists,
    errors.SchemaError: SchemaError,
    errors.ConfigError: ConfigError,
    errors.Unsupported: Unsupported,
    errors.StateError: StateError,
    errors.Conflict: Conflict,
    errors.Busy: Busy,
    errors.TaskTimeout: TaskTimeout,
    errors.Cancelled: Cancelled,
    errors.MemoryExceeded: MemoryExceeded,
    errors.OutOfMemory: OutOfMemory,
    errors.StorageError: StorageError,
    errors.OutcomeUnknown: OutcomeUnknown,
    errors.CorruptError: CorruptError,
    errors.TaskAbandoned: TaskAbandoned,
    errors.InternalError: InternalError,
}


def of(error: errors.ApiaryError) -> Error:
    """An error of the package as one of the DB-API, with all that it tells."""
    if isinstance(error, Error):
        return error
    kind = _BOTH.get(type(error), DatabaseError)
    if error.sqlstate.startswith("23"):
        kind = RuleError
    same = kind(error.message, hint=error.hint)
    same.__dict__.update(error.__dict__)
    same.code, same.sqlstate, same.retryable = error.code, error.sqlstate, error.retryable
    return same
