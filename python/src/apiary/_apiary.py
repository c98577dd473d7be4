# SPDX-License-Identifier: Apache-2.0
"""The class Apiary."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from apiary import _core
from apiary._data import Source
from apiary._objects import Box, Frame, Hive
from apiary._result import Result, need
from apiary._session import Session
from apiary._sessions import Sessions
from apiary._stream import Stream
from apiary._transaction import Transaction
from apiary._values import (
    Condition,
    Parameters,
    batch_rows,
    condition,
    encode_parameters,
    milliseconds,
    moment,
    paths_of,
    size_bytes,
)
from apiary.errors import Busy, InvalidArgument, SchemaError, StateError

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

    import pyarrow

Schema = Union[Mapping[str, str], Any]
Progress = Callable[[float], object]
Paths = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]]

_NODE, _BEES, _SWARM, _COLONY = 0, 1, 2, 3


class _Open:
    """What an apiary has between start() and shutdown()."""

    def __init__(self, core: _core.Apiary) -> None:
        self.core = core
        self.sessions = Sessions(core)
        self.process = os.getpid()

    def close(self) -> None:
        self.sessions.close()
        self.core.close()


class Apiary:
    """A lakehouse on one storage root.

    `name` names it; `storage` is a folder, ``local://folder`` or ``file://folder``. Without one it
    lies in ``$APIARY_STORAGE``, else in ``~/.apiary/data/<name>``. `memory` ("4GB", or bytes) and
    `bees` (cores) limit what it uses; by default that is what the machine or the container gives.
    `scratch` limits the disk that one statement may spill to.

    It is used between `start()` and `shutdown()`, or in a ``with`` block, from any number of
    threads. A process that fork() makes starts an apiary of its own.

    >>> from apiary import Apiary
    >>> ap = Apiary("my_database")
    >>> ap.start()
    >>> ap.status()["state"]
    'running'
    >>> ap.shutdown()
    """

    def __init__(
        self,
        name: str | None = None,
        storage: str | os.PathLike[str] | None = None,
        *,
        memory: int | str | None = None,
        bees: int | None = None,
        relaxed: bool = False,
        scratch: int | str | None = None,
    ) -> None:
        if bees is not None and not 1 <= bees <= 65_535:
            raise InvalidArgument(
                f"{bees} bees cannot be", hint="give a number from 1 on, or None for all cores"
            )
        self._name = name
        self._storage = None if storage is None else os.fspath(storage)
        self._memory = size_bytes(memory)
        self._bees = bees or 0
        self._relaxed = relaxed
        self._scratch = size_bytes(scratch)
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None

    # --------------------------------------------------------------------------------- lifetime

    def start(self) -> None:
        """Open the storage, and on first use create it. A second start() does nothing."""
        if self._open is not None and self._open.process != os.getpid():
            self._lock = threading.Lock()  # the parent's may have been held when it forked
            self._forget()
        with self._lock:
            if self._open is not None:
                return
            core = _core.Apiary(
                self._name, self._storage, self._memory, self._bees, self._relaxed, self._scratch
            )
            self._open = _Open(core)
            self._finalizer = weakref.finalize(self, self._open.close)

    def shutdown(self) -> None:
        """Close it. Queries that run are ended, writes that run are finished. Again: nothing."""
        opened = self._open
        if opened is None:
            return
        if opened.process != os.getpid():
            self._forget()
            return
        with self._lock:
            self._forget()
        opened.close()

    def _forget(self) -> None:
        self._open = None
        if self._finalizer is not None:
            self._finalizer.detach()
            self._finalizer = None

    def __enter__(self) -> Apiary:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = "stopped" if self._open is None else "running"
        where = "" if self._storage is None else f", storage={self._storage!r}"
        return f"<Apiary {self._name!r}{where}: {state}>"

    @property
    def running(self) -> bool:
        """Is it started?"""
        return self._open is not None

    def _opened(self) -> _Open:
        opened = self._open
        if opened is None:
            raise StateError(
                f"the apiary '{self._name}' is not started",
                hint="call start() first, or use it in a with block",
            )
        return opened

    @property
    def _core(self) -> _core.Apiary:
        return self._opened().core

    # ---------------------------------------------------------------------------------- reports

    def _report(self, number: int) -> Any:
        return json.loads(self._core.report(number))

    def status(self) -> dict[str, Any]:
        """This node: name, node_id, state, cores, memory_gb, bees, storage, memory_per_bee_mb,
        target_cell_size_mb and the versions.
        """
        found: dict[str, Any] = self._report(_NODE)
        return found

    def bee_status(self) -> list[dict[str, Any]]:
        """Each bee: bee_id, state ("idle" or "busy"), memory_used and memory_budget in bytes, and
        both in megabytes with ``_mb`` behind the name.
        """
        found: list[dict[str, Any]] = self._report(_BEES)
        return found

    def swarm_status(self) -> dict[str, Any]:
        """All nodes on this storage: alive, nodes, total_bees, total_idle_bees, total_memory_gb."""
        found: dict[str, Any] = self._report(_SWARM)
        return found

    def colony_status(self) -> dict[str, Any]:
        """How hard the colony works: temperature, regulation, setpoint, abandoned_tasks."""
        found: dict[str, Any] = self._report(_COLONY)
        return found

    # ------------------------------------------------------------------------------------ hives

    def hive(self, name: str) -> Hive:
        """A hive as an object; it is not looked up."""
        return Hive(self, name)

    def create_hive(self, name: str) -> Hive:
        """Make a hive; one that exists is fine."""
        self._core.create(name, None, True)
        return Hive(self, name)

    def list_hives(self) -> list[str]:
        """The names of all hives, sorted."""
        return self._core.list(None, None)

    def rename_hive(self, name: str, new_name: str) -> None:
        """Give a hive another name; data, history and location stay."""
        self._core.rename(name, None, None, new_name)

    def drop_hive(self, name: str, *, cascade: bool = False, if_exists: bool = False) -> None:
        """Remove a hive; one that holds boxes only with `cascade`."""
        self._core.drop(name, None, None, cascade, if_exists)

    # ------------------------------------------------------------------------------------ boxes

    def create_box(self, hive: str, name: str) -> Box:
        """Make a box in a hive; one that exists is fine."""
        self._core.create(hive, name, True)
        return Box(self, hive, name)

    def list_boxes(self, hive: str) -> list[str]:
        """The names of a hive's boxes, sorted."""
        return self._core.list(hive, None)

    def rename_box(self, hive: str, name: str, new_name: str) -> None:
        """Give a box another name."""
        self._core.rename(hive, name, None, new_name)

    def drop_box(
        self, hive: str, name: str, *, cascade: bool = False, if_exists: bool = False
    ) -> None:
        """Remove a box; one that holds frames only with `cascade`."""
        self._core.drop(hive, name, None, cascade, if_exists)

    # ----------------------------------------------------------------------------------- frames

    def create_frame(
        self,
        hive: str,
        box_name: str,
        name: str,
        schema: Schema,
        partition_by: Sequence[str] | str | None = None,
        *,
        description: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> Frame:
        """Make a frame. One that exists is fine when its columns and partitioning are the same,
        else the `SchemaError` shows the difference.

        `schema` is a dict of column to type word, or a schema of any Arrow library. The words:
        int8 to int64, uint8 to uint64, float16, float32, float64, decimal(p,s), string, boolean,
        date, timestamp, timestamp[us, UTC], time, binary, list<..>, struct<name: ..>, map<.., ..>;
        a trailing "not null" forbids nulls.
        """
        names, types, arrow_schema = _split_schema(schema)
        if isinstance(partition_by, str):
            partition_by = [partition_by]
        pairs = dict(properties or {})
        self._core.create_frame(
            hive,
            box_name,
            name,
            names,
            types,
            arrow_schema,
            None if partition_by is None else list(partition_by),
            description,
            list(pairs),
            list(pairs.values()),
            True,
        )
        return Frame(self, hive, box_name, name)

    def attach_frame(
        self, hive: str, box_name: str, name: str, folder: str | os.PathLike[str]
    ) -> Frame:
        """Take a Delta table that another engine wrote below the storage in as a frame.

        `folder` is its path from the storage's root on. Its rows stay where they are, and other
        engines may go on using them; but the folder is the frame's now: `drop_frame` removes it.
        """
        self._core.attach(hive, box_name, name, os.fspath(folder))
        return Frame(self, hive, box_name, name)

    def list_frames(self, hive: str, box_name: str) -> list[str]:
        """The names of a box's frames, sorted."""
        return self._core.list(hive, box_name)

    def get_frame(self, hive: str, box_name: str, name: str) -> dict[str, Any]:
        """A frame: name, schema (column to type word), partition_by, max_partitions, created_at,
        cell_count, row_count, total_bytes, version, location and more.
        """
        found: dict[str, Any] = json.loads(self._core.describe(hive, box_name, name))
        return found

    def rename_frame(self, hive: str, box_name: str, name: str, new_name: str) -> None:
        """Give a frame another name."""
        self._core.rename(hive, box_name, name, new_name)

    def drop_frame(self, hive: str, box_name: str, name: str, *, if_exists: bool = False) -> None:
        """Remove a frame and its data."""
        self._core.drop(hive, box_name, name, False, if_exists)

    def frame_history(
        self, hive: str, box_name: str, name: str, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The frame's versions, newest first: version, timestamp, operation, parameters, metrics,
        engine, user_metadata.
        """
        if limit is not None and limit < 1:
            raise InvalidArgument(f"a history of {limit} versions cannot be")
        rows = Result(self._core.history(hive, box_name, name, limit or 0)).to_pylist()
        for row in rows:
            for key in ("parameters", "metrics"):
                if isinstance(row.get(key), str):
                    row[key] = json.loads(row[key])
        return rows

    def checkpoint_frame(self, hive: str, box_name: str, name: str) -> int:
        """Write a checkpoint of the frame's ledger now; the version it stands for."""
        return self._core.checkpoint(hive, box_name, name)

    # ------------------------------------------------------------------------ writing and reading

    def write_to_frame(
        self,
        hive: str,
        box_name: str,
        frame_name: str,
        data: Any,
        *,
        backpressure: str = "block",
        app_id: str | None = None,
        app_version: int = 0,
        user_metadata: str | None = None,
    ) -> dict[str, Any]:
        """Append rows as one atomic commit: all of them, or on any error none.

        `data` is a pyarrow table, batch or reader, a pandas or Polars data frame, anything else
        with the Arrow PyCapsule interface, bytes of Arrow IPC, a list of dicts, a dict of lists,
        or an iterator of dicts or of Arrow batches. Columns are matched by name.

        With `app_id` a write that the application numbers by `app_version` is applied once. With
        ``backpressure="error"`` it raises `Busy` instead of waiting while every bee is at work.

        Returns version, cells_written, rows_written, bytes_written, duration_ms, temperature,
        cells_removed and skipped.
        """
        self._heed(backpressure)
        where = (hive, box_name, frame_name)
        return self._write(where, data, False, None, app_id, app_version, user_metadata)

    def overwrite_frame(
        self,
        hive: str,
        box_name: str,
        frame_name: str,
        data: Any,
        where: Condition | None = None,
        *,
        backpressure: str = "block",
        app_id: str | None = None,
        app_version: int = 0,
        user_metadata: str | None = None,
    ) -> dict[str, Any]:
        """Replace all rows, or those of `where`, as one atomic commit.

        `where` is a condition over partition columns, as SQL or as a dict; all new rows must
        fulfil it. Otherwise as `write_to_frame`.
        """
        self._heed(backpressure)
        frame = (hive, box_name, frame_name)
        replaced = condition(where)
        return self._write(frame, data, True, replaced, app_id, app_version, user_metadata)

    def _heed(self, backpressure: str) -> None:
        if backpressure not in ("block", "error"):
            raise InvalidArgument(
                f"backpressure is '{backpressure}'", hint="it may be 'block' or 'error'"
            )
        if backpressure == "error" and self.swarm_status()["total_idle_bees"] == 0:
            raise Busy("every bee is at work", hint="write later, or with backpressure='block'")

    def _write(
        self,
        frame: tuple[str, str, str],
        data: Any,
        overwrite: bool,
        where: str | None,
        app_id: str | None,
        app_version: int,
        user_metadata: str | None,
    ) -> dict[str, Any]:
        core = self._core
        source = Source(data, lambda: self.frame_schema(*frame))
        try:
            return core.write(
                *frame,
                source.arrow(),
                overwrite,
                where,
                app_id,
                app_version,
                user_metadata,
            )
        except Exception as error:
            if source.error is not None and source.error is not error:
                raise source.error from error
            raise

    def frame_schema(self, hive: str, box_name: str, name: str) -> pyarrow.Schema:
        """The columns of a frame as a pyarrow schema. It says float16 where the frame does, which
        the engine gives as float32.
        """
        schema = Result(self._core.read(hive, box_name, name, None, "false", -1, None)).schema
        words = self.get_frame(hive, box_name, name)["schema"]
        for at, field in enumerate(schema):
            if words.get(field.name, "").split(" ")[0] == "float16":
                half = need("pyarrow", "pyarrow").float16()
                schema = schema.set(at, field.with_type(half))
        return schema

    def read_from_frame(
        self,
        hive: str,
        box_name: str,
        frame_name: str,
        partition_filter: Condition | None = None,
        *,
        columns: Sequence[str] | None = None,
        version: int | None = None,
        timestamp: str | datetime.datetime | None = None,
    ) -> pyarrow.Table:
        """Rows of a frame as a pyarrow table, which has the frame's columns even without rows.

        `partition_filter` is a dict of column to a value or to a list of values, or a condition in
        SQL; it may speak of any column, and cells that cannot fulfil it are not read. `version` or
        `timestamp` (a text or datetime in UTC) reads the past.
        """
        frame = (hive, box_name, frame_name)
        return self._read(frame, partition_filter, columns, version, timestamp).to_arrow()

    def _read(
        self,
        frame: tuple[str, str, str],
        wanted: Condition | None,
        columns: Sequence[str] | None,
        version: int | None,
        timestamp: str | datetime.datetime | None,
    ) -> Result:
        if columns is not None and (isinstance(columns, str) or not columns):
            raise InvalidArgument(f"columns is {columns!r}", hint="give a list of names, or None")
        if version is not None and version < 0:
            raise InvalidArgument(f"there is no version {version}")
        rows = self._core.read(
            *frame,
            columns if columns is None else list(columns),
            condition(wanted),
            -1 if version is None else version,
            moment(timestamp),
        )
        return Result(rows)

    # -------------------------------------------------------------------------------------- SQL

    def sql(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Run SQL and give the rows of the last statement.

        `params` are values: a list for ``?`` or ``$1``, a dict for ``$name``. `timeout` is in
        seconds. `progress` is called with a percentage now and then. Ctrl-C ends the query. What
        ``USE`` sets holds for all later calls.

        >>> from apiary import Apiary
        >>> with Apiary("demo") as ap:
        ...     ap.sql("SELECT $a + $b AS total", {"a": 40, "b": 2}).fetchall()
        [(42,)]
        """
        encoded = encode_parameters(params)
        timeout_ms = milliseconds(timeout)
        sessions = self._opened().sessions
        session, used = sessions.take()
        try:
            return Result(session.query(query, encoded, timeout_ms, progress))
        finally:
            sessions.give_back(session, used)

    def sql_stream(
        self,
        query: str,
        params: Parameters | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        batch_size: int | None = None,
    ) -> Stream:
        """Run SQL and give the rows of the last statement batch by batch, while the query runs.

        For answers that are larger than memory, or whose first rows are wanted at once. Batches
        have `batch_size` rows, the last one fewer; by default up to 65,536 rows or 16 MiB, and
        fewer when they are slow to come. `timeout` is for all of it, the reading included.
        Otherwise as `sql`.

        >>> from apiary import Apiary
        >>> with Apiary("demo") as ap:
        ...     for batch in ap.sql_stream("SELECT range AS n FROM range(5)", batch_size=2):
        ...         print(batch["n"])
        [0, 1]
        [2, 3]
        [4]
        """
        encoded = encode_parameters(params)
        rows = batch_rows(batch_size)
        timeout_ms = milliseconds(timeout)
        with self._opened().sessions.one() as session:
            return Stream(session.stream(query, encoded, timeout_ms, progress, rows))

    def session(self) -> Session:
        """A session of one's own: what ``USE`` and ``SET`` say in it holds in it alone.

        >>> from apiary import Apiary
        >>> with Apiary("demo") as ap:
        ...     _ = ap.create_hive("warehouse").create_box("sales")
        ...     with ap.session() as session:
        ...         _ = session.sql("USE warehouse.sales")
        ...         session.hive, session.box
        ('warehouse', 'sales')
        """
        opened = self._opened()
        return Session(opened.core, opened.sessions)

    def transaction(self) -> Transaction:
        """Statements that make one version of one frame together, or nothing at all: committed at
        the end of the ``with`` block, rolled back by an exception. See `Transaction`.

        >>> from apiary import Apiary
        >>> with Apiary("demo") as ap:
        ...     frame = ap.create_hive("w").create_box("s").create_frame("f", {"n": "int64"})
        ...     with ap.transaction() as tx:
        ...         _ = tx.sql("INSERT INTO w.s.f VALUES (1)")
        ...         tx.sql("SELECT count(*) AS n FROM w.s.f")["n"], len(frame.read())
        ([1], 0)
        """
        session = self.session()
        try:
            session._use_as_others()
            return Transaction(session, owns_session=True)
        except BaseException:
            session.close()
            raise

    def cancel(self) -> None:
        """End the queries that run and the streams that are open, from another thread; they raise
        `Cancelled`.
        """
        opened = self._opened()
        opened.sessions.interrupt()
        opened.core.interrupt()

    interrupt = cancel

    # ------------------------------------------------------------------------------------- files

    def import_files(
        self,
        hive: str,
        box_name: str,
        frame_name: str,
        paths: Paths,
        *,
        format: str | None = None,
        partition_by: Sequence[str] | str | None = None,
        create: bool = True,
        overwrite: bool = False,
        null_text: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Load files into a frame as one commit; returns what `write_to_frame` does.

        Each path is a file, a folder or a glob; `format` is "csv", "json", "parquet" or "arrow",
        by default as the names say. With `create`, hive, box and frame are made when missing, the
        frame's columns as the files have them, partitioned by `partition_by`. In CSV files an
        empty field is null, and so is `null_text` ("NA").
        """
        if isinstance(partition_by, str):
            partition_by = [partition_by]
        return self._core.import_files(
            hive,
            box_name,
            frame_name,
            paths_of(paths),
            format,
            None if partition_by is None else list(partition_by),
            create,
            overwrite,
            null_text,
            progress,
        )

    def export(self, query: str, path: str | os.PathLike[str], format: str | None = None) -> int:
        """Write the rows of a query to a file that must not exist; the number of rows.

        `format` is "csv", "json", "parquet" or "arrow", by default as the name says.
        """
        with self._opened().sessions.one() as session:
            return session.export(query, os.fspath(path), format)

    # ---------------------------------------------------------- the same, in the standard words

    database = hive
    create_database = create_hive
    list_databases = list_hives
    rename_database = rename_hive
    drop_database = drop_hive
    create_schema = create_box
    list_schemas = list_boxes
    rename_schema = rename_box
    drop_schema = drop_box
    create_table = create_frame
    attach_table = attach_frame
    list_tables = list_frames
    get_table = get_frame
    rename_table = rename_frame
    drop_table = drop_frame
    table_history = frame_history
    table_schema = frame_schema
    checkpoint_table = checkpoint_frame
    write_to_table = write_to_frame
    overwrite_table = overwrite_frame
    read_from_table = read_from_frame


def _split_schema(schema: Schema) -> tuple[list[str] | None, list[str] | None, object | None]:
    """Names and type words of a dict, or an object with an Arrow schema."""
    if isinstance(schema, Mapping):
        if not schema:
            raise SchemaError("a frame needs at least one column")
        for name, word in schema.items():
            if not isinstance(word, str):
                raise SchemaError(
                    f"column '{name}' has the type {word!r}",
                    hint="name the type by a word, such as 'int64', or give an Arrow schema",
                )
        return list(schema), list(schema.values()), None
    if hasattr(schema, "__arrow_c_schema__"):
        return None, None, schema
    raise TypeError(
        f"schema must be a dict of column to type word or an Arrow schema, not "
        f"{type(schema).__name__}"
    )
