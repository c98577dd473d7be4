# SPDX-License-Identifier: Apache-2.0
"""Two frames of random columns, kinds, partitions and properties, and their tables in DuckDB."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apiary
import duckdb

VERSIONS_KEPT = 6

# SQL of a kind's values: few, so that they meet, and odd ones among them.
POOLS: dict[str, list[str]] = {
    "TINYINT": ["0", "1", "-1", "127", "-128", "5"],
    "SMALLINT": ["0", "1", "-1", "32767", "-32768", "12"],
    "INTEGER": ["0", "1", "2", "3", "-7", "2147483647", "-2147483648", "100"],
    "BIGINT": ["0", "1", "2", "3", "-7", "9223372036854775807", "-9223372036854775808"],
    "UTINYINT": ["0", "1", "200", "255"],
    "UINTEGER": ["0", "1", "4294967295", "3000000000"],
    "UBIGINT": ["0", "1", "18446744073709551615", "9223372036854775808"],
    "REAL": ["0.0", "1.5", "-2.25", "'NaN'", "'inf'", "'-inf'", "0.1", "16777217"],
    "DOUBLE": ["0.0", "1.5", "-1e300", "5e-324", "'NaN'", "'inf'", "'-inf'", "0.1", "1e15"],
    "DECIMAL(5,2)": ["0", "0.01", "-0.01", "999.99", "-999.99", "1.50"],
    "DECIMAL(18,3)": ["0", "0.001", "-1.100", "123456789012345.678", "7"],
    "DECIMAL(38,10)": ["0", "0.0000000001", "-1", "9999999999999999999999999999.9999999999"],
    "VARCHAR": [
        *("'a'", "'b'", "'A'", "'ab'", "'aB'", "'a b'", "'a=b'", "'a/b'", "'50%'", "'%41'"),
        *(
            "'it''s'",
            "'grün'",
            "'gru\u0308n'",
            "'日本'",
            "'🐝'",
            "'NULL'",
            "'null'",
            "' a'",
            "'a '",
        ),
        *("'__HIVE_DEFAULT_PARTITION__'", "'a*?[b]'", "'1'", "'01'", "'true'", "'2024-01-01'"),
        *("'../x'", "'.'", "'a+b'", "'q\"x'", "'back\\slash'", "repeat('x', 40)", "'~'"),
        *("repeat('x', 31) || 'y'", "repeat('é', 33)", "chr(1114111) || 'z'", "'a' || chr(10)"),
    ],
    "DATE": ["'2024-02-29'", "'1970-01-01'", "'1969-12-31'", "'0001-01-01'", "'9999-12-31'"],
    "TIMESTAMP": [
        *(
            "'2024-02-29 23:59:59.999999'",
            "'2024-03-01'",
            "'1970-01-01'",
            "'1969-12-31 23:59:59.5'",
        ),
        *("'1582-10-10 00:00:00.000001'", "'2024-02-29 12:00:00'", "'9999-12-31 23:59:59.999999'"),
    ],
    "TIMESTAMPTZ": [
        *("'2024-02-29 23:59:59.999999Z'", "'2024-03-01 00:00:00Z'", "'1970-01-01 00:00:00Z'"),
        *("'1969-12-31 23:59:59.5Z'", "'2024-02-29 12:00:00.001Z'", "'1600-01-01 00:00:00Z'"),
    ],
    "TIME": ["'00:00:00'", "'23:59:59.999999'", "'12:30:00'"],
    "BOOLEAN": ["true", "false"],
    "BLOB": ["''::BLOB", "'a'::BLOB", "'\\xFF\\x00'::BLOB"],
    "INTEGER[]": ["[]", "[1]", "[1, NULL]", "[3, 2, 1]"],
    "STRUCT(a INTEGER, b VARCHAR)": ["{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': ''}"],
}
# Values that a partition cannot have, or Python's types cannot hold.
PLAIN_ONLY = {"VARCHAR": ["''"], "REAL": ["-0.0"], "DOUBLE": ["-0.0"]}
WILD = {
    "DATE": ["'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 (BC)'"],
    "TIMESTAMP": ["'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 (BC) 01:00:00'"],
}
NESTED = {"INTEGER[]", "STRUCT(a INTEGER, b VARCHAR)"}
UNORDERED = NESTED | {"BLOB"}
NUMBERS = {k for k in POOLS if k.endswith("INT") or k[:7] in ("INTEGER", "DECIMAL")} - NESTED
NUMBERS |= {"REAL", "DOUBLE"}
WIDER = {
    "TINYINT": ["SMALLINT", "INTEGER", "BIGINT"],
    "SMALLINT": ["INTEGER", "BIGINT"],
    "INTEGER": ["BIGINT", "DOUBLE", "DECIMAL(18,3)"],
    "REAL": ["DOUBLE"],
    "DECIMAL(5,2)": ["DECIMAL(18,3)", "DECIMAL(38,10)"],
    "DATE": ["TIMESTAMP"],
}
# What deltalake writes as Apiary reads it.
FOREIGN = set(POOLS) - {"UTINYINT", "UINTEGER", "UBIGINT", "TIME"} - NESTED
NAMES = ["k", "v", "Größe", "Mixed", "select", "x1", "x2", "x3", "x4", "x5", "x6"]
ODD_NAMES = ["file_index", "filename", "file_row_number", "ap_cell", "ap_file", "ap_row", "rowid"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Column:
    name: str
    kind: str
    is_partition: bool = False

    @property
    def text(self) -> str:
        return quoted(self.name)


@dataclass
class Version:
    number: int
    table: str
    columns: list[Column]


@dataclass
class Frame:
    name: str
    columns: list[Column]
    properties: dict[str, str]
    versions: list[Version] = field(default_factory=list)
    next_id: int = 0
    has_null_partitions: bool = False

    def has(self, name: str) -> bool:
        return self.properties.get(f"delta.{name}") == "true"

    @property
    def mapping(self) -> str | None:
        return self.properties.get("delta.columnMapping.mode")

    @property
    def takes_foreign(self) -> bool:
        return not self.properties and all(c.kind in FOREIGN for c in self.columns)


class World:
    """Both engines; draws frames."""

    def __init__(self, draw: random.Random, folder: Path) -> None:
        self.draw = draw
        self.wild = draw.random() < 0.25
        self.apiary = apiary.Apiary("random", folder, bees=draw.choice([1, 2]))
        self.apiary.start()
        self.apiary.create_hive("h").create_box("b")
        self.apiary.sql("USE h.b")
        self.plain = duckdb.connect(config={"threads": 1})
        self.plain.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'expression_rewriter'")
        self.statements: list[str] = []
        self.copies = 0
        self.kinds = self._draw_kinds()
        # Python has no such dates, DuckDB's Python no zones by itself.
        self.as_text = self.wild or any(kind == "TIMESTAMPTZ" for _, kind in self.kinds)
        self.frames = {name: self._make(name) for name in ("t", "s")}

    def close(self) -> None:
        self.apiary.shutdown()
        self.plain.close()

    def chance(self, probability: float) -> bool:
        return self.draw.random() < probability

    def _draw_kinds(self) -> list[tuple[str, str]]:
        """The columns that both frames choose from."""
        names = self.draw.sample(NAMES, self.draw.randint(4, 7))
        if self.chance(0.15):
            names.append(self.draw.choice(ODD_NAMES))
        common = ["INTEGER", "VARCHAR", "DATE", "BIGINT", "DOUBLE"]
        return [
            (name, self.draw.choice(common if self.chance(0.4) else list(POOLS))) for name in names
        ]

    def _make(self, name: str) -> Frame:
        draw = self.draw
        columns = [Column("id", "BIGINT")]
        columns += [Column(n, k) for n, k in self.kinds if self.chance(0.85)]
        may_part = [c for c in columns[1:] if c.kind not in UNORDERED]
        for column in draw.sample(may_part, min(len(may_part), draw.choice([0, 1, 1, 2]))):
            column.is_partition = True
        properties = {
            f"delta.{p}": "true"
            for p in ("enableDeletionVectors", "enableChangeDataFeed", "enableTypeWidening")
            if self.chance(0.35)
        }
        if self.chance(0.35):
            properties["delta.columnMapping.mode"] = "name"
        frame = Frame(name, columns, properties)
        listed = ", ".join(f"{c.text} {c.kind}" for c in columns)
        sql = f"CREATE FRAME {name} ({listed})"
        parts = [c.text for c in draw.sample(columns, len(columns)) if c.is_partition]
        if parts:
            sql += f" PARTITIONED BY ({', '.join(parts)})"
        if properties:
            given = ", ".join(f"'{k}' = '{v}'" for k, v in properties.items())
            sql += f" TBLPROPERTIES ({given})"
        self.statements.append(sql)
        self.apiary.sql(sql)
        self.plain.execute(f"CREATE TABLE {name} ({listed})")
        self.keep_version(frame)
        return frame

    # ---- values ----------------------------------------------------------------------------------

    def value(self, column: Column, typed: bool = False) -> str:
        draw = self.draw
        pool = list(POOLS[column.kind])
        if not column.is_partition:
            pool += PLAIN_ONLY.get(column.kind, [])
            if self.wild:
                pool += WILD.get(column.kind, [])
        if not column.is_partition and self.chance(0.12):
            return f"NULL::{column.kind}" if typed else "NULL"
        text = draw.choice(pool)
        if column.is_partition and self.chance(0.7):
            text = pool[0] if self.chance(0.5) else pool[1]
        return f"CAST({text} AS {column.kind})" if typed or self.chance(0.5) else text

    # ---- versions --------------------------------------------------------------------------------

    def version_of(self, frame: Frame) -> int:
        return int(self.apiary.get_frame("h", "b", frame.name)["version"])

    def keep_version(self, frame: Frame) -> None:
        now = self.version_of(frame)
        if frame.versions and frame.versions[-1].number == now:
            return
        self.copies += 1
        table = f"{frame.name}_{self.copies}"
        self.plain.execute(f"CREATE TABLE {table} AS FROM {frame.name}")
        columns = [Column(c.name, c.kind, c.is_partition) for c in frame.columns]
        frame.versions.append(Version(now, table, columns))
        if len(frame.versions) > VERSIONS_KEPT:
            gone = frame.versions.pop(self.draw.randrange(len(frame.versions) - 1))
            self.plain.execute(f"DROP TABLE {gone.table}")

    # ---- both engines ----------------------------------------------------------------------------

    def normal(self, found: list[tuple[Any, ...]], signed: bool) -> list[tuple[str, ...]]:
        def one(value: Any) -> str:
            if isinstance(value, float) and value == 0 and not signed:
                return "0.0"
            if hasattr(value, "isoformat"):
                return str(value.isoformat())
            return repr(value)

        return [tuple(one(value) for value in row) for row in found]

    def compare(
        self,
        ours: str,
        plain: str,
        ordered: bool = False,
        signed: bool = False,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        """The same rows from both, or a failure of both."""
        if self.as_text:
            ours, plain = (f"SELECT COLUMNS(*)::VARCHAR FROM ({q})" for q in (ours, plain))
            signed = False
        failed: Exception | None = None
        have: list[tuple[Any, ...]] = []
        want: list[tuple[Any, ...]] = []
        try:
            have = self.apiary.sql(ours, parameters or None).fetchall()
        except apiary.ApiaryError as error:
            failed = error
        try:
            want = self.plain.execute(plain, parameters or None).fetchall()
        except duckdb.Error as error:
            if failed is not None:
                return
            raise AssertionError(f"{ours}\nwe answer, DuckDB says {error}") from error
        if failed is not None:
            raise AssertionError(f"{ours}\nwe say {failed}, DuckDB answers") from failed
        left, right = self.normal(have, signed), self.normal(want, signed)
        if self.as_text:
            left = [tuple(v.replace("'-0.0'", "'0.0'") for v in row) for row in left]
            right = [tuple(v.replace("'-0.0'", "'0.0'") for v in row) for row in right]
        if not ordered:
            left, right = sorted(left), sorted(right)
        if left != right:
            raise AssertionError(
                f"{ours}\n{parameters or ''}\nwe answer {len(left)} rows, DuckDB {len(right)}; "
                f"only ours {[r for r in left if r not in right][:3]}, "
                f"only DuckDB's {[r for r in right if r not in left][:3]}"
            )

    def apply(self, sql: str, plain: str | Callable[[], None] | None, excuses: str = "") -> bool:
        """A change on both; False when we refuse it for a reason that is ours to have."""
        self.statements.append(sql)
        ours: Exception | None = None
        theirs: Exception | None = None
        try:
            self.apiary.sql(sql)
        except apiary.ApiaryError as error:
            if any(word in str(error) for word in excuses.split("|") if word):
                return False
            ours = error
        if plain is None:
            if ours is not None:
                raise AssertionError(f"we say {ours!r}")
            return True
        try:
            self.plain.execute(plain) if isinstance(plain, str) else plain()
        except duckdb.Error as error:
            theirs = error
        if (ours is None) != (theirs is None):
            raise AssertionError(f"we say {ours!r}, DuckDB says {theirs!r}")
        return ours is None
