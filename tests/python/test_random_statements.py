# SPDX-License-Identifier: Apache-2.0
"""Random sequences of statements give what plain DuckDB gives: rows change, versions stay.

Method: a frame and a DuckDB table of the same rows go through the same INSERT, UPDATE, DELETE,
MERGE, TRUNCATE and transactions; after each change both must hold the same rows, and a query over
the frame, its past or both must answer alike. DuckDB keeps a copy of the table for every version,
so that time travel is compared too. A failure shows the seed (AP_TEST_SEED) and the statements that
lead to it. AP_SOAK=1 runs 20,000 statements, others each time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import apiary
import duckdb
import pytest
from tables import seeded

SOAK = os.environ.get("AP_SOAK") == "1"
WORLDS = 40 if SOAK else 6
STATEMENTS = 500 if SOAK else 100  # of one world
COLUMNS = {
    "id": "BIGINT",
    "k": "INTEGER",
    "w": "VARCHAR",
    "d": "DECIMAL(10,2)",
    "f": "DOUBLE",
    "day": "DATE",
    "ts": "TIMESTAMP",
    "flag": "BOOLEAN",
    "p": "VARCHAR",
}
VERSIONS_KEPT = 12


class World:
    """A frame, a table of plain DuckDB, and a copy of the table for each version."""

    def __init__(self, draw: random.Random, folder: Path, partitioned: bool) -> None:
        self.draw = draw
        self.apiary = apiary.Apiary("random", folder, bees=2)
        self.apiary.start()
        self.apiary.create_hive("h").create_box("b")
        self.apiary.sql("USE h.b")
        self.plain = duckdb.connect()
        self.plain.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(
            f'"{name}" {kind}' + (" NOT NULL" if name == "p" else "")
            for name, kind in COLUMNS.items()
        )
        self.plain.execute(f"CREATE TABLE t ({columns})")
        tail = " PARTITIONED BY (p)" if partitioned else ""
        self.apiary.sql(f"CREATE FRAME t ({columns}){tail}")
        self.statements: list[str] = []
        self.versions: list[int] = []
        self.next_id = 0
        self.keep_version()

    def close(self) -> None:
        self.apiary.shutdown()
        self.plain.close()

    def version(self) -> int:
        return int(self.apiary.get_frame("h", "b", "t")["version"])

    def keep_version(self) -> None:
        now = self.version()
        if now in self.versions:
            return
        self.versions.append(now)
        self.plain.execute(f"CREATE TABLE t_{now} AS FROM t")
        if len(self.versions) > VERSIONS_KEPT:
            gone = self.versions.pop(self.draw.randrange(len(self.versions) - 1))
            self.plain.execute(f"DROP TABLE t_{gone}")

    # ---- values and conditions -----------------------------------------------------------------

    def literal(self, column: str) -> str:
        draw = self.draw
        if column != "p" and column != "id" and draw.random() < 0.15:
            return "NULL"
        makers: dict[str, Callable[[], str]] = {
            "id": lambda: str(draw.randrange(max(self.next_id, 1) + 3)),
            "k": lambda: str(draw.randint(-3, 12)),
            "w": lambda: draw.choice(["'a'", "'b'", "''", "'grün'", "'it''s'", "'zz top'"]),
            "d": lambda: f"{draw.randint(-9999, 9999) / 100:.2f}",
            "f": lambda: draw.choice(["0.5", "-1e10", "3.25", "0", "'NaN'::DOUBLE", "1e-3"]),
            "day": lambda: f"DATE '2024-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}'",
            "ts": lambda: f"TIMESTAMP '2024-02-29 {draw.randint(0, 23):02}:30:00.000001'",
            "flag": lambda: draw.choice(["true", "false"]),
            "p": lambda: draw.choice(["'x'", "'y'", "'z=1/2'"]),
        }
        return makers[column]()

    def expression(self, column: str) -> str:
        """A new value of a column, of the old row."""
        draw = self.draw
        choices: dict[str, list[str]] = {
            "k": ["k + 1", "-k", "coalesce(k, 0) * 2 % 13", "length(w)::INTEGER"],
            "w": ["w || '!'", "upper(w)", "left(w || p, 6)", "CASE WHEN flag THEN 'yes' END"],
            "d": ["round(d / 2, 2)", "-d", "coalesce(d, 0.01)"],
            "f": ["f / 2", "k * 0.5", "CASE WHEN isnan(f) THEN NULL ELSE f END"],
            "day": ["day + 1", "CAST(ts AS DATE)", "day - k"],
            "ts": ["ts + INTERVAL 1 HOUR", "CAST(day AS TIMESTAMP)"],
            "flag": ["NOT flag", "k IS DISTINCT FROM 3", "flag OR k > 3"],
            "p": ["CASE WHEN p = 'x' THEN 'y' ELSE 'x' END", "coalesce(left(w, 1), 'n') || 'p'"],
        }
        if column in choices and draw.random() < 0.6:
            return draw.choice(choices[column])
        return self.literal(column)

    def condition(self, depth: int = 0, alias: str = "") -> str:
        draw = self.draw
        if depth < 2 and draw.random() < 0.3:
            word = draw.choice(["AND", "OR"])
            left, right = self.condition(depth + 1, alias), self.condition(depth + 1, alias)
            return f"({left} {word} {right})"
        if draw.random() < 0.1:
            return f"NOT ({self.condition(depth + 1, alias)})"
        column = draw.choice(list(COLUMNS))
        name = alias + column
        shapes = [
            lambda: f"{name} {draw.choice(['=', '<>', '<', '>='])} {self.literal(column)}",
            lambda: f"{name} IS NULL",
            lambda: f"{name} IN ({self.literal(column)}, {self.literal(column)})",
            lambda: f"{name} BETWEEN {self.literal(column)} AND {self.literal(column)}",
            lambda: f"{alias}id % {draw.randint(2, 5)} = {draw.randint(0, 2)}",
            lambda: f"{alias}id < {self.literal('id')}",
            lambda: f"{alias}p = {self.literal('p')}",
            lambda: f"{alias}w LIKE {draw.choice(['a%', '%o%', 'z_%']).join(chr(39) * 2)}",
        ]
        return draw.choice(shapes)()

    # ---- statements ----------------------------------------------------------------------------

    def fresh_id(self) -> str:
        self.next_id += 1
        return str(self.next_id - 1)

    def row(self, columns: list[str]) -> str:
        values = [self.fresh_id() if c == "id" else self.literal(c) for c in columns]
        return "(" + ", ".join(values) + ")"

    def insert_values(self) -> str:
        extra = [c for c in COLUMNS if c not in ("id", "p")]
        some = self.draw.sample(extra, self.draw.randint(0, len(extra)))
        columns = ["id", "p", *some]
        self.draw.shuffle(columns)
        rows = ", ".join(self.row(columns) for _ in range(self.draw.choice([1, 1, 3, 20])))
        return f"INSERT INTO t ({', '.join(columns)}) VALUES {rows}"

    def insert_rows(self) -> str:
        first, count = self.next_id, self.draw.choice([5, 50, 300])
        self.next_id += count
        return (
            f"INSERT INTO t SELECT {first} + n, n % 11, 'w' || (n % 7), (n % 100) / 4.0, n / 8.0, "
            "DATE '2024-01-01' + (n % 300)::INTEGER, TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * n, "
            f"n % 3 = 0, CASE WHEN n % 2 = 0 THEN 'x' ELSE 'y' END FROM range({count}) AS r(n)"
        )

    def insert_own(self) -> str:
        first = self.next_id
        self.next_id += 100000
        return (
            f"INSERT INTO t SELECT {first} + id % 100000, k, w, d, f, day, ts, flag, p FROM t "
            f"WHERE {self.condition()} QUALIFY row_number() OVER (ORDER BY id, p) <= 20"
        )

    def update(self) -> str:
        columns = self.draw.sample([c for c in COLUMNS if c != "id"], self.draw.randint(1, 3))
        sets = ", ".join(f"{c} = {self.expression(c)}" for c in columns)
        where = f" WHERE {self.condition()}" if self.draw.random() < 0.95 else ""
        return f"UPDATE t SET {sets}{where}"

    def update_from(self) -> str:
        keys = ", ".join(f"({n}, 'u{n}')" for n in self.draw.sample(range(13), 4))
        where = f"t.k = s.k AND {self.condition(1, 't.')}"
        return f"UPDATE t SET w = s.w, f = t.f + 1 FROM (VALUES {keys}) AS s(k, w) WHERE {where}"

    def delete(self) -> str:
        condition = self.condition()
        return self.draw.choice(
            [
                f"DELETE FROM t WHERE {condition} AND id % 3 = {self.draw.randrange(3)}",
                f"DELETE FROM t WHERE id IN (SELECT id FROM t WHERE {condition} AND k > 4)",
                f"DELETE FROM t WHERE p = 'x' AND {condition} AND k % 2 = 0",
            ]
        )

    def merge(self) -> str:
        ids = self.draw.sample(range(self.next_id + 10), min(8, self.next_id + 10))
        self.next_id += 10
        rows = ", ".join(f"({i}, {self.literal('k')}, {self.literal('w')})" for i in ids)
        clauses = [
            f"WHEN MATCHED AND {self.condition(1, 't.')} THEN DELETE",
            "WHEN MATCHED THEN UPDATE SET k = s.k, w = coalesce(s.w, t.w)",
            "WHEN NOT MATCHED AND s.k > 0 THEN INSERT (id, k, w, p) VALUES (s.id, s.k, s.w, 'x')",
            "WHEN NOT MATCHED BY SOURCE AND t.k = 12 THEN UPDATE SET flag = NOT t.flag",
        ]
        chosen = [clause for clause in clauses if self.draw.random() < 0.7] or clauses[1:2]
        return f"MERGE INTO t USING (VALUES {rows}) AS s(id, k, w) ON t.id = s.id " + " ".join(
            chosen
        )

    def change(self) -> str:
        makers = [
            (self.insert_values, 4),
            (self.insert_rows, 3),
            (self.insert_own, 1),
            (self.update, 5),
            (self.update_from, 2),
            (self.delete, 4),
            (self.merge, 3),
            (lambda: "TRUNCATE t", 0.1),
        ]
        functions = [maker for maker, _ in makers]
        return self.draw.choices(functions, [weight for _, weight in makers])[0]()

    # ---- both engines --------------------------------------------------------------------------

    def apply(self, sql: str) -> None:
        """Run a change on both; both must take it."""
        self.statements.append(sql)
        ours: Exception | None = None
        plain: Exception | None = None
        try:
            self.apiary.sql(sql)
        except apiary.ApiaryError as error:
            ours = error
        try:
            self.plain.execute(sql)
        except duckdb.Error as error:
            plain = error
        if (ours is None) != (plain is None):
            raise AssertionError(f"we say {ours!r}, DuckDB says {plain!r}")

    def compare(self, ours: str, plain: str) -> None:
        have = self.apiary.sql(ours).fetchall()
        want = self.plain.execute(plain).fetchall()
        if [repr(row) for row in have] != [repr(row) for row in want]:
            raise AssertionError(
                f"{ours}\nwe answer {len(have)} rows, DuckDB {len(want)}; "
                f"only ours {[r for r in have if r not in want][:3]}, "
                f"only DuckDB's {[r for r in want if r not in have][:3]}"
            )

    def look(self) -> None:
        """Query the frame, its past, or both together."""
        condition = self.condition()
        self.statements.append("(look)")
        self.compare("SELECT * FROM t ORDER BY ALL", "SELECT * FROM t ORDER BY ALL")
        version = self.draw.choice(self.versions)
        past = self.draw.choice(
            [f"t AT (VERSION => {version})", f"t VERSION AS OF {version}"],
        )
        texts = [
            f"SELECT p, count(*), sum(k), min(w), max(day) FROM {{}} WHERE {condition} "
            "GROUP BY p ORDER BY ALL",
            f"SELECT count(*), count(d), sum(d) FROM {{}} WHERE {condition}",
        ]
        for text in texts:
            self.compare(text.format("t"), text.format("t"))
            self.compare(text.format(past), text.format(f"t_{version}"))
        both = (
            "SELECT n.id, n.k, o.k FROM t AS n FULL JOIN {} ON n.id = o.id AND n.p = o.p "
            "WHERE n.k IS DISTINCT FROM o.k ORDER BY ALL"
        )
        self.compare(
            both.format(f"t AS o AT (VERSION => {version})"), both.format(f"t_{version} AS o")
        )

    def transaction(self) -> None:
        self.apply("BEGIN")
        for _ in range(self.draw.randint(1, 4)):
            self.apply(self.change())
            self.compare("SELECT * FROM t ORDER BY ALL", "SELECT * FROM t ORDER BY ALL")
        self.apply(self.draw.choice(["COMMIT", "COMMIT", "ROLLBACK"]))

    def step(self) -> None:
        if self.draw.random() < 0.1:
            self.transaction()
        else:
            self.apply(self.change())
        self.keep_version()
        if self.draw.random() < 0.5:
            self.look()


@pytest.mark.timeout(1800 if SOAK else 300)
@pytest.mark.parametrize("number", range(WORLDS))
def test_sequences(number: int, tmp_path: Path) -> None:
    draw = seeded("random statements")
    if not SOAK and "AP_TEST_SEED" not in os.environ:
        draw = random.Random(20261124 + number)
    world = World(draw, tmp_path / "root", partitioned=number % 2 == 1)
    try:
        while len(world.statements) < STATEMENTS:
            world.step()
        world.look()
    except Exception as error:
        shown = "\n".join(f"{text};" for text in world.statements[-15:])
        after = f"after {len(world.statements)} statements, lastly"
        raise AssertionError(f"{error}\n{after}\n{shown}") from error
    finally:
        world.close()
