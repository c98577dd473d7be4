# SPDX-License-Identifier: Apache-2.0
"""Python values on their way into SQL: as parameters, and as conditions."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Union

from apiary import _core
from apiary.errors import InvalidArgument

Parameters = Union[Sequence[Any], Mapping[str, Any]]
Condition = Union[str, Mapping[str, Any]]
Encoded = tuple[Union[bytes, None], int, object]

# ap_value_type of apiary/apiary.h
_NULL, _BOOLEAN, _INTEGER, _FLOAT, _TEXT, _BINARY = 0, 1, 2, 3, 4, 5
_DECIMAL, _DATE, _TIME, _TIMESTAMP, _TIMESTAMP_TZ = 6, 7, 8, 9, 10

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UTC = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
_DECIMAL_DIGITS_MAX = 38


def _decimal(value: Decimal | int) -> str:
    if not isinstance(value, Decimal):
        value = Decimal(value)
    if not value.is_finite():
        raise InvalidArgument(f"{value} is no decimal that SQL knows")
    digits = format(value, "f")
    if len(digits.strip("-").replace(".", "").lstrip("0")) > _DECIMAL_DIGITS_MAX:
        raise InvalidArgument(f"{value} has more than {_DECIMAL_DIGITS_MAX} digits")
    return digits


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own."""
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    return value


def _encode_moment(value: Any) -> tuple[int, object] | None:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            return _TIMESTAMP, (value - _EPOCH) // _MICROSECOND
        return _TIMESTAMP_TZ, (value - _EPOCH_UTC) // _MICROSECOND
    if isinstance(value, datetime.date):
        return _DATE, value.toordinal() - _EPOCH.toordinal()
    if isinstance(value, datetime.time):
        if value.tzinfo is not None:
            raise InvalidArgument(f"the time {value} has a zone; SQL's TIME has none")
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return _TIME, seconds * 1_000_000 + value.microsecond
    return None


def encode(value: Any) -> tuple[int, object]:
    """A parameter's type and value, as the extension takes them.

    >>> encode(7), encode("é"), encode(datetime.date(1970, 1, 2))
    ((2, 7), (4, b'\\xc3\\xa9'), (7, 1))
    """
    value = _plain(value)
    if value is None:
        return _NULL, 0
    if isinstance(value, bool):
        return _BOOLEAN, int(value)
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return (_INTEGER, value) if fits else (_DECIMAL, _decimal(value).encode())
    if isinstance(value, float):
        return _FLOAT, value
    if isinstance(value, str):
        return _TEXT, value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _BINARY, bytes(value)
    if isinstance(value, Decimal):
        return _DECIMAL, _decimal(value).encode()
    moment = _encode_moment(value)
    if moment is None:
        raise InvalidArgument(
            f"a parameter of type {type(value).__name__} has no SQL type",
            hint="give None, bool, int, float, str, bytes, Decimal, date, time or datetime",
        )
    return moment


def encode_parameters(params: Parameters | None) -> tuple[Encoded, ...]:
    """The parameters of a query: a sequence for `?` and `$1`, a mapping for `$name`."""
    if params is None:
        return ()
    if isinstance(params, Mapping):
        return tuple((str(name).encode(), *encode(value)) for name, value in params.items())
    if isinstance(params, Sequence) and not isinstance(params, (str, bytes, bytearray)):
        return tuple((None, *encode(value)) for value in params)
    raise TypeError(f"params must be a list, a tuple or a dict, not {type(params).__name__}")


# ---------------------------------------------------------------------------------- SQL text


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as SQL text.

    >>> literal("it's"), literal(datetime.date(2026, 1, 31)), literal(Decimal("1.50"))
    ("'it''s'", "DATE '2026-01-31'", '1.50')
    """
    value = _plain(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)" if not math.isfinite(value) else f"{value!r}::DOUBLE"
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "'" + "".join(f"\\x{byte:02X}" for byte in bytes(value)) + "'::BLOB"
    if isinstance(value, datetime.datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return f"{kind} '{value.isoformat(' ')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, datetime.time) and value.tzinfo is None:
        return f"TIME '{value.isoformat()}'"
    raise InvalidArgument(f"a value of type {type(value).__name__} cannot stand in a condition")


def _comparison(column: str, wanted: Any) -> str:
    name = identifier(column)
    if wanted is None:
        return f"{name} IS NULL"
    if not isinstance(wanted, (list, tuple, set, frozenset)):
        return f"{name} = {literal(wanted)}"
    values = [literal(value) for value in wanted if value is not None]
    choices = [f"{name} IN ({', '.join(values)})"] if values else []
    if len(values) < len(wanted):
        choices.append(f"{name} IS NULL")
    return "(" + " OR ".join(choices) + ")" if choices else "FALSE"


def condition(wanted: Condition | None) -> str | None:
    """A condition as SQL: text as it is; a mapping of columns to a value or a list of values.

    >>> condition({"region": ["north", None], "year": 2026})
    '("region" IN (\\'north\\') OR "region" IS NULL) AND "year" = 2026'
    """
    if wanted is None or isinstance(wanted, str):
        return wanted
    if isinstance(wanted, Mapping):
        return " AND ".join(_comparison(column, value) for column, value in wanted.items()) or None
    raise TypeError(f"a filter is SQL text or a dict, not {type(wanted).__name__}")


def moment(timestamp: str | datetime.datetime | None) -> str | None:
    """A point in time as text in UTC; a datetime without zone is taken as UTC."""
    if not isinstance(timestamp, datetime.datetime):
        return timestamp
    if timestamp.tzinfo is not None:
        timestamp = timestamp.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return timestamp.isoformat(" ", "microseconds")


# ---------------------------------------------------------------------------------- settings


def size_bytes(size: int | str | None) -> int:
    """A size in bytes; 0 where none is given.

    >>> size_bytes("512MiB"), size_bytes("4 GB"), size_bytes(None)
    (536870912, 4000000000, 0)
    """
    if size is None:
        return 0
    if isinstance(size, int) and not isinstance(size, bool):
        if size <= 0:
            raise InvalidArgument(f"a memory of {size} bytes cannot be")
        return size
    return _core.parse_size(str(size).strip())


def milliseconds(timeout: float | None) -> int:
    """A timeout in seconds as the extension takes it; 0 where there is none."""
    if timeout is None:
        return 0
    if not 0 < timeout < 1e9:
        raise InvalidArgument(f"a timeout of {timeout} seconds cannot be")
    return max(1, round(timeout * 1000))


def batch_rows(batch_size: int | None) -> int:
    """The rows of a batch; 0 where none are given."""
    if batch_size is None:
        return 0
    if not 0 < batch_size < 1 << 31:
        raise InvalidArgument(f"a batch of {batch_size} rows cannot be")
    return batch_size


def paths_of(paths: Any) -> list[str]:
    """One path or several, as texts."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    return [os.fspath(path) for path in paths]
