# SPDX-License-Identifier: Apache-2.0
"""Random values of every type, in Arrow and as SQL literals.

Dates and times are whole numbers (days and microseconds since 1970), since Python's own end at the
years 1 and 9999 and the engine's do not.
"""

from __future__ import annotations

import datetime
import math
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

Value = Any

_DAY_US = 86_400_000_000
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_FIRST_DAY = datetime.date.min.toordinal() - _EPOCH
_LAST_DAY = datetime.date.max.toordinal() - _EPOCH

_LONG = "a common prefix of more than thirty-two characters "
_TEXTS = [
    "",
    " ",
    "a",
    "A",
    "apple",
    "apple pie",
    "applesauce",
    "Zebra",
    "zebra",
    "é",
    "e\u0301",
    "ñandú",
    "日本",
    "日本語",
    "\U0001d4b3",
    "\U0010ffff" * 33,
    "\ufffd",
    "%",
    "_",
    "a%b",
    "a_b",
    "\\",
    "it's",
    '"q"',
    "0",
    "10",
    "9",
    "2020-01-01",
    "null",
    "NULL",
    "true",
    "\x01",
    "\x7f",
    "~",
    "z" * 40,
]


@dataclass
class Column:
    """One column: its name, its kind, and some of the values in it."""

    name: str
    kind: str
    pool: list[Value] = field(default_factory=list)

    @property
    def quoted(self) -> str:
        plain = self.name.isidentifier() and self.name.islower() and self.name != "select"
        return self.name if plain else '"' + self.name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Kind:
    """A type: our word for it, the engine's, and Arrow's."""

    word: str
    sql: str
    arrow: pa.DataType
    family: str
    low: int = 0
    high: int = 0
    scale: int = 0


def _integer(bits: int, signed: bool, sql: str) -> Kind:
    word = f"{'' if signed else 'u'}int{bits}"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Kind(word, sql, getattr(pa, word)(), "integer", low, high)


def _decimal(precision: int, scale: int) -> Kind:
    word = f"decimal({precision},{scale})"
    top = 10**precision - 1
    arrow = pa.decimal128(precision, scale)
    return Kind(word, word.upper(), arrow, "decimal", -top, top, scale)


KINDS = {
    "i8": _integer(8, True, "TINYINT"),
    "i16": _integer(16, True, "SMALLINT"),
    "i32": _integer(32, True, "INTEGER"),
    "i64": _integer(64, True, "BIGINT"),
    "u8": _integer(8, False, "UTINYINT"),
    "u16": _integer(16, False, "USMALLINT"),
    "u32": _integer(32, False, "UINTEGER"),
    "u64": _integer(64, False, "UBIGINT"),
    "f4": Kind("float32", "FLOAT", pa.float32(), "float"),
    "f8": Kind("float64", "DOUBLE", pa.float64(), "float"),
    "quarter": Kind("float64", "DOUBLE", pa.float64(), "float"),
    "d5": _decimal(5, 2),
    "d9": _decimal(9, 0),
    "d18": _decimal(18, 4),
    "d38": _decimal(38, 10),
    "d38s": _decimal(38, 38),
    "date": Kind("date", "DATE", pa.date32(), "date"),
    "ts": Kind("timestamp", "TIMESTAMP", pa.timestamp("us"), "timestamp"),
    "tz": Kind("timestamptz", "TIMESTAMPTZ", pa.timestamp("us", "UTC"), "instant"),
    "time": Kind("time", "TIME", pa.time64("us"), "time"),
    "text": Kind("string", "VARCHAR", pa.string(), "text"),
    "bool": Kind("boolean", "BOOLEAN", pa.bool_(), "boolean"),
    "bin": Kind("binary", "BLOB", pa.binary(), "binary"),
}


def make_array(kind: Kind, values: list[Value | None]) -> pa.Array:
    """Values as Arrow."""
    if kind.family == "decimal":
        with_point = [None if v is None else decimal_of(kind, v) for v in values]
        return pa.array(with_point, kind.arrow)
    if kind.family == "date":
        return pa.array(values, pa.int32()).cast(kind.arrow)
    if kind.family in ("timestamp", "instant", "time"):
        return pa.array(values, pa.int64()).cast(kind.arrow)
    return pa.array(values, kind.arrow)


def decimal_of(kind: Kind, unscaled: int) -> Decimal:
    digits = tuple(int(d) for d in str(abs(unscaled)))
    return Decimal((int(unscaled < 0), digits, -kind.scale))


def _special(rng: random.Random, kind: Kind) -> Value:
    if kind.family in ("integer", "decimal"):
        return rng.choice([kind.low, kind.high, 0, 1, kind.high - 1])
    if kind.family == "float":
        floats = [math.nan, math.inf, -math.inf, -0.0, 0.0, 0.1, 16777217.0]
        wide = [1e300, -1e300, 5e-324, 2.0**53, 0.1 + 0.2]
        return rng.choice(floats + (wide if kind.sql == "DOUBLE" else [3e38, -3e38, 1e-45]))
    if kind.family == "date":
        return rng.choice([_FIRST_DAY, _LAST_DAY, 0, -1, -141427, -141428])
    if kind.family in ("timestamp", "instant"):
        first, last = _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1
        return rng.choice([first, last, 0, -1, 1, -999, 999, 1_000_000])
    if kind.family == "time":
        return rng.choice([0, _DAY_US - 1, 1])
    return ordinary(rng, kind, rng.random())


def ordinary(rng: random.Random, kind: Kind, place: float) -> Value:
    """A value near `place`, from 0 to 1, of what values of the kind commonly are."""
    near = min(max(place + rng.uniform(-0.03, 0.03), 0.0), 1.0)
    if kind.family == "integer":
        return max(kind.low, min(kind.high, int(near * 240) - (0 if kind.low == 0 else 120)))
    if kind.family == "decimal":
        return int(near * 20000) - 10000
    if kind.family == "float":
        return round(near * 200 - 100, rng.choice([0, 1, 2]))
    if kind.family == "date":
        return int(near * 20000)
    if kind.family in ("timestamp", "instant"):
        step = rng.choice([1, 1000, 1_000_000, 3_600_000_000, _DAY_US])
        return int(near * 1.6e15) // step * step
    if kind.family == "time":
        return int(near * (_DAY_US - 1)) // 1_000_000 * 1_000_000
    if kind.family == "boolean":
        return near > 0.5
    word = _word(rng, near)
    return (
        word.encode() + (b"\x00\xff" if rng.random() < 0.1 else b"")
        if kind.family == "binary"
        else word
    )


def _word(rng: random.Random, near: float) -> str:
    what = rng.random()
    if what < 0.25:
        return rng.choice(_TEXTS)
    letter = chr(ord("a") + int(near * 25))
    if what < 0.5:
        return _LONG + letter + str(rng.randrange(5))
    return letter * rng.randrange(1, 4) + rng.choice(["", "x", "é", "\U0001f41d", " 1"])


def random_value(rng: random.Random, kind_name: str, place: float) -> Value:
    kind = KINDS[kind_name]
    if kind_name == "quarter":  # sums of these are exact, in whatever order they are added
        return float(int(place * 400) + rng.randrange(9)) / 4
    return _special(rng, kind) if rng.random() < 0.06 else ordinary(rng, kind, place)


# ------------------------------------------------------------------------------------ literals


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def date_text(days: int) -> str:
    if not _FIRST_DAY <= days <= _LAST_DAY:
        return f"(DATE '1970-01-01' + {days})"
    return datetime.date.fromordinal(days + _EPOCH).isoformat()


def time_text(us: int) -> str:
    seconds, fraction = divmod(us, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{fraction:06}" if fraction else "")


def timestamp_text(us: int, separator: str = " ") -> str:
    days, rest = divmod(us, _DAY_US)
    return date_text(days) + separator + time_text(rest)


def _integer_literal(rng: random.Random, kind: Kind, value: int) -> str:
    return rng.choice(
        [
            str(value),
            str(value),
            str(value),
            f"{value}.0",
            f"{value}.5",
            f"{value}::{rng.choice(['BIGINT', 'HUGEINT', 'DOUBLE', 'DECIMAL(38,2)', 'FLOAT'])}",
            f"'{value}'",
            f"CAST('{value}' AS {kind.sql})",
            f"{kind.sql} '{value}'",
            f"({value} + 1)",
            f"{value}e0",
            f"- {abs(value)}",
        ]
    )


def _decimal_literal(rng: random.Random, kind: Kind, value: int) -> str:
    text = format(decimal_of(kind, value), "f")
    return rng.choice(
        [
            text,
            text,
            f"'{text}'",
            f"{text}::{kind.sql}",
            f"CAST('{text}' AS {rng.choice([kind.sql, 'DECIMAL(18,3)', 'DOUBLE'])})",
            f"{text}5" if "." in text else f"{text}.5",
            str(int(decimal_of(kind, value))),
            f"{text}::DOUBLE",
        ]
    )


def _float_literal(rng: random.Random, kind: Kind, value: float) -> str:
    text = repr(value)
    if not math.isfinite(value):
        return rng.choice([f"'{text}'::{kind.sql}", f"'{text}'", f"'{text}'::DOUBLE"])
    plain = format(Decimal(text), "f")
    return rng.choice(
        [
            text,
            plain if len(plain) < 30 else text,
            f"{text}::{kind.sql}",
            f"{text}::DOUBLE",
            f"{text}::FLOAT" if abs(value) < 3e38 else text,
            f"'{text}'",
            f"CAST('{text}' AS {kind.sql})",
            str(int(value)) if abs(value) < 1e15 else text,
        ]
    )


def _date_literal(rng: random.Random, value: int) -> str:
    text = date_text(value)
    if text.startswith("("):
        return text
    return rng.choice(
        [
            f"DATE '{text}'",
            f"DATE '{text}'",
            f"'{text}'",
            f"CAST('{text}' AS DATE)",
            f"TIMESTAMP '{text}'",
            f"TIMESTAMP '{text} 12:00:00'",
            f"'{text} 00:00:01'",
            f"DATE '{text}' + INTERVAL 1 DAY",
            f"DATE '{text}' - 1",
            "'infinity'::DATE",
        ]
    )


def _timestamp_literal(rng: random.Random, value: int, zoned: bool) -> str:
    days, _rest = divmod(value, _DAY_US)
    if not _FIRST_DAY <= days <= _LAST_DAY:
        return f"{'TIMESTAMPTZ' if zoned else 'TIMESTAMP'} '1970-01-01'"
    text = timestamp_text(value, rng.choice([" ", "T"]))
    zone = rng.choice(["", "+00", "Z", "+05:30", "-08"]) if zoned else ""
    word = "TIMESTAMPTZ" if zoned else "TIMESTAMP"
    return rng.choice(
        [
            f"{word} '{text}{zone}'",
            f"{word} '{text}{zone}'",
            f"'{text}{zone}'",
            f"CAST('{text}{zone}' AS {word})",
            f"DATE '{date_text(days)}'",
            f"'{date_text(days)}'",
            f"{word} '{text}{zone}' + INTERVAL 1 HOUR",
            f"TIMESTAMP_S '{timestamp_text(value // 1_000_000 * 1_000_000)}'",
            f"TIMESTAMP '{timestamp_text(value)}'",
        ]
    )


def _text_literal(rng: random.Random, value: str) -> str:
    if rng.random() < 0.2:
        value = value[: rng.randrange(len(value) + 1)] + rng.choice(["", "a", "~", "\U0010ffff"])
    text = quote(value)
    return rng.choice(
        [text, text, text, f"{text}::VARCHAR", f"CAST({text} AS VARCHAR)", f"{text} || ''"]
    )


def literal(rng: random.Random, kind_name: str, value: Value | None) -> str:
    """SQL for a value that meets a column of the kind: of its type, or of another."""
    kind = KINDS[kind_name]
    if value is None:
        return rng.choice(["NULL", f"NULL::{kind.sql}"])
    if kind.family == "integer":
        return _integer_literal(rng, kind, value)
    if kind.family == "decimal":
        return _decimal_literal(rng, kind, value)
    if kind.family == "float":
        return _float_literal(rng, kind, value)
    if kind.family == "date":
        return _date_literal(rng, value)
    if kind.family in ("timestamp", "instant"):
        return _timestamp_literal(rng, value, kind.family == "instant")
    if kind.family == "time":
        text = time_text(value)
        return rng.choice([f"TIME '{text}'", f"'{text}'", f"CAST('{text}' AS TIME)"])
    if kind.family == "boolean":
        words = ["TRUE", "'t'", "'true'", "1", "'1'"] if value else ["FALSE", "'f'", "'false'", "0"]
        return rng.choice(words)
    if kind.family == "binary":
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
    return _text_literal(rng, value)


def parameter(kind_name: str, value: Value | None) -> Value:
    """The value as Python hands it over, or None where Python has no such value."""
    kind = KINDS[kind_name]
    if value is None:
        return None
    if kind.family == "decimal":
        # DuckDB's Python takes one of more digits as a double.
        return decimal_of(kind, value) if kind.scale <= 10 else None
    if kind.family == "date":
        return (
            datetime.date.fromordinal(value + _EPOCH) if _FIRST_DAY <= value <= _LAST_DAY else None
        )
    if kind.family in ("timestamp", "instant"):
        if not _FIRST_DAY * _DAY_US <= value < (_LAST_DAY + 1) * _DAY_US:
            return None
        zone = datetime.timezone.utc if kind.family == "instant" else None
        return datetime.datetime(1970, 1, 1, tzinfo=zone) + datetime.timedelta(microseconds=value)
    if kind.family == "time":
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=value)).time()
    return value
