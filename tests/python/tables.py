# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests of the whole product: made by a seed, and compared as plain Python values."""

from __future__ import annotations

import datetime
import math
import os
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

SOAK = os.environ.get("AP_SOAK") == "1"
UTC = datetime.timezone.utc

# Column -> (word of Apiary, type in Arrow). "id" alone is never null and unique.
COLUMNS: dict[str, tuple[str, pa.DataType]] = {
    "id": ("int64", pa.int64()),
    "tiny": ("int8", pa.int8()),
    "small": ("int16", pa.int16()),
    "medium": ("int32", pa.int32()),
    "real": ("float32", pa.float32()),
    "double": ("float64", pa.float64()),
    "price": ("decimal(10,2)", pa.decimal128(10, 2)),
    "huge": ("decimal(38,10)", pa.decimal128(38, 10)),
    "text": ("string", pa.string()),
    "flag": ("boolean", pa.bool_()),
    "day": ("date", pa.date32()),
    "moment": ("timestamp[us, UTC]", pa.timestamp("us", "UTC")),
    "wall": ("timestamp", pa.timestamp("us")),
    "raw": ("binary", pa.binary()),
    "many": ("list<int64>", pa.list_(pa.int64())),
    "pair": ("struct<a: int32, b: string>", pa.struct([("a", pa.int32()), ("b", pa.string())])),
    "words": ("map<string, int64>", pa.map_(pa.string(), pa.int64())),
}
# Partition values that have to be escaped in a path, or look as if they were.
ODD_WORDS = [
    "plain",
    "with space",
    "a=b",
    "50%",
    "%41",
    "a/b",
    "../up",
    "it's",
    'say "so"',
    "grün",
    "日本",
    "🐝",
    "a+b&c?d#e",
    "semi;colon:",
    "back\\slash",
    "trailing.",
    "NULL",
    "null",
    "tab\tand\nline",
    "{}[]|^~*",
]
TEXTS = ["", "a", "Z", "ä", "\U0001f41d" * 12, "x" * 40, "\x7f", "it's", "línea\nnueva", "\ufffd"]
DOUBLES = [0.0, -0.0, 1.5, -1e300, 5e-324, math.inf, -math.inf, math.nan, 0.1]


def seeded(what: str) -> random.Random:
    """A generator of its own for a test; AP_TEST_SEED replays it."""
    seed = int(os.environ.get("AP_TEST_SEED") or random.SystemRandom().randrange(1, 1 << 32))
    print(f"{what}: replay with AP_TEST_SEED={seed}")
    return random.Random(seed)


def _number(draw: random.Random, bits: int) -> int:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return draw.choice([low, high, 0, 1, -1, draw.randint(low, high)])


def _decimal(draw: random.Random, digits: int, scale: int) -> Decimal:
    most = 10**digits - 1
    unscaled = draw.choice([0, most, -most, draw.randint(-most, most), draw.randint(-999, 999)])
    sign, figures, _ = Decimal(unscaled).as_tuple()
    return Decimal((sign, figures, -scale))


def _moment(draw: random.Random) -> datetime.datetime:
    first, last = datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)
    spread = int((last - first).total_seconds())
    near = datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)
    far = first + datetime.timedelta(
        seconds=draw.randint(0, spread), microseconds=draw.randint(0, 999999)
    )
    return draw.choice([near, datetime.datetime(1970, 1, 1), datetime.datetime(1582, 10, 10), far])


def value(draw: random.Random, column: str) -> Any:
    """A value of a column; now and then an extreme one."""
    makers: dict[str, Callable[[], Any]] = {
        "tiny": lambda: _number(draw, 8),
        "small": lambda: _number(draw, 16),
        "medium": lambda: _number(draw, 32),
        "real": lambda: draw.choice([0.0, 1.5, -2.25, math.inf, math.nan, 16777216.0]),
        "double": lambda: draw.choice([*DOUBLES, draw.gauss(0, 1e6)]),
        "price": lambda: _decimal(draw, 10, 2),
        "huge": lambda: _decimal(draw, 38, 10),
        "text": lambda: draw.choice([*TEXTS, str(draw.random())]),
        "flag": lambda: draw.random() < 0.5,
        "day": lambda: _moment(draw).date(),
        "moment": lambda: _moment(draw).replace(tzinfo=UTC),
        "wall": lambda: _moment(draw),
        "raw": lambda: bytes(draw.randrange(256) for _ in range(draw.choice([0, 1, 9]))),
        "many": lambda: [
            draw.choice([None, draw.randint(-9, 9)]) for _ in range(draw.choice([0, 1, 4]))
        ],
        "pair": lambda: {"a": draw.choice([None, 7]), "b": draw.choice([None, "", "grün"])},
        "words": lambda: [
            (word, draw.choice([None, 1])) for word in draw.sample("abcd", draw.choice([0, 2]))
        ],
    }
    return makers[column]()


def rows(draw: random.Random, columns: list[str], first: int, count: int) -> list[dict[str, Any]]:
    """Rows with ids from `first`; a fifth of the values null."""
    return [
        {"id": at}
        | {c: None if draw.random() < 0.2 else value(draw, c) for c in columns if c != "id"}
        for at in range(first, first + count)
    ]


def table(data: list[dict[str, Any]], columns: list[str]) -> pa.Table:
    """Rows of `COLUMNS` as an Arrow table."""
    schema = pa.schema([(name, COLUMNS[name][1]) for name in columns])
    return pa.Table.from_pylist(data, schema=schema)


def plain(found: Any) -> Any:
    """A value such that == compares what it means: NaN equals NaN, and 1.50 is 1.5."""
    if isinstance(found, float) and math.isnan(found):
        return "NaN"
    if isinstance(found, datetime.datetime):
        # pandas' own timestamps compare as datetimes do
        return found.astimezone(UTC).isoformat() if found.tzinfo else found.isoformat()
    if isinstance(found, dict):
        return {name: plain(item) for name, item in found.items()}
    if isinstance(found, list):
        if found and all(isinstance(item, tuple) and len(item) == 2 for item in found):
            return sorted(([plain(k), plain(v)] for k, v in found), key=repr)
        if found and all(
            isinstance(item, dict) and set(item) == {"key", "value"} for item in found
        ):
            return sorted(([plain(i["key"]), plain(i["value"])] for i in found), key=repr)
        return [plain(item) for item in found]
    return found


def by_id(data: Any) -> list[dict[str, Any]]:
    """Rows (or an Arrow table) in order of id, with plain values."""
    items = data if isinstance(data, list) else data.to_pylist()
    made = [{name: plain(value) for name, value in row.items()} for row in items]
    return sorted(made, key=lambda row: (row["id"], repr(sorted(row.items(), key=str))))


def check_equal(found: Any, expected: Any, what: str = "") -> None:
    """The same rows, whatever their order; the message shows the first that differs."""
    have, want = by_id(found), by_id(expected)
    assert [r["id"] for r in have] == [r["id"] for r in want], what
    for left, right in zip(have, want):
        assert left == right, f"{what}: row {right['id']}"
