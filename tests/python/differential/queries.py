# SPDX-License-Identifier: Apache-2.0
"""Random queries over random frames."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from differential.frames import Frame
from differential.values import KINDS, Column, literal, ordinary, parameter, quote, random_value

_COMPARISONS = ["=", "<>", "!=", "<", "<=", ">", ">=", "=", "<", ">", "=="]
_WIDER = {
    "i8": ["SMALLINT", "BIGINT", "DOUBLE", "DECIMAL(5,1)"],
    "i16": ["INTEGER", "BIGINT", "FLOAT", "DECIMAL(38,2)"],
    "i32": ["BIGINT", "DOUBLE", "HUGEINT", "DECIMAL(18,3)"],
    "i64": ["HUGEINT", "DOUBLE", "DECIMAL(38,4)"],
    "u8": ["INTEGER", "UINTEGER"],
    "u16": ["INTEGER", "UBIGINT"],
    "u32": ["BIGINT"],
    "u64": ["HUGEINT", "DECIMAL(38,2)"],
    "f4": ["DOUBLE"],
    "f8": ["FLOAT", "DOUBLE"],
    "d5": ["DECIMAL(9,2)", "DECIMAL(18,4)", "DOUBLE", "DECIMAL(9,1)"],
    "d9": ["BIGINT", "DECIMAL(38,10)"],
    "d18": ["DECIMAL(38,6)", "DECIMAL(38,0)", "DOUBLE"],
    "d38": ["DOUBLE"],
    "date": ["TIMESTAMP", "TIMESTAMPTZ"],
    "ts": ["DATE", "TIMESTAMPTZ"],
    "tz": ["TIMESTAMP", "DATE"],
}
_LOSSY = {
    "integer": ["TINYINT", "INTEGER", "DOUBLE", "DECIMAL(9,2)", "VARCHAR", "BOOLEAN"],
    "decimal": ["INTEGER", "DOUBLE", "DECIMAL(5,1)", "VARCHAR"],
    "float": ["INTEGER", "FLOAT", "DECIMAL(18,2)", "VARCHAR"],
    "date": ["TIMESTAMP", "VARCHAR"],
    "timestamp": ["DATE", "TIMESTAMP_S", "VARCHAR"],
    "instant": ["DATE", "TIMESTAMP", "VARCHAR"],
    "time": ["VARCHAR", "TIME"],
    "text": ["VARCHAR", "BLOB"],
    "boolean": ["INTEGER", "VARCHAR"],
    "binary": ["VARCHAR"],
}


@dataclass
class Query:
    """One text for both: the past of a frame is written in each one's own way."""

    ours: str
    plain: str
    parameters: list[Any] = field(default_factory=list)
    ordered: bool = False


@dataclass
class Source:
    """A frame in a FROM clause under a name."""

    frame: Frame
    alias: str
    text: str
    bare: bool  # columns may stand without the alias


class Generator:
    """Makes one query. The same random numbers make the same query."""

    def __init__(self, rng: random.Random, frames: list[Frame]) -> None:
        self.rng = rng
        self.frames = frames
        self.parameters: list[Any] = []
        self.use_parameters = rng.random() < 0.12
        self.past: list[tuple[str, str, str]] = []
        self.aliases = 0

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, *choices: str) -> str:
        return self.rng.choice(choices)

    # ----------------------------------------------------------------------------- sources

    def frame_name(self, frame: Frame) -> str:
        """A name of one, two or three parts, in whatever case."""
        name = frame.name if frame.name.islower() else f'"{frame.name}"'
        if self.chance(0.1) and not name.startswith('"'):
            name = self.pick(name.upper(), f'"{name}"', name.title())
        full = f"{frame.hive}.{frame.box}.{name}"
        if frame.hive == "second":
            return full
        middle = f"{frame.box}.{name}"
        if frame.box != "box":
            return self.pick(full, middle)
        return self.pick(full, middle, name, name)

    def source(self, frame: Frame | None = None, alone: bool = False) -> Source:
        frame = frame or self.rng.choice(self.frames)
        self.aliases += 1
        name = self.frame_name(frame)
        if self.chance(0.05):
            return self.past_source(frame)
        if alone and self.chance(0.4):
            return Source(frame, frame.columns[0].quoted and f'"{frame.name}"', name, True)
        alias = f"t{self.aliases}"
        return Source(frame, alias, f"{name} {self.pick('', 'AS ')}{alias}", alone)

    def past_source(self, frame: Frame) -> Source:
        """A frame as it was: the token is replaced when all else is made."""
        version = self.rng.choice(frame.versions)
        alias = f"t{self.aliases}"
        token = f"\x00{len(self.past)}\x00"
        full = f'{frame.hive}.{frame.box}."{frame.name}'
        ours = f'{full}" AS {alias} AT (VERSION => {version})'
        self.past.append((token, ours, f'{full}@{version}" AS {alias}'))
        return Source(frame, alias, token, False)

    def column(self, sources: list[Source], *families: str) -> tuple[str, Column]:
        """A column's text and what it is; of one of the families where some source has one."""
        source = self.rng.choice(sources)
        columns = source.frame.of_family(*families) if families else source.frame.columns
        column = self.rng.choice(columns or source.frame.columns)
        bare = source.bare and len(sources) == 1
        if bare and self.chance(0.6):
            return column.quoted, column
        return f"{source.alias}.{column.quoted}", column

    # -------------------------------------------------------------------------- conditions

    def value_of(self, column: Column) -> Any:
        rng = self.rng
        if self.chance(0.03):
            return None
        if column.pool and self.chance(0.5):
            return rng.choice(column.pool)
        if self.chance(0.3):
            return random_value(rng, column.kind, rng.random())
        if column.name == "id":
            return rng.randrange(400)
        return ordinary(rng, KINDS[column.kind], rng.random())

    def constant(self, column: Column) -> str:
        value = self.value_of(column)
        if self.use_parameters and self.chance(0.4):
            given = parameter(column.kind, value)
            if given is not None:
                self.parameters.append(given)
                return f"${len(self.parameters)}"
        return literal(self.rng, column.kind, value)

    def condition(self, sources: list[Source], depth: int = 2) -> str:
        what = self.rng.random()
        if depth > 0 and what < 0.5:
            parts = [self.condition(sources, depth - 1) for _ in range(self.rng.randrange(2, 4))]
            return "(" + self.pick(" AND ", " OR ").join(parts) + ")"
        if depth > 0 and what < 0.6:
            return f"NOT ({self.condition(sources, depth - 1)})"
        if depth > 0 and what < 0.64:
            return self.tested(self.condition(sources, depth - 1))
        return self.leaf(sources)

    def tested(self, condition: str) -> str:
        """A condition whose answer is looked at."""
        form = self.pick(
            "({0}) IS TRUE",
            "({0}) IS NOT TRUE",
            "({0}) IS FALSE",
            "({0}) IS NOT FALSE",
            "({0}) IS NULL",
            "({0}) IS NOT NULL",
            "({0}) = TRUE",
            "({0}) <> TRUE",
            "FALSE = ({0})",
            "coalesce({0}, FALSE)",
            "CASE WHEN {0} THEN TRUE ELSE FALSE END",
            "({0}) IS DISTINCT FROM TRUE",
        )
        return str(form.format(condition))

    def leaf(self, sources: list[Source]) -> str:
        makers: list[tuple[int, Callable[[list[Source]], str]]] = [
            (10, self.comparison),
            (3, self.membership),
            (3, self.between),
            (2, self.null_test),
            (3, self.like),
            (2, self.distinct),
            (3, self.cast),
            (3, self.function),
            (6, self.steady),
            (1, self.boolean),
            (1, self.column_pair),
            (1, self.subquery),
            (1, self.constant_condition),
        ]
        weights = [weight for weight, _ in makers]
        return self.rng.choices([maker for _, maker in makers], weights)[0](sources)

    def comparison(self, sources: list[Source]) -> str:
        text, column = self.column(sources)
        sides = [text, self.constant(column)]
        if self.chance(0.3):
            sides.reverse()
        return f"{sides[0]} {self.rng.choice(_COMPARISONS)} {sides[1]}"

    def membership(self, sources: list[Source]) -> str:
        text, column = self.column(sources)
        items = [self.constant(column) for _ in range(self.rng.randrange(1, 6))]
        if self.chance(0.15):
            items.append("NULL")
        if self.chance(0.1) and "$" not in str(items):  # a list cannot tell a parameter's type
            return f"{text} = ANY ([{', '.join(items)}])"
        return f"{text} {self.pick('IN', 'IN', 'NOT IN')} ({', '.join(items)})"

    def between(self, sources: list[Source]) -> str:
        text, column = self.column(sources)
        word = self.pick("BETWEEN", "BETWEEN", "NOT BETWEEN")
        return f"{text} {word} {self.constant(column)} AND {self.constant(column)}"

    def null_test(self, sources: list[Source]) -> str:
        text, _ = self.column(sources)
        return text + self.pick(" IS NULL", " IS NOT NULL", " ISNULL", " NOTNULL", " = NULL")

    def like(self, sources: list[Source]) -> str:
        text, column = self.column(sources, "text")
        word = self.value_of(column)
        word = word if isinstance(word, str) else "a"
        cut = word[: self.rng.randrange(len(word) + 1)]
        pattern = self.pick(cut + "%", cut + "%", cut, "%" + cut, cut + "_%", cut + "%" + word[-1:])
        return str(
            self.pick(
                f"{text} LIKE {quote(pattern)}",
                f"{text} LIKE {quote(pattern)}",
                f"{text} NOT LIKE {quote(pattern)}",
                f"{text} ILIKE {quote(pattern)}",
                f"{text} LIKE {quote(cut.replace('!', '') + '!%%')} ESCAPE '!'",
                f"starts_with({text}, {quote(cut)})",
                f"NOT prefix({text}, {quote(cut)})",
                f"{text} ^@ {quote(cut)}",
                f"{text} SIMILAR TO '[a-m].*'",
                f"{text} GLOB {quote(cut.replace('[', '') + '*')}",
                f"contains({text}, {quote(cut)})",
            )
        )

    def distinct(self, sources: list[Source]) -> str:
        text, column = self.column(sources)
        word = self.pick("IS DISTINCT FROM", "IS NOT DISTINCT FROM")
        sides = [text, self.constant(column)]
        if self.chance(0.3):
            sides.reverse()
        return f"{sides[0]} {word} {sides[1]}"

    def cast(self, sources: list[Source]) -> str:
        text, column = self.column(sources)
        if column.kind in _WIDER and self.chance(0.6):
            cast = f"CAST({text} AS {self.rng.choice(_WIDER[column.kind])})"
        else:
            cast = f"TRY_CAST({text} AS {self.rng.choice(_LOSSY[KINDS[column.kind].family])})"
        if self.chance(0.2):
            return f"{cast} IN ({self.constant(column)}, {self.constant(column)})"
        sides = [cast, self.constant(column)]
        if self.chance(0.3):
            sides.reverse()
        return f"{sides[0]} {self.rng.choice(_COMPARISONS)} {sides[1]}"

    def function(self, sources: list[Source]) -> str:
        number, n = self.column(sources, "integer", "decimal", "float")
        word, w = self.column(sources, "text")
        day, d = self.column(sources, "date", "timestamp")
        comparison = self.rng.choice(_COMPARISONS)
        if KINDS[n.kind].family not in ("integer", "decimal", "float"):
            return self.comparison(sources)
        choices = [
            f"{number}::DOUBLE + 1 {comparison} {self.constant(n)}",
            f"{number}::DOUBLE * 2 {comparison} {self.rng.randrange(-200, 200)}",
            f"-({number}::DOUBLE) {comparison} {self.rng.randrange(-100, 100)}",
            f"abs({number}::DOUBLE) {comparison} {self.rng.randrange(100)}",
            f"coalesce({number}, {self.constant(n)}) {comparison} {self.constant(n)}",
            f"nullif({number}, {self.constant(n)}) {comparison} {self.constant(n)}",
            f"greatest({number}, {self.constant(n)}) {comparison} {self.constant(n)}",
            f"CASE WHEN {number} > 0 THEN {number} ELSE 0 END {comparison} {self.constant(n)}",
            f"isnan({number}::DOUBLE)",
            f"isinf({number}::DOUBLE)",
        ]
        if KINDS[w.kind].family == "text":
            choices += [
                f"length({word}) {comparison} {self.rng.randrange(8)}",
                f"lower({word}) {comparison} {self.constant(w)}",
                f"{word} || 'x' {comparison} {self.constant(w)}",
                f"left({word}, 1) {comparison} {self.constant(w)}",
                f"{word} COLLATE NOCASE {comparison} {self.constant(w)}",
            ]
        if KINDS[d.kind].family in ("date", "timestamp"):
            choices += [
                f"year({day}) {comparison} {self.rng.randrange(1970, 2025)}",
                f"date_trunc('month', {day}) {comparison} {self.constant(d)}",
                f"month({day}) IN (1, 2, {self.rng.randrange(13)})",
                f"extract(dow FROM {day}) = {self.rng.randrange(7)}",
            ]
        return self.rng.choice(choices)

    def steady(self, sources: list[Source]) -> str:
        """Functions that keep the order of a column, and constants that must be computed."""
        text, column = self.column(sources)
        family = KINDS[column.kind].family
        comparison = self.rng.choice(_COMPARISONS)
        constant = self.constant(column)
        small = self.rng.randrange(-20, 21)
        if family == "integer":
            wide = f"{text}::HUGEINT" if self.chance(0.3) else f"{text}::BIGINT"
            if self.chance(0.3):
                wide = text
            forms = [
                f"{wide} + {small} {comparison} {constant}",
                f"{wide} - {small} {comparison} {constant}",
                f"{small} - {wide} {comparison} {self.rng.randrange(-300, 100)}",
                f"{text} {comparison} {small} + {self.rng.randrange(300)}",
                f"{text} BETWEEN abs({small}) AND abs({small}) * 10",
                f"{text}::DOUBLE {comparison} {self.rng.randrange(-50, 300)} / 2",
                f"{text}::DOUBLE * {self.pick('2', '-0.5', '1.5')} {comparison} {small * 10}",
                f"{text} IN ({small} + 5, {small} * 7, NULL)",
            ]
        elif family in ("date", "timestamp"):
            unit = self.pick("year", "quarter", "month", "week", "day", "hour")
            shift = f"INTERVAL {small} {self.pick('DAY', 'HOUR', 'WEEK', 'MONTH', 'MINUTE')}"
            forms = [
                f"date_trunc('{unit}', {text}) {comparison} {constant}",
                f"date_trunc('{unit}', {text}) = date_trunc('{unit}', TIMESTAMP '2024-02-29')",
                f"year({text}) {comparison} {self.rng.randrange(1968, 2026)}",
                f"extract(year FROM {text}) IN (1970, {self.rng.randrange(1968, 2026)})",
                f"date_part('year', {text}) {comparison} {self.rng.randrange(1968, 2026)}",
                f"{text} + {shift} {comparison} {constant}",
                f"{text} - {shift} {comparison} {constant}",
                f"{text} {comparison} DATE '2024-02-29' - {shift}",
                f"{text} BETWEEN make_date(2020, 1, 31) AND DATE '2023-12-31' + {shift}",
                f"{text}::DATE {comparison} DATE '2024-02-29' + {small}",
                f"{text} {comparison} current_date - {self.rng.randrange(3000)}",
                f"{text} {comparison} date_trunc('month', now()::TIMESTAMP)",
                f"{text} >= now()::TIMESTAMP - INTERVAL {self.rng.randrange(1, 60)} MONTH",
            ]
        elif family == "text":
            cut = self.rng.randrange(4)
            forms = [
                f"left({text}, {cut}) {comparison} {constant}",
                f"substring({text}, 1, {cut}) {comparison} left({constant}, {cut})",
                f"substr({text}, 1, 1) IN ('a', 'b', {constant})",
                f"{text} {comparison} lower({constant})",
                f"{text} LIKE {quote(self.pick('a', 'b', 'north', 'Z', ''))}",
                f"starts_with({text}, lower('{self.pick('A', 'B', 'NO', 'Z')}'))",
                f"{text} {comparison} {constant} || 'm'",
            ]
        elif column.kind == "f8":
            forms = [
                f"{text} + {small / 4} {comparison} {constant}",
                f"{text} * {self.pick('2', '-1', '0.25::DOUBLE')} {comparison} {constant}",
                f"{small} - {text} {comparison} {small * 3}",
                f"{text} {comparison} sqrt({abs(small)})",
            ]
        else:
            return self.comparison(sources)
        return self.rng.choice(forms)

    def boolean(self, sources: list[Source]) -> str:
        text, column = self.column(sources, "boolean")
        if KINDS[column.kind].family != "boolean":
            return f"{text} IS NOT NULL"
        forms = [
            "{0}",
            "NOT {0}",
            "{0} IS TRUE",
            "{0} IS NOT TRUE",
            "{0} = {0}",
            "{0}::INTEGER = 1",
        ]
        return str(self.rng.choice(forms).format(text))

    def column_pair(self, sources: list[Source]) -> str:
        left, column = self.column(sources)
        right, _ = self.column(sources, KINDS[column.kind].family)
        if self.chance(0.2):
            third, _ = self.column(sources, KINDS[column.kind].family)
            return f"({left}, {right}) = ({self.constant(column)}, {third})"
        return f"{left} {self.rng.choice(_COMPARISONS)} {right}"

    def subquery(self, sources: list[Source]) -> str:
        outer, _column = self.column(sources, "integer")
        inner = self.source()
        own, _ = self.column([inner], "integer")
        condition = self.leaf_without_subquery([inner])
        return str(
            self.pick(
                f"{outer} IN (SELECT {own} FROM {inner.text} WHERE {condition})",
                f"{outer} NOT IN (SELECT {own} FROM {inner.text} WHERE {condition})",
                f"EXISTS (SELECT 1 FROM {inner.text} WHERE {own} = {outer} AND {condition})",
                f"NOT EXISTS (SELECT 1 FROM {inner.text} WHERE {own} = {outer} AND {condition})",
                f"{outer} > (SELECT min({own}) FROM {inner.text} WHERE {condition})",
                f"{outer} >= ALL (SELECT {own} FROM {inner.text} WHERE {condition})",
            )
        )

    def leaf_without_subquery(self, sources: list[Source]) -> str:
        makers = [self.comparison, self.membership, self.between, self.null_test, self.cast]
        return self.rng.choice(makers)(sources)

    def constant_condition(self, sources: list[Source]) -> str:
        return str(self.pick("TRUE", "FALSE", "NULL", "1 = 1", "1 = 0", "NULL = 1", "NOT NULL"))

    def where(self, sources: list[Source], depth: int = 2) -> str:
        return f" WHERE {self.condition(sources, depth)}" if self.chance(0.93) else ""

    # ------------------------------------------------------------------------------ shapes

    def aggregates(self, sources: list[Source]) -> str:
        """Some that do not depend on the order of rows."""
        found = ["count(*)"]
        for _ in range(self.rng.randrange(1, 4)):
            text, column = self.column(sources)
            family = KINDS[column.kind].family
            choices = [f"count({text})", f"count(DISTINCT {text})", f"min({text})", f"max({text})"]
            if column.kind in ("i8", "i16", "i32", "u8", "u16", "d5", "d9", "quarter"):
                # The engine's other aggregates go wrong where FILTER takes no row of a constant.
                choices += [f"sum({text})", f"count({text}) FILTER ({text} > 0)"]
            if family == "boolean":
                choices += [f"bool_and({text})", f"bool_or({text})"]
            found.append(self.rng.choice(choices))
        return ", ".join(found)

    def some_columns(self, sources: list[Source]) -> str:
        if self.chance(0.15):
            return "*"
        return ", ".join(self.column(sources)[0] for _ in range(self.rng.randrange(1, 5)))

    def filter(self) -> str:
        one = self.source(alone=True)
        what = self.pick(self.some_columns([one]), self.aggregates([one]))
        return f"SELECT {what} FROM {one.text}{self.where([one], 3)}"

    def from_first(self) -> str:
        one = self.source(alone=True)
        return f"FROM {one.text}{self.where([one])}"

    def grouped(self) -> str:
        one = self.source(alone=True)
        key, _ = self.column([one], "integer", "text", "boolean", "date")
        having = self.pick("", "", " HAVING count(*) > 1", f" HAVING min({key}) IS NOT NULL")
        group = self.pick(key, "1", "ALL", f"ROLLUP ({key})")
        return (
            f"SELECT {key}, {self.aggregates([one])} FROM {one.text}{self.where([one])}"
            f" GROUP BY {group}{having}"
        )

    def window(self) -> str:
        one = self.source()
        unique = f"{one.alias}.{one.frame.columns[0].quoted}"
        key, _ = self.column([one], "integer", "text", "boolean")
        over = f"(PARTITION BY {key} ORDER BY {unique})"
        what = self.pick(
            "row_number()", "rank()", f"lag({unique})", f"count({key})", f"max({unique})"
        )
        where = self.where([one])
        if self.chance(0.5):
            return f"SELECT {unique} FROM {one.text}{where} QUALIFY row_number() OVER {over} <= 2"
        return f"SELECT {unique}, {key}, {what} OVER {over} FROM {one.text}{where}"

    def ordered(self) -> str:
        one = self.source(alone=True)
        unique = f"{one.alias}.{one.frame.columns[0].quoted}"
        limit = self.pick("", f" LIMIT {self.rng.randrange(1, 30)}", " LIMIT 10 OFFSET 3")
        direction = self.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
        columns = self.pick("*", f"{unique}, {self.some_columns([one])}")
        by = "ALL" if columns != "*" and self.chance(0.5) else unique
        return (
            f"SELECT {columns} FROM {one.text}{self.where([one])} ORDER BY {by}{direction}{limit}"
        )

    def join(self) -> str:
        left, right = self.source(), self.source()
        both = [left, right]
        a, column = self.column([left], "integer", "text", "date")
        b, _ = self.column([right], KINDS[column.kind].family)
        kind = self.pick(
            "", "INNER", "LEFT", "RIGHT", "FULL", "LEFT OUTER", "SEMI", "ANTI", "CROSS"
        )
        if kind in ("SEMI", "ANTI"):
            both = [left]
        on = f" ON {a} = {b}" if kind != "CROSS" else ""
        if on and self.chance(0.3):
            on += f" AND {self.leaf_without_subquery([left, right])}"
        if on and kind not in ("SEMI", "ANTI") and self.chance(0.15):
            first = left.frame.columns[0].quoted
            if first == right.frame.columns[0].quoted:
                on = f" USING ({first})"
        return (
            f"SELECT {self.aggregates(both)} FROM {left.text} {kind} JOIN {right.text}{on}"
            f"{self.where(both)}"
        )

    def comma_join(self) -> str:
        left = self.source()
        right = self.source(left.frame if self.chance(0.3) else None)
        a, _column = self.column([left], "integer")
        b, _ = self.column([right], "integer")
        both = [left, right]
        return (
            f"SELECT {self.aggregates(both)} FROM {left.text}, {right.text}"
            f" WHERE {a} = {b} AND {self.condition(both)}"
        )

    def three_joins(self) -> str:
        sources = [self.source() for _ in range(3)]
        ids = [f"{s.alias}.{s.frame.columns[0].quoted}" for s in sources]
        kinds = [self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN") for _ in range(2)]
        tail = f"{sources[1].text} {kinds[1]} {sources[2].text} ON {ids[1]} = {ids[2]}"
        if self.chance(0.5):
            body = f"{sources[0].text} {kinds[0]} ({tail}) ON {ids[0]} = {ids[1]}"
        else:
            body = (
                f"{sources[0].text} {kinds[0]} {sources[1].text} ON {ids[0]} = {ids[1]}"
                f" {kinds[1]} {sources[2].text} ON {ids[0]} = {ids[2]}"
            )
        return f"SELECT {self.aggregates(sources)} FROM {body}{self.where(sources)}"

    def lateral(self) -> str:
        one, two = self.source(), self.source()
        a, _ = self.column([one], "integer")
        b, _ = self.column([two], "integer")
        condition = self.leaf_without_subquery([two])
        inner = f"SELECT count(*) AS n FROM {two.text} WHERE {b} = {a} AND {condition}"
        if self.chance(0.5):
            return f"SELECT {a}, ({inner}) AS m FROM {one.text}{self.where([one])}"
        return f"SELECT sum(x.n) FROM {one.text}, LATERAL ({inner}) x{self.where([one])}"

    def asof(self) -> str:
        one, two = self.source(), self.source()
        a = f"{one.alias}.{one.frame.columns[0].quoted}"
        b = f"{two.alias}.{two.frame.columns[0].quoted}"
        where = self.where([one, two])
        return f"SELECT {a}, {b} FROM {one.text} ASOF JOIN {two.text} ON {a} >= {b}{where}"

    def derived(self) -> str:
        one = self.source()
        columns = one.frame.columns
        names = ", ".join(f"{one.alias}.{c.quoted}" for c in columns)
        inner = f"SELECT {names} FROM {one.text}{self.where([one])}"
        outer = Source(one.frame, "x", "", False)
        return f"SELECT {self.aggregates([outer])} FROM ({inner}) AS x{self.where([outer])}"

    def with_clause(self) -> str:
        """A name that hides a frame of the same name, or another one."""
        one = self.source()
        name = self.pick("c", "events", "parts", "dim")
        body = f"SELECT * FROM {one.text}{self.where([one])}"
        c = Source(one.frame, "c1", "", False)
        how = self.pick("", "MATERIALIZED ", "NOT MATERIALIZED ")
        inner = f"SELECT {self.aggregates([c])} FROM {name} AS c1{self.where([c])}"
        if self.chance(0.3):
            inner = f"SELECT count(*) FROM {name} UNION ALL SELECT count(*) FROM hive.box.events"
        return f"WITH {name} AS {how}({body}) {inner}"

    def nested(self) -> str:
        """Conditions outside of SELECTs that they may prune, or must not."""
        one = self.source()
        key, shown = self.rng.sample(one.frame.columns, 2)
        k, s = f"{one.alias}.{key.quoted}", f"{one.alias}.{shown.quoted}"
        from_one = f"FROM {one.text}{self.where([one], 1) if self.chance(0.3) else ''}"
        unique = f"{one.alias}.{one.frame.columns[0].quoted}"
        inner = self.pick(
            f"SELECT {k}, {s} {from_one}",
            f"SELECT {s}, {k} {from_one}",
            f"SELECT * {from_one}",
            f"SELECT DISTINCT {k}, {s} {from_one}",
            f"SELECT {k}, min({s}) AS {shown.quoted}, count(*) AS n {from_one} GROUP BY {k}",
            f"SELECT {k}, min({s}) AS {shown.quoted} {from_one} GROUP BY ROLLUP ({k})",
            f"SELECT {k}, {s} {from_one} ORDER BY {unique} LIMIT 7",
            f"SELECT {k}, {s}, row_number() OVER (ORDER BY {unique}) AS n {from_one}",
            f"SELECT DISTINCT ON ({k}) {k}, {s} {from_one} ORDER BY {k}, {unique}, {s}",
            f"SELECT {k}, {s} {from_one} QUALIFY row_number() OVER (ORDER BY {unique}) < 9",
        )
        if self.chance(0.25):
            two = self.source(one.frame)
            word = self.pick("UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT")
            inner = (
                f"SELECT {k}, {s} {from_one} {word}"
                f" SELECT {two.alias}.{key.quoted}, {two.alias}.{shown.quoted} FROM {two.text}"
            )
        outer = Source(replace(one.frame, columns=[key, shown]), "x", "", self.chance(0.5))
        where = self.where([outer])
        if self.chance(0.4):
            again = " AND EXISTS (SELECT 1 FROM c)" if where and self.chance(0.2) else ""
            what = f"count(*), count({key.quoted})"
            return f"WITH c AS ({inner}) SELECT {what} FROM c AS x{where}{again}"
        if self.chance(0.3):
            two = self.source()
            a, _ = self.column([outer])
            b, _ = self.column([two], KINDS[key.kind].family)
            a = f"x.{key.quoted}"
            side = self.pick("LEFT", "RIGHT", "INNER", "FULL")
            on = f"{a} = {b}"
            if self.chance(0.5):
                on += f" AND {self.leaf_without_subquery([Source(outer.frame, 'x', '', False)])}"
            both = [Source(outer.frame, "x", "", False), two]
            return (
                f"SELECT count(*), count({a}), count({b}) FROM ({inner}) AS x {side} JOIN"
                f" {two.text} ON {on}{self.where(both)}"
            )
        return f"SELECT count(*), count({key.quoted}) FROM ({inner}) AS x{where}"

    def recursive(self) -> str:
        one = self.source()
        own, _ = self.column([one], "integer")
        step = f"SELECT n + 1 FROM events, {one.text} WHERE {own} = n AND n < 5"
        return (
            f"WITH RECURSIVE events(n) AS (SELECT 1::BIGINT UNION {step})"
            " SELECT count(*), sum(n) FROM events WHERE n > 2"
        )

    def set_operation(self) -> str:
        one = self.source()
        two = self.source(one.frame)
        columns = [self.rng.choice(one.frame.columns) for _ in range(2)]
        sides = [
            f"SELECT {', '.join(f'{s.alias}.{c.quoted}' for c in columns)} FROM {s.text}"
            f"{self.where([s])}"
            for s in (one, two)
        ]
        word = self.pick("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL")
        return f"{sides[0]} {word} {sides[1]}"

    def distinct_rows(self) -> str:
        one = self.source(alone=True)
        return f"SELECT DISTINCT {self.some_columns([one])} FROM {one.text}{self.where([one])}"

    def renamed(self) -> str:
        """FROM t AS x(a, b): the names are not the frame's."""
        frame = self.rng.choice(self.frames)
        names = [c.quoted for c in frame.columns]
        self.rng.shuffle(names)
        last = self.column([Source(frame, "x", "", False)])
        return (
            f"SELECT count(*), min(x.{names[0]}) FROM {self.frame_name(frame)} AS"
            f" x({', '.join(names)}) WHERE {last[0]} IS NOT NULL"
        )

    def pivot(self) -> str:
        one = self.source()
        key, _ = self.column([one], "boolean", "integer")
        unique = f"{one.alias}.{one.frame.columns[0].quoted}"
        inner = f"SELECT {key} AS k, {unique} AS u FROM {one.text}{self.where([one])}"
        if self.chance(0.3):
            return f"PIVOT ({inner}) ON k IN (1, 2) USING count(u)"
        return f"SELECT * FROM ({inner}) PIVOT (max(u) FOR k IN (1, 2, 3))"

    def wrong(self) -> str:
        """What neither may answer."""
        one = self.source(alone=True)
        return str(
            self.pick(
                f"SELECT no_such_column FROM {one.text}{self.where([one])}",
                f"SELECT * FROM no_such_frame{self.where([one])}",
                f"SELECT * FROM hive.nowhere.x, {one.text}",
                f"SELECT FROM {one.text} WHERE",
                f"SELECT sum(id) FROM {one.text} GROUP BY",
                f"SELECT no_such_function(1) FROM {one.text}",
                f"SELECT * FROM {one.text} WHERE DATE '2020-13-45' > 1",
            )
        )

    def make(self) -> Query:
        makers: list[tuple[int, Callable[[], str]]] = [
            (30, self.filter),
            (3, self.from_first),
            (8, self.grouped),
            (5, self.window),
            (8, self.ordered),
            (12, self.join),
            (5, self.comma_join),
            (4, self.three_joins),
            (4, self.lateral),
            (2, self.asof),
            (5, self.derived),
            (5, self.with_clause),
            (8, self.nested),
            (1, self.recursive),
            (5, self.set_operation),
            (3, self.distinct_rows),
            (1, self.renamed),
            (2, self.pivot),
            (2, self.wrong),
        ]
        weights = [weight for weight, _ in makers]
        maker = self.rng.choices([maker for _, maker in makers], weights)[0]
        ours = plain = maker()
        used = sorted({int(number) for number in re.findall(r"\$(\d+)", ours)})
        for place, number in enumerate(used, 1):
            ours = plain = re.sub(rf"\${number}\b", f"${place}", ours)
        for token, our_text, plain_text in self.past:
            ours = ours.replace(token, our_text)
            plain = plain.replace(token, plain_text)
        values = [self.parameters[number - 1] for number in used]
        return Query(ours, plain, values, maker == self.ordered)
