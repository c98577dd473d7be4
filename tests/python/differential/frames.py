# SPDX-License-Identifier: Apache-2.0
"""Random frames, and plain DuckDB over the very same Parquet files.

Which files a frame has is read from its Delta log by this module alone, so that a fault of ours in
reading the log cannot hide itself.
"""

from __future__ import annotations

import json
import random
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apiary
import deltalake
import duckdb
import pyarrow as pa

from differential.values import KINDS, Column, Kind, make_array, quote, random_value

_TYPES = "i8 i16 i32 i64 u8 u16 u32 u64 f4 f8 quarter d5 d9 d18 d38 d38s date ts tz time text bool"


@dataclass
class Frame:
    """A frame and what queries need to know of it."""

    hive: str
    box: str
    name: str
    columns: list[Column]
    partition_by: list[str]
    versions: list[int] = field(default_factory=list)  # those that may be travelled to

    def of_family(self, *families: str) -> list[Column]:
        return [c for c in self.columns if KINDS[c.kind].family in families]


def _columns(rng: random.Random, spec: str) -> list[Column]:
    """ "id:i64 price:d5" as columns."""
    found = []
    for word in spec.split():
        name, kind = word.split(":")
        found.append(Column(name.replace("~", " "), kind))
    rest = found[1:]
    rng.shuffle(rest)
    return found[:1] + rest


def _cell(rng: random.Random, frame: Frame, first_id: int, rows: int) -> pa.Table:
    """Rows of one append: each column in its own way, near to one place."""
    arrays = []
    place = rng.random()
    for column in frame.columns:
        kind = KINDS[column.kind]
        if column.name == "id":
            values: list[Any] = list(range(first_id, first_id + rows))
        else:
            values = _column_values(rng, column, place, rows)
        if column.name in frame.partition_by:
            values = _partition_values(rng, column, rows)
        column.pool.extend(rng.sample([v for v in values if v is not None][:50] or [None], 1))
        arrays.append(make_array(kind, values))
    return pa.table(arrays, names=[c.name for c in frame.columns])


def _column_values(rng: random.Random, column: Column, place: float, rows: int) -> list[Any]:
    way = rng.random()
    if column.name.startswith("nothing") or way < 0.05:
        return [None] * rows
    if way < 0.12:
        return [random_value(rng, column.kind, place)] * rows
    if rng.random() < 0.5:
        place = rng.random()
    nulls = rng.choice([0.0, 0.0, 0.05, 0.5])
    wide = way > 0.9
    return [
        None
        if rng.random() < nulls
        else random_value(rng, column.kind, rng.random() if wide else place)
        for _ in range(rows)
    ]


def _partition_values(rng: random.Random, column: Column, rows: int) -> list[Any]:
    """Few different ones, none null or empty, and none too long for a folder's name."""
    few: list[Any] = []
    while len(few) < 2:
        value = random_value(rng, column.kind, rng.random())
        if value != "" and len(str(value).encode()) < 80:
            few.append(value)
    return [rng.choice(few) for _ in range(rows)]


# --------------------------------------------------------------------------- what there is


def _specs(rng: random.Random) -> list[tuple[str, str, str, str, list[str], int]]:
    every = " ".join(f"c_{kind}:{kind}" for kind in _TYPES.split())
    parts = rng.sample("i32 i64 u8 d5 d18 date ts tz text bool text date".split(), 2)
    partitioned = " ".join(f"p{i}:{kind}" for i, kind in enumerate(parts))
    return [
        ("hive", "box", "events", f"id:i64 {every} bytes:bin nothing:i32 nothing_s:text", [], 9),
        (
            "hive",
            "box",
            "parts",
            f"id:i64 {partitioned} v:i32 f:f8 s:text d:date t:ts q:quarter",
            ["p0", "p1"],
            4,
        ),
        (
            "hive",
            "box",
            "Order~Items",
            'id:i32 select:text a~b:i64 x.y:date Qu"ote:f8 ts:tz',
            [],
            4,
        ),
        ("hive", "other", "dim", "id:i64 k:i32 s:text v:d18 flag:bool day:date", ["flag"], 3),
        ("second", "box", "events", "id:i64 v:i32 s:text f:f4 d:date", [], 5),
        ("hive", "box", "mixed", "id:i64 k:i32 f:f8 s:text d:date t:tz v:d18 b:bool", ["k"], 3),
        ("hive", "box", "empty", "id:i64 v:i32 s:text", [], 0),
    ]


def _append_foreign(rng: random.Random, frame: Frame, location: str) -> None:
    """Cells of another writer, with its own statistics, and a delete by it."""
    rows = rng.randrange(20, 60)
    deltalake.write_deltalake(location, _cell(rng, frame, 1000, rows), mode="append")
    if rng.random() < 0.5:
        deltalake.DeltaTable(location).delete(f"id < {rng.randrange(1040)}")


class World:
    """All frames, in an apiary and in plain DuckDB."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.apiary = apiary.Apiary("differential", folder / "storage", bees=1)
        self.apiary.start()
        self.plain = _connect()
        self._files: duckdb.DuckDBPyConnection | None = None
        self._selects: dict[tuple[str, str, str], str] = {}
        self._folders: dict[tuple[str, str, str], str] = {}  # partition values from paths
        self.frames = [self._make(rng, spec) for spec in _specs(rng)]
        self.apiary.sql("USE hive.box")
        _create(self.plain, self._selects, "TABLE")

    @property
    def files(self) -> duckdb.DuckDBPyConnection:
        """DuckDB that reads the files anew for each query."""
        if self._files is None:
            self._files = _connect()
            _create(self._files, {**self._selects, **self._folders}, "VIEW")
        return self._files

    def close(self) -> None:
        self.plain.close()
        if self._files is not None:
            self._files.close()
        self.apiary.shutdown()

    def _make(self, rng: random.Random, spec: Any) -> Frame:
        hive, box, name, columns, partition_by, appends = spec
        frame = Frame(hive, box, name.replace("~", " "), _columns(rng, columns), partition_by)
        self.apiary.create_hive(hive)
        self.apiary.create_box(hive, box)
        types = {c.name: KINDS[c.kind].word for c in frame.columns}
        made = self.apiary.create_frame(hive, box, frame.name, types, partition_by=partition_by)
        location = dict(self.apiary.sql(f'DESCRIBE {hive}.{box}."{frame.name}"').fetchall())
        place = location["location"].removeprefix("file://")
        first = 0
        for _ in range(appends):
            rows = rng.randrange(1, 60)
            made.write(_cell(rng, frame, first, rows))
            first += rows
        if name == "mixed":
            _append_foreign(rng, frame, place)
        self._register(rng, frame, Path(place))
        return frame

    # ----------------------------------------------------------------------- the independent side

    def _register(self, rng: random.Random, frame: Frame, location: Path) -> None:
        log = sorted((location / "_delta_log").glob("*.json"))
        newest = int(log[-1].stem)
        frame.versions = sorted({0, newest} | {rng.randrange(newest + 1) for _ in range(2)})
        for version in [None, *frame.versions]:
            files = live_files(log, newest if version is None else version)
            name = frame.name if version is None else f"{frame.name}@{version}"
            key = (frame.hive, frame.box, name)
            self._selects[key] = select_files(frame, location, files)
            if frame.partition_by and files:
                self._folders[key] = select_folders(frame, location, list(files))


def _connect() -> duckdb.DuckDBPyConnection:
    """Plain DuckDB, its rewriting of expressions off: 1.5.5 rewrites some wrongly for nulls."""
    plain = duckdb.connect(config={"threads": 1})
    plain.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'expression_rewriter'")
    return plain


def _create(
    plain: duckdb.DuckDBPyConnection, selects: dict[tuple[str, str, str], str], what: str
) -> None:
    """Tables of what is in the files, or views of them."""
    for hive in sorted({hive for hive, _, _ in selects}):
        plain.execute(f"ATTACH ':memory:' AS {hive}")
    for (hive, box, name), select in selects.items():
        plain.execute(f"CREATE SCHEMA IF NOT EXISTS {hive}.{box}")
        plain.execute(f'CREATE {what} {hive}.{box}."{name}" AS {select}')
    plain.execute("USE hive.box")


def live_files(log: list[Path], version: int) -> dict[str, dict[str, str | None]]:
    """The files of a version with their partition values, from the log's text."""
    files: dict[str, dict[str, str | None]] = {}
    for entry in log:
        if int(entry.stem) > version:
            break
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            if "remove" in action:
                del files[action["remove"]["path"]]
        for action in actions:
            if "add" in action:
                files[action["add"]["path"]] = action["add"]["partitionValues"]
    return files


def _stored(kind: Kind, name: str) -> str:
    """A column of a file as the frame shows it."""
    quoted = '"' + name.replace('"', '""') + '"'
    if kind.family == "time":
        return f"(TIME '00:00:00' + to_microseconds({quoted}))::TIME AS {quoted}"
    return f"{quoted}::{kind.sql} AS {quoted}"


def select_folders(frame: Frame, location: Path, files: list[str]) -> str:
    """The same, partition values from the paths as the engine reads them."""
    types = ", ".join(
        f"{quote(c.name)}: {quote(KINDS[c.kind].sql)}"
        for c in frame.columns
        if c.name in frame.partition_by
    )
    columns = [
        c.quoted if c.name in frame.partition_by else _stored(KINDS[c.kind], c.name)
        for c in frame.columns
    ]
    paths = ", ".join(quote(str(location / urllib.parse.unquote(path))) for path in files)
    return (
        f"SELECT {', '.join(columns)} FROM read_parquet([{paths}], hive_partitioning = true,"
        f" hive_types = {{{types}}})"
    )


def select_files(frame: Frame, location: Path, files: dict[str, dict[str, str | None]]) -> str:
    """A query over the files, partition values from the log."""
    parts = []
    for path, values in files.items():
        columns = []
        for column in frame.columns:
            kind = KINDS[column.kind]
            if column.name in frame.partition_by:
                value = values[column.name]
                text = "NULL" if value is None else quote(value)
                columns.append(f'{text}::{kind.sql} AS "{column.name}"')
            else:
                columns.append(_stored(kind, column.name))
        file = quote(str(location / urllib.parse.unquote(path)))
        parts.append(
            f"SELECT {', '.join(columns)} FROM read_parquet({file}, hive_partitioning = false)"
        )
    if not parts:
        nulls = [f"NULL::{KINDS[c.kind].sql} AS {c.quoted}" for c in frame.columns]
        return f"SELECT {', '.join(nulls)} WHERE false"
    return " UNION ALL ".join(parts)
