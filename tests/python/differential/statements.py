# SPDX-License-Identifier: Apache-2.0
"""Random statements over the two frames of a world: conditions, changes and queries."""

from __future__ import annotations

import datetime
import re
from typing import Any

from differential.worlds import (
    NESTED,
    NUMBERS,
    UNORDERED,
    Column,
    Frame,
    Version,
    World,
)

# What stands for a constant of a kind, as Python hands it over.
_PARAMETERS: dict[str, list[Any]] = {
    "INTEGER": [0, 1, 3, -7, 2147483647],
    "BIGINT": [0, 1, 2, 9223372036854775807],
    "TINYINT": [0, 1, 127],
    "UTINYINT": [0, 1, 200],
    "DOUBLE": [0.0, 1.5, float("nan"), float("inf"), 0.1],
    "VARCHAR": ["a", "b", "", "grün", "it's", "NULL", "x" * 40],
    "DATE": [datetime.date(2024, 2, 29), datetime.date(1970, 1, 1), datetime.date(1, 1, 1)],
    "TIMESTAMP": [datetime.datetime(2024, 3, 1), datetime.datetime(1969, 12, 31, 23, 59, 59)],
    "BOOLEAN": [True, False],
}
_COMPARISONS = ["=", "=", "<>", "<", "<=", ">", ">="]


class Reference:
    """A frame in a FROM clause: its text for each engine, and its columns under an alias."""

    def __init__(self, ours: str, plain: str, alias: str, columns: list[Column]) -> None:
        self.ours = ours
        self.plain = plain
        self.alias = alias
        self.columns = columns

    def name(self, column: Column) -> str:
        return f"{self.alias}.{column.text}"


class Statements:
    """Texts that stand for both engines; where they differ, `@n@` marks a reference."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.draw = world.draw
        self.aliases = 0
        self.references: list[Reference] = []
        self.parameters: dict[str, Any] = {}
        self.use_parameters = False

    def chance(self, probability: float) -> bool:
        return self.draw.random() < probability

    # ---- references ------------------------------------------------------------------------------

    def start(self) -> None:
        self.parameters = {}
        self.use_parameters = False
        self.references = []
        self.aliases = 0

    def refer(self, frame: Frame, version: Version | None = None) -> Reference:
        self.aliases += 1
        alias = f"a{self.aliases}"
        ours, plain, columns = frame.name, frame.name, frame.columns
        if version is not None:
            ours = f"{frame.name} AT (VERSION => {version.number})"
            plain, columns = version.table, version.columns
        reference = Reference(f"{ours} AS {alias}", f"{plain} AS {alias}", alias, columns)
        self.references.append(reference)
        return reference

    def mark(self, reference: Reference) -> str:
        return f"@{self.references.index(reference)}@"

    def both(self, text: str) -> tuple[str, str]:
        ours = plain = text
        for number, reference in enumerate(self.references):
            ours = ours.replace(f"@{number}@", reference.ours)
            plain = plain.replace(f"@{number}@", reference.plain)
        return ours, plain

    def any_reference(self, past: float = 0.2) -> Reference:
        frame = self.draw.choice(list(self.world.frames.values()))
        if self.chance(past):
            return self.refer(frame, self.draw.choice(frame.versions))
        return self.refer(frame)

    # ---- conditions ------------------------------------------------------------------------------

    def constant(self, column: Column) -> str:
        if column.name == "id":
            return str(self.draw.randrange(60))
        if self.use_parameters and column.kind in _PARAMETERS and self.chance(0.6):
            name = f"p{len(self.parameters)}"
            self.parameters[name] = self.draw.choice(_PARAMETERS[column.kind])
            return f"CAST(${name} AS {column.kind})" if self.chance(0.3) else f"${name}"
        return self.world.value(Column(column.name, column.kind), typed=True)

    def pick(self, reference: Reference, kinds: set[str] | None = None) -> Column:
        columns = [c for c in reference.columns if kinds is None or c.kind in kinds]
        parts = [c for c in columns if c.is_partition]
        if parts and self.chance(0.35):
            return self.draw.choice(parts)
        return self.draw.choice(columns or reference.columns)

    def condition(self, reference: Reference, depth: int = 2) -> str:
        draw = self.draw
        what = draw.random()
        if depth > 0 and what < 0.35:
            parts = [self.condition(reference, depth - 1) for _ in range(2)]
            return "(" + draw.choice([" AND ", " AND ", " OR "]).join(parts) + ")"
        if depth > 0 and what < 0.42:
            return f"NOT ({self.condition(reference, depth - 1)})"
        if what < 0.65 and depth > 0:
            return self.subquery(reference)
        return self.leaf(reference)

    def leaf(self, reference: Reference) -> str:
        draw = self.draw
        column = self.pick(reference)
        name = reference.name(column)
        if column.kind in NESTED:
            return f"{name} IS {draw.choice(['', 'NOT '])}NULL"
        value = lambda: self.constant(column)  # noqa: E731
        forms = [
            f"{name} {draw.choice(_COMPARISONS)} {value()}",
            f"{name} {draw.choice(_COMPARISONS)} {value()}",
            f"{value()} {draw.choice(_COMPARISONS)} {name}",
            f"{name} IN ({value()}, {value()}, {value()})",
            f"{name} NOT IN ({value()}, {value()})",
            f"{name} BETWEEN {value()} AND {value()}",
            f"{name} IS NULL",
            f"{name} IS NOT NULL",
            f"{name} IS DISTINCT FROM {value()}",
            f"coalesce({name}, {value()}) = {value()}",
            f"{reference.alias}.id % {draw.randint(2, 5)} = {draw.randint(0, 2)}",
            f"{reference.alias}.id < {draw.randrange(60)}",
        ]
        others = [c for c in reference.columns if c.kind == column.kind and c is not column]
        if others:
            forms.append(f"{name} {draw.choice(_COMPARISONS)} {reference.name(others[0])}")
        forms += self.of_kind(column, name)
        return draw.choice(forms)

    def of_kind(self, column: Column, name: str) -> list[str]:
        draw = self.draw
        if column.kind == "VARCHAR":
            cut = draw.choice(
                ["a", "ab", "gr", "a b", "x", "xxxxx", "", "日", "A", "%", "it''", "_"]
            )
            return [
                f"{name} LIKE '{cut}%'",
                f"{name} LIKE '%{cut}'",
                f"{name} NOT LIKE '{cut}%'",
                f"{name} ILIKE '{cut}%'",
                f"starts_with({name}, '{cut}')",
                f"left({name}, 1) = '{cut[:1] or 'b'}'",
                f"length({name}) > 2",
                f"lower({name}) = 'a'",
                f"substr({name}, 1, 2) >= '{cut if chr(39) not in cut else 'q'}'",
                f"{name} || 'x' < 'b'",
            ]
        if column.kind in ("DATE", "TIMESTAMP") and not self.world.wild:
            return [
                f"year({name}) = {draw.choice([1970, 2024, 1969, 9999])}",
                f"date_trunc('month', {name}) = DATE '2024-02-01'",
                f"{name}::DATE = DATE '2024-02-29'",
                f"{name} < DATE '2024-03-01'",
                f"{name} >= TIMESTAMP '2024-02-29 12:00:00'",
                f"extract(month FROM {name}) IN (1, 2)",
                f"CAST({name} AS VARCHAR) LIKE '2024%'",
            ]
        if column.kind in NUMBERS:
            return [
                f"{name} > {draw.choice(['0', '0.5', '-1', '1e10', '127', '3.0', '1e300'])}",
                f"{name} = {draw.choice(['0', '1', '1.0', '1.5', '0.1', '0.1::REAL', '5e0'])}",
                f"{name}::DOUBLE < {draw.choice(['0', '1.5', '1e18'])}",
                f"TRY_CAST({name} AS INTEGER) >= {draw.choice(['0', '2', '-7'])}",
                f"CAST({name} AS VARCHAR) = '{draw.choice(['1', '0', '1.50', '0.01'])}'",
                f"{name} IN (0, 1, 1.5)",
                f"abs({name}::DOUBLE) = 1",
            ]
        if column.kind == "BOOLEAN":
            return [name, f"NOT {name}", f"{name} IS TRUE", f"{name} IS NOT FALSE"]
        return []

    def subquery(self, reference: Reference) -> str:
        """A condition that asks a frame, the same one or another, now or in the past."""
        draw = self.draw
        inner = self.any_reference()
        mark = self.mark(inner)
        comparable = {c.kind for c in inner.columns} - NESTED
        column = self.pick(reference, comparable)
        own = [c for c in inner.columns if c.kind == column.kind]
        if not own or column.kind in NESTED:
            return self.leaf(reference)
        key = inner.name(draw.choice(own))
        name = reference.name(column)
        where = self.leaf(inner)
        bound = draw.choice(["min", "max"])
        if column.kind in UNORDERED:
            return f"{name} IN (SELECT {key} FROM {mark} WHERE {where})"
        return draw.choice(
            [
                f"{name} IN (SELECT {key} FROM {mark} WHERE {where})",
                f"{name} NOT IN (SELECT {key} FROM {mark} WHERE {where})",
                f"{name} IN (SELECT max({key}) FROM {mark} WHERE {where})",
                f"{name} = (SELECT {bound}({key}) FROM {mark} WHERE {where})",
                f"{name} > (SELECT min({key}) FROM {mark})",
                f"EXISTS (SELECT 1 FROM {mark} WHERE {key} = {name} AND {where})",
                f"NOT EXISTS (SELECT 1 FROM {mark} WHERE {key} = {name} AND {where})",
                f"(SELECT count(*) FROM {mark} WHERE {key} = {name} AND {where}) > 1",
                f"{name} >= ALL (SELECT {key} FROM {mark} WHERE {where})",
                f"{name} = ANY (SELECT {key} FROM {mark} WHERE {where})",
                f"{name} IN (SELECT {key} FROM {mark} UNION "
                f"SELECT {key} FROM {mark} WHERE {where})",
                f"{name} IN (SELECT {key} FROM {mark} WHERE {where} GROUP BY ALL "
                "HAVING count(*) > 1)",
            ]
        )

    # ---- changes ---------------------------------------------------------------------------------

    def target(self, frame: Frame) -> Reference:
        """The frame that a statement changes, by its own name."""
        return Reference(frame.name, frame.name, frame.name, frame.columns)

    def expression(self, target: Reference, column: Column) -> str:
        draw = self.draw
        name = target.name(column)
        same = [target.name(c) for c in target.columns if c.kind == column.kind]
        value = self.world.value(column, typed=True)
        forms = [value, value, f"coalesce({name}, {value})", draw.choice(same)]
        forms.append(f"CASE WHEN {self.leaf(target)} THEN {value} ELSE {name} END")
        inner = self.any_reference()
        own = [inner.name(c) for c in inner.columns if c.kind == column.kind]
        if own and column.kind not in UNORDERED:
            mark = self.mark(inner)
            ids = f"{inner.alias}.id = {target.alias}.id"
            forms.append(f"(SELECT max({own[0]}) FROM {mark})")
            forms.append(f"(SELECT min({own[0]}) FROM {mark} WHERE {ids})")
        return draw.choice(forms)

    def insert(self, frame: Frame) -> str:
        columns = [c for c in frame.columns if c.is_partition or self.chance(0.85)]
        if "id" not in [c.name for c in columns]:
            columns.insert(0, frame.columns[0])
        self.draw.shuffle(columns)
        rows = []
        for _ in range(self.draw.choice([1, 2, 5, 30])):
            frame.next_id += 1
            values = [
                str(frame.next_id) if c.name == "id" else self.world.value(c, typed=True)
                for c in columns
            ]
            rows.append("(" + ", ".join(values) + ")")
        names = ", ".join(c.text for c in columns)
        return f"INSERT INTO {frame.name} ({names}) VALUES {', '.join(rows)}"

    def insert_query(self, frame: Frame) -> str:
        """Rows of either frame, those of the other by the columns that both have."""
        source = self.any_reference()
        known = {(c.name, c.kind): c for c in source.columns}
        items = [
            source.name(known[c.name, c.kind])
            if (c.name, c.kind) in known
            else self.world.value(c, typed=True)
            for c in frame.columns
        ]
        order = ", ".join(f"{n} NULLS FIRST" for n in items)
        where = self.condition(source)
        return (
            f"INSERT INTO {frame.name} SELECT {', '.join(items)} FROM {self.mark(source)} "
            f"WHERE {where} QUALIFY row_number() OVER (ORDER BY {order}) <= 12"
        )

    def update(self, frame: Frame) -> str:
        target = self.target(frame)
        columns = self.draw.sample(frame.columns, self.draw.randint(1, min(3, len(frame.columns))))
        columns = [c for c in columns if c.name != "id"] or frame.columns[1:2]
        sets = ", ".join(f"{c.text} = {self.expression(target, c)}" for c in columns)
        if not sets:
            return self.delete(frame)
        return f"UPDATE {frame.name} SET {sets} WHERE {self.condition(target)}"

    def delete(self, frame: Frame) -> str:
        target = self.target(frame)
        some = f"{frame.name}.id % 3 = {self.draw.randrange(3)}"
        where = self.condition(target)
        return f"DELETE FROM {frame.name} WHERE {where} AND {some}"

    def grouped(self, frame: Frame) -> tuple[str, Column, list[Column], Reference] | None:
        """(SELECT key, max(..) .. GROUP BY key) of either frame, for joins with the target."""
        source = self.any_reference()
        mine = {(c.name, c.kind) for c in frame.columns}
        shared = [c for c in source.columns if (c.name, c.kind) in mine and c.kind not in NESTED]
        if not shared:
            return None
        key = self.draw.choice(shared) if self.chance(0.6) else source.columns[0]
        values = [c for c in shared if c is not key and c.kind not in UNORDERED and c.name != "id"]
        items = [source.name(key)] + [f"max({source.name(c)}) AS {c.text}" for c in values]
        text = (
            f"(SELECT {', '.join(items)} FROM {self.mark(source)} WHERE {self.condition(source)} "
            f"GROUP BY {source.name(key)})"
        )
        return text, key, values, source

    def update_from(self, frame: Frame) -> str:
        found = self.grouped(frame)
        if found is None or not found[2]:
            return self.update(frame)
        text, key, values, _ = found
        column = self.draw.choice(values)
        where = f"{frame.name}.{key.text} = q.{key.text}"
        if self.chance(0.5):
            where += f" AND {self.condition(self.target(frame), 1)}"
        sets = f"{column.text} = q.{column.text}"
        return f"UPDATE {frame.name} SET {sets} FROM {text} AS q WHERE {where}"

    def delete_using(self, frame: Frame) -> str:
        found = self.grouped(frame)
        if found is None:
            return self.delete(frame)
        text, key, _, _ = found
        return (
            f"DELETE FROM {frame.name} USING {text} AS q WHERE {frame.name}.{key.text} = "
            f"q.{key.text} AND {frame.name}.id % 4 = {self.draw.randrange(4)}"
        )

    def merge(self, frame: Frame) -> str:
        found = self.grouped(frame)
        if found is None:
            return self.update(frame)
        text, key, values, _ = found
        target = self.target(frame)
        clauses = []
        if self.chance(0.4):
            clauses.append(f"WHEN MATCHED AND {self.leaf(target)} THEN DELETE")
        if values and self.chance(0.8):
            column = self.draw.choice(values)
            clauses.append(f"WHEN MATCHED THEN UPDATE SET {column.text} = q.{column.text}")
        if self.chance(0.4):
            given = {c.name for c in values} | {key.name}
            frame.next_id += 1
            items = [
                f"q.{c.text}"
                if c.name in given and not c.is_partition and c.name != "id"
                else str(frame.next_id + 1000)
                if c.name == "id"
                else self.world.value(c, typed=True)
                for c in frame.columns
            ]
            names = ", ".join(c.text for c in frame.columns)
            clauses.append(f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({', '.join(items)})")
        if self.chance(0.25):
            where = f"{self.leaf(target)} AND {frame.name}.id % 5 = 0"
            clauses.append(f"WHEN NOT MATCHED BY SOURCE AND {where} THEN DELETE")
        if not clauses:
            clauses.append("WHEN MATCHED THEN DELETE")
        extra = f" AND {self.leaf(target)}" if self.chance(0.3) else ""
        return (
            f"MERGE INTO {frame.name} USING {text} AS q ON {frame.name}.{key.text} = q.{key.text}"
            f"{extra} {' '.join(clauses)}"
        )

    def change(self, frame: Frame) -> tuple[str, str]:
        self.start()
        makers = [self.insert, self.insert_query, self.update, self.delete, self.update_from]
        makers += [self.delete_using, self.merge]
        maker = self.draw.choices(makers, [5, 2, 5, 3, 2, 1, 3])[0]
        return self.both(maker(frame))

    # ---- queries ---------------------------------------------------------------------------------

    def query(self) -> tuple[str, str, bool, dict[str, Any]]:
        self.start()
        self.use_parameters = self.chance(0.25)
        makers = [
            self.filter,
            self.counts,
            self.groups,
            self.join,
            self.join_using,
            self.window,
            self.set_operation,
            self.limit,
            self.with_clause,
            self.correlated,
        ]
        maker = self.draw.choices(makers, [4, 4, 2, 4, 2, 1, 1, 2, 2, 1])[0]
        ours, plain = self.both(maker())
        used = set(re.findall(r"\$(p\d+)", ours))
        given = {name: value for name, value in self.parameters.items() if name in used}
        return ours, plain, maker == self.limit, given

    def columns_of(self, reference: Reference) -> str:
        some = self.draw.sample(reference.columns, self.draw.randint(1, len(reference.columns)))
        return ", ".join(reference.name(c) for c in some)

    def filter(self) -> str:
        reference = self.any_reference()
        items = self.columns_of(reference) if self.chance(0.7) else "*"
        return f"SELECT {items} FROM {self.mark(reference)} WHERE {self.condition(reference)}"

    def counts(self) -> str:
        """What the ledger may answer alone."""
        reference = self.any_reference()
        items = ["count(*)"]
        for column in reference.columns:
            if column.kind in NESTED or self.chance(0.3):
                continue
            name = reference.name(column)
            items.append(f"count({name})")
            if column.kind not in UNORDERED:
                items += [f"min({name})", f"max({name})"]
        items = self.draw.sample(items, self.draw.randint(1, min(4, len(items))))
        where = f" WHERE {self.condition(reference, 1)}" if self.chance(0.6) else ""
        return f"SELECT {', '.join(items)} FROM {self.mark(reference)}{where}"

    def groups(self) -> str:
        reference = self.any_reference()
        key = reference.name(self.pick(reference))
        other = self.pick(reference)
        items = [key, "count(*)"]
        if other.kind not in UNORDERED:
            items += [f"min({reference.name(other)})", f"max({reference.name(other)})"]
        if key.startswith(reference.alias) and reference.alias in key and other.kind in NUMBERS:
            items.append(f"count(DISTINCT {reference.name(other)})")
        where = self.condition(reference)
        having = " HAVING count(*) > 1" if self.chance(0.3) else ""
        return (
            f"SELECT {', '.join(items)} FROM {self.mark(reference)} WHERE {where} "
            f"GROUP BY {key}{having}"
        )

    def pair(self) -> tuple[Reference, Reference, Column, Column] | None:
        left, right = self.any_reference(), self.any_reference()
        pairs = [
            (a, b)
            for a in left.columns
            for b in right.columns
            if a.kind == b.kind and a.kind not in NESTED
        ]
        parts = [(a, b) for a, b in pairs if a.is_partition or b.is_partition]
        chosen = self.draw.choice(parts if parts and self.chance(0.6) else pairs)
        return left, right, *chosen

    def join(self) -> str:
        found = self.pair()
        assert found is not None
        left, right, a, b = found
        kind = self.draw.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        kind = self.draw.choice([kind, kind, "SEMI JOIN", "ANTI JOIN"])
        on = f"{left.name(a)} = {right.name(b)}"
        if self.chance(0.3):
            on += f" AND {self.leaf(right)}"
        where = self.condition(left)
        items = f"{left.alias}.id, {left.name(a)}"
        if not kind.startswith(("SEMI", "ANTI")):
            items += f", {right.alias}.id, {right.name(b)}"
            if self.chance(0.4):
                where += f" AND {self.leaf(right)}"
        return (
            f"SELECT {items} FROM {self.mark(left)} {kind} {self.mark(right)} ON {on} WHERE {where}"
        )

    def join_using(self) -> str:
        left, right = self.any_reference(), self.any_reference()
        names = {(c.name, c.kind) for c in right.columns}
        shared = [c for c in left.columns if (c.name, c.kind) in names and c.kind not in NESTED]
        key = self.draw.choice(shared)
        kind = self.draw.choice(["JOIN", "LEFT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN"])
        return (
            f"SELECT count(*), count({key.text}) FROM {self.mark(left)} {kind} {self.mark(right)} "
            f"USING ({key.text}) WHERE {self.leaf(left)}"
        )

    def window(self) -> str:
        reference = self.any_reference()
        key = reference.name(self.pick(reference))
        order = ", ".join(reference.name(c) for c in reference.columns)
        return (
            f"SELECT {reference.alias}.id, row_number() OVER (PARTITION BY {key} ORDER BY {order}) "
            f"FROM {self.mark(reference)} QUALIFY row_number() OVER (PARTITION BY {key} "
            f"ORDER BY {order}) <= 2"
        )

    def set_operation(self) -> str:
        found = self.pair()
        assert found is not None
        left, right, a, b = found
        word = self.draw.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL"])
        return (
            f"SELECT {left.name(a)} FROM {self.mark(left)} WHERE {self.condition(left)} {word} "
            f"SELECT {right.name(b)} FROM {self.mark(right)} WHERE {self.condition(right)}"
        )

    def limit(self) -> str:
        reference = self.any_reference()
        columns = [c for c in reference.columns if c.kind not in NESTED]
        self.draw.shuffle(columns)
        items = ", ".join(reference.name(c) for c in columns)
        way = ", ".join(
            f"{reference.name(c)} {self.draw.choice(['ASC', 'DESC'])} "
            f"NULLS {self.draw.choice(['FIRST', 'LAST'])}"
            for c in columns
        )
        tail = f"LIMIT {self.draw.choice([1, 3, 10])}"
        if self.chance(0.3):
            tail += f" OFFSET {self.draw.choice([1, 5])}"
        where = f" WHERE {self.condition(reference)}" if self.chance(0.7) else ""
        return f"SELECT {items} FROM {self.mark(reference)}{where} ORDER BY {way} {tail}"

    def with_clause(self) -> str:
        reference = self.any_reference()
        outer = self.any_reference()
        key = self.pick(reference, {c.kind for c in outer.columns} - NESTED)
        own = [c for c in outer.columns if c.kind == key.kind and key.kind not in NESTED]
        if not own:
            return self.filter()
        word = self.draw.choice(["", "", "MATERIALIZED "])
        condition = self.condition(outer, 1)
        return (
            f"WITH w(k) AS {word}(SELECT {reference.name(key)} FROM {self.mark(reference)} WHERE "
            f"{self.condition(reference)}) SELECT {outer.alias}.id, (SELECT count(*) FROM w) FROM "
            f"{self.mark(outer)} WHERE {outer.name(own[0])} IN (SELECT k FROM w) AND {condition}"
        )

    def correlated(self) -> str:
        found = self.pair()
        assert found is not None
        left, right, a, b = found
        return (
            f"SELECT {left.alias}.id, (SELECT max({right.alias}.id) FROM {self.mark(right)} WHERE "
            f"{right.name(b)} = {left.name(a)} AND {self.leaf(right)}) FROM {self.mark(left)} "
            f"WHERE {self.condition(left, 1)}"
        )
