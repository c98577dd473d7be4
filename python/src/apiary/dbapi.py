# SPDX-License-Identifier: Apache-2.0
"""Python's database interface, DB-API 2.0 (PEP 249), over an apiary.

>>> import apiary.dbapi
>>> with apiary.dbapi.connect("demo") as connection:
...     cursor = connection.cursor()
...     print(cursor.execute("SELECT ? + 2 AS n", [40]).fetchall(), cursor.description[0][:2])
...     print(cursor.execute("SELECT :word AS w", {"word": "x"}).fetchone())
[(42,)] ('n', 'int64')
('x',)

A transaction begins with the first statement that reads or changes rows and ends with `commit()`
or `rollback()`; it may change one frame, and makes one version of it. With ``autocommit=True`` each
statement is an atomic commit of its own when it ends.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from apiary import _text
from apiary._apiary import Apiary
from apiary._dbapi_errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - the DB-API names it so
    of,
)
from apiary._result import need
from apiary.errors import ApiaryError

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow

    from apiary._stream import Batch, Stream

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

apilevel = "2.0"
threadsafety = 2
paramstyle = "qmark"

Parameters = Union[Sequence[Any], Mapping[str, Any]]
Description = list[tuple[str, str, None, None, Union[int, None], Union[int, None], None]]

# ------------------------------------------------------------------------------------------ types

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:
    """The date of a moment in seconds since 1970, in local time."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """The time of day of a moment in seconds since 1970, in local time."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """A moment in seconds since 1970 as local time."""
    return Timestamp(*time.localtime(ticks)[:6])


class TypeObject:
    """What a column's type word, ``cursor.description[n][1]``, compares equal to.

    >>> "decimal(10,2)" == NUMBER, "string" == NUMBER
    (True, False)
    """

    def __init__(self, name: str, *words: str) -> None:
        self._name = name
        self._words = words

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return any(
                other == word or other.startswith((word + "(", word + "[", word + "<"))
                for word in self._words
            )
        return self is other

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return self._name


STRING = TypeObject("STRING", "string")
BINARY = TypeObject("BINARY", "binary")
NUMBER = TypeObject(
    "NUMBER", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "decimal", "boolean",
)  # fmt: skip
DATETIME = TypeObject("DATETIME", "date", "time", "timestamp", "interval", "duration")
ROWID = TypeObject("ROWID")

# ------------------------------------------------------------------------------------ connections


class _Shared:
    """The apiaries that connections have opened: one for each storage, however many there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[Any, ...], tuple[Apiary, int]] = {}

    def take(self, key: tuple[Any, ...]) -> Apiary:
        _, name, storage, memory, bees, relaxed = key
        with self._lock:
            apiary, count = self._open.get(key, (None, 0))
            if apiary is None:
                apiary = Apiary(name, storage, memory=memory, bees=bees, relaxed=relaxed)
                apiary.start()
            self._open[key] = apiary, count + 1
            return apiary

    def give_back(self, key: tuple[Any, ...]) -> None:
        with self._lock:
            apiary, count = self._open.pop(key)
            if count > 1:
                self._open[key] = apiary, count - 1
                return
        apiary.shutdown()


_shared = _Shared()


def connect(
    name: str | None = None,
    storage: str | os.PathLike[str] | None = None,
    *,
    hive: str | None = None,
    box: str | None = None,
    memory: int | str | None = None,
    bees: int | None = None,
    relaxed: bool = False,
    apiary: Apiary | None = None,
    autocommit: bool = False,
) -> Connection:
    """A connection to an apiary, with a session of its own; `hive` and `box` are in use then.

    `name`, `storage`, `memory`, `bees` and `relaxed` are as `Apiary` has them. Connections of one
    process to one storage share its engines. With `apiary` it is one over an apiary that is
    started already, and that stays so when the connection is closed. `autocommit` is the
    connection's at first.
    """
    if storage is not None:
        storage = os.fspath(storage)
        storage = storage if "://" in storage else os.path.abspath(os.path.expanduser(storage))
    key = (os.getpid(), name, storage, memory, bees, relaxed)
    try:
        return Connection(apiary, key, hive, box, autocommit)
    except ApiaryError as error:
        raise of(error) from error


class Connection:
    """A connection: made by `connect`. Threads may share it, but not its cursors."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(
        self,
        apiary: Apiary | None,
        key: tuple[Any, ...],
        hive: str | None,
        box: str | None,
        autocommit: bool,
    ) -> None:
        self._closed = True
        self._key = None if apiary is not None else key
        self._apiary = _shared.take(key) if apiary is None else apiary
        self._closed = False
        self._lock = threading.RLock()
        self._autocommit = autocommit
        self._is_own = False  # the open transaction is one that no BEGIN of the user's opened
        self._has_written = False  # since the last end of a transaction
        try:
            self._session = self._apiary.session()
            if hive is not None and box is not None:
                self._session.sql(f"USE {_quoted(hive)}.{_quoted(box)}")
            elif hive is not None:
                self._session.sql(f"USE HIVE {_quoted(hive)}")
        except BaseException:
            self.close()
            raise

    @property
    def apiary(self) -> Apiary:
        """The apiary behind it."""
        self._check_open()
        return self._apiary

    @property
    def autocommit(self) -> bool:
        """Is every statement committed when it ends? Setting it to True commits what is open."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if value and not self._autocommit:
            self.commit()
        self._autocommit = bool(value)

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        self._check_open()
        return self._session.in_transaction

    def cursor(self) -> Cursor:
        """A cursor."""
        self._check_open()
        return Cursor(self)

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """A new cursor that has run a statement."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """Make what was done since the last `commit()` or `rollback()` one version, which others
        see from now on; an `OperationalError` that is a `Conflict` when others were faster, and
        nothing is changed then. Without a transaction nothing is to be done.
        """
        self._end("COMMIT")

    def rollback(self) -> None:
        """Take back what was done since the last `commit()` or `rollback()`. Where statements are
        committed when they end it is a `NotSupportedError` after one that has written.
        """
        if self._end("ROLLBACK"):
            return
        has_written, self._has_written = self._has_written, False
        if has_written and self._autocommit:
            raise NotSupportedError(
                "statements are committed when they end: there is nothing that can be rolled back",
                hint="set autocommit to False before, or read an earlier version of the frame",
                sqlstate="0A000",
                code="AP_UNSUPPORTED",
            )

    def _end(self, statement: str) -> bool:
        """Of the open transaction; False: there is none."""
        with self._lock:
            self._check_open()
            is_open = self._session.in_transaction
            if is_open or statement == "COMMIT":
                self._has_written = False
            try:
                if is_open:
                    self._session.sql(statement)
            except ApiaryError as error:
                raise of(error) from error
            finally:
                self._is_own = self._is_own and self._session.in_transaction
            return is_open

    def cancel(self) -> None:
        """End what its cursors run, from another thread."""
        self._check_open()
        self._session.cancel()

    def close(self) -> None:
        """Close it; its cursors cannot be used any more."""
        self._check_open()
        self._closed = True
        if hasattr(self, "_session"):
            self._session.close()
        if self._key is not None and self._key[0] == os.getpid():
            _shared.give_back(self._key)

    def __del__(self) -> None:
        if not self._closed:
            self.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._closed:
            return
        try:
            if error is None:
                self.commit()
        finally:
            self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the connection is closed", sqlstate="55000", code="AP_STATE")

    def _run(
        self, operation: str, statements: list[_text.Statement], parameters: Parameters | None
    ) -> Stream:
        with self._lock:
            self._check_open()
            try:
                if self._autocommit:
                    stream = self._session.sql_stream(operation, parameters)
                else:
                    stream = self._run_within(operation, statements, parameters)
            except ApiaryError as error:
                raise of(error) from error
            if any(_head(one.pieces) not in _WITHOUT_WRITING for one in statements):
                self._has_written = self._autocommit or self._session.in_transaction
            return stream

    def _run_within(
        self, operation: str, statements: list[_text.Statement], parameters: Parameters | None
    ) -> Stream:
        """Each statement in the transaction that it needs, or in none."""
        start = 0
        for one in statements[:-1]:
            self._prepare(_head(one.pieces))
            self._session.sql(_text.blank(operation[:start]) + operation[start : one.end])
            if _head(one.pieces) in _CHANGING:
                self._has_written = True
            start = one.end
        if statements:
            self._prepare(_head(statements[-1].pieces))
        return self._session.sql_stream(
            _text.blank(operation[:start]) + operation[start:], parameters
        )

    def _prepare(self, head: str) -> None:
        """A transaction for what reads or changes rows. One that has only read makes room for what
        cannot be in it, such as CREATE.
        """
        is_open = self._session.in_transaction
        if head in _OF_ROWS and not is_open:
            self._session.sql("BEGIN")
            self._is_own, self._has_written = True, False
            return
        is_alone = head not in _OF_ROWS | _OF_SESSIONS
        if is_alone and is_open and self._is_own and not self._has_written:
            self._session.sql("ROLLBACK")
            self._is_own = False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------------------------------- cursors

_CHANGES = ("rows_inserted", "rows_updated", "rows_deleted", "version")
_CHANGING = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"))
_READING = frozenset(
    "SELECT FROM VALUES TABLE PIVOT UNPIVOT SUMMARIZE EXPLAIN SHOW DESCRIBE DESC ( WITH".split()
)
_OF_SESSIONS = frozenset(
    "SET RESET USE SHOW DESCRIBE DESC EXPLAIN PREPARE DEALLOCATE BEGIN START COMMIT END ROLLBACK "
    "ABORT".split()
)
_OF_ROWS = (_READING | _CHANGING | frozenset(("EXECUTE",))) - _OF_SESSIONS
_WITHOUT_WRITING = (_READING | _OF_SESSIONS) - frozenset(("WITH",))


def _head(statement: list[_text.Token]) -> str:
    """The word that says what a statement does; of WITH .. INSERT, INSERT."""
    head = statement[0].text.upper() if statement else ""
    if head == "WITH":
        heads = (word.text.upper() for word in statement if word.kind == "word")
        head = next((word for word in heads if word in _CHANGING), "SELECT")
    if head == "COPY":
        depth, words = 0, []
        for piece in statement:
            depth += {"(": 1, ")": -1}.get(piece.text, 0)
            words += [piece.text.upper()] if depth == 0 else []
        return "SELECT" if "TO" in words else head
    return head


class Cursor:
    """Runs statements and gives their rows; made by `Connection.cursor`.

    Answers are fetched batch by batch, so that they may be larger than memory; one of more than a
    batch holds an engine until it is read, replaced or closed.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._stream: Stream | None = None
        self._batch: Batch | None = None
        self._next = 0  # row of the batch
        self._description: Description | None = None
        self._rowcount = -1

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed", sqlstate="55000", code="AP_STATE")
        self.connection._check_open()

    # ---------------------------------------------------------------------------------- running

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """Run SQL; several statements may stand in it, the last one has the parameters and gives
        the rows. Parameters: a sequence for ``?``, a mapping for ``:name`` and ``$name``.
        """
        self._reset()
        pieces = list(_text.tokens(operation))
        if isinstance(parameters, Mapping):
            operation, names = _text.named(pieces, parameters.keys())
            parameters = {name: parameters[name] for name in names}
        statements = _text.statements(pieces)
        stream = self.connection._run(operation, statements, parameters)
        try:
            self._take(stream, _head(statements[-1].pieces) if statements else "")
        except ApiaryError as error:
            raise of(error) from error
        return self

    def _reset(self) -> None:
        self._check_open()
        if self._stream is not None:
            self._stream.close()
        self._forget()

    def _take(self, stream: Stream, head: str) -> None:
        """Rows for the user, or what a statement has done."""
        columns = stream.columns
        if head in _CHANGING and tuple(columns) == _CHANGES:
            ((*counts, _),) = stream.rows()
            self._rowcount = -1 if None in counts else sum(counts)
            return
        if head not in _READING and columns in ([], ["message"]):
            stream.close()
            return
        self._stream = stream
        self._description = [
            (name, word, None, None, *_digits(word), None)
            for name, word in zip(columns, stream.types)
        ]
        self._batch = next(stream, None)
        if stream.closed:
            self._rowcount = 0 if self._batch is None else len(self._batch)

    def executemany(self, operation: str, seq_of_parameters: Sequence[Parameters]) -> Cursor:
        """Run a statement for each of many parameters. ``INSERT INTO frame [(..)] VALUES (..)``
        runs once, with all rows. All others, and rows whose values differ in type, are run one by
        one, and committed so where `autocommit` is True.
        """
        self._reset()
        many = list(seq_of_parameters)
        pieces = list(_text.tokens(operation))
        if len(many) > 1 and self._insert_all(pieces, many):
            return self
        total = 0
        for parameters in many:
            self.execute(operation, parameters)
            if self._description is not None:
                self._reset()
                raise ProgrammingError(
                    "executemany() runs statements that give no rows", code="AP_INVALID_ARGUMENT"
                )
            total = -1 if total < 0 or self._rowcount < 0 else total + self._rowcount
        self._rowcount = total
        return self

    def _insert_all(self, pieces: list[_text.Token], many: list[Parameters]) -> bool:
        """False: it is no INSERT of values, or its rows do not make columns."""
        names = set(many[0]) if isinstance(many[0], Mapping) else set()
        insert = _text.insert_of_lists(pieces, names)
        if insert is None:
            return False
        try:
            columns = [
                [row[name] if isinstance(row, Mapping) else row[at] for row in many]
                for at, name in enumerate(insert.names)
            ]
        except (KeyError, IndexError) as error:
            raise ProgrammingError(
                f"a row of parameters has no {error}", code="AP_INVALID_ARGUMENT"
            ) from error
        if any(not isinstance(row, Mapping) and len(row) != len(columns) for row in many):
            raise ProgrammingError(
                f"the statement has {len(columns)} parameters, and rows have others",
                code="AP_INVALID_ARGUMENT",
            )
        try:
            self.execute(insert.sql, columns)
        except ProgrammingError as error:
            if error.code == "AP_INVALID_ARGUMENT":  # lists of different types
                return False
            raise
        return True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Nothing is to be prepared."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing is to be prepared."""

    # --------------------------------------------------------------------------------- fetching

    @property
    def description(self) -> Description | None:
        """For each column: name, type word (compares equal to STRING, NUMBER, ...), None, None,
        precision and scale of decimals, None. None when there are no rows to fetch.
        """
        return self._description

    @property
    def rowcount(self) -> int:
        """Rows changed, or rows of an answer that is complete; -1: not known."""
        return self._rowcount

    def _need_rows(self) -> None:
        self._check_open()
        if self._description is None:
            raise ProgrammingError("there are no rows to fetch", code="AP_STATE", sqlstate="24000")

    def _fetch(self, count: int) -> list[tuple[Any, ...]]:
        self._need_rows()
        rows: list[tuple[Any, ...]] = []
        try:
            while self._batch is not None and len(rows) < count:
                stop = min(self._next + count - len(rows), len(self._batch))
                rows += self._batch._batches.rows(self._next, stop)
                self._next = stop
                self._advance()
        except ApiaryError as error:
            raise of(error) from error
        return rows

    def _advance(self) -> None:
        """The next batch, when this one has been read."""
        if self._batch is None or self._next < len(self._batch):
            return
        assert self._stream is not None
        self._batch, self._next = next(self._stream, None), 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None."""
        rows = self._fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows: `size`, or `arraysize`, or as many as there are."""
        return self._fetch(self.arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return self._fetch(1 << 62)

    def fetch_record_batch(self) -> pyarrow.RecordBatchReader:
        """The rows that are left as a pyarrow reader."""
        self._need_rows()
        arrow = need("pyarrow", "pyarrow")
        assert self._stream is not None
        return arrow.RecordBatchReader.from_batches(self._stream.schema, self._batches_left())

    def _batches_left(self) -> Iterator[pyarrow.RecordBatch]:
        arrow = need("pyarrow", "pyarrow")
        while self._batch is not None:
            rows = arrow.record_batch(self._batch).slice(self._next)
            self._next = len(self._batch)
            self._advance()
            yield rows

    def fetch_arrow_table(self) -> pyarrow.Table:
        """The rows that are left as a pyarrow table."""
        return self.fetch_record_batch().read_all()

    def close(self) -> None:
        """Close it."""
        if self._stream is not None:
            self._stream.close()
        rowcount = self._rowcount
        self._forget()
        self._rowcount = rowcount
        self._closed = True

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _digits(word: str) -> tuple[int | None, int | None]:
    """Precision and scale of a decimal's type word."""
    if not word.startswith("decimal("):
        return None, None
    precision, scale = word[len("decimal(") : -1].split(",")
    return int(precision), int(scale)
