# SPDX-License-Identifier: Apache-2.0
"""Python values on their way into SQL: as parameters, and as conditions."""

from __future__ import annotations

import datetime
import enum
import itertools
import math
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
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
_LIST, _STRUCT, _INTERVAL, _UUID, _MAP = 11, 12, 13, 14, 15

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


def _of_numpy(value: Any) -> Any:
    """NumPy's scalars and arrays as Python's own; times as datetime and timedelta."""
    kind = getattr(value, "dtype", None)
    if kind is not None and kind.kind in "mM":
        is_day = kind.kind == "M" and kind.str.rpartition("[")[2] in ("D]", "W]", "M]", "Y]")
        exact = value.astype(f"{kind.kind}8[{'D' if is_day else 'us'}]")
        if not (exact == value).all() and not (value != value).all():
            raise InvalidArgument(f"{value} has nanoseconds, which Python's times have not")
        value = exact
    return value.tolist() if hasattr(value, "tolist") else value


def _of_pandas(value: Any) -> Any:
    """Pandas' times are Python's; what it has for nothing is None, its arrays are NumPy's."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        raise InvalidArgument(f"{value} has nanoseconds, which Python's times have not")
    return value.tolist() if hasattr(value, "tolist") else value


def _plain(value: Any) -> Any:
    """Values of other libraries, and enumerations', as Python's own."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    origin = type(value).__module__.partition(".")[0]
    if origin == "numpy":
        return _of_numpy(value)
    return _of_pandas(value) if origin == "pandas" else value


def _interval(value: datetime.timedelta) -> tuple[int, object]:
    micros = value // _MICROSECOND
    if not -(2**63) <= micros < 2**63:
        raise InvalidArgument(f"{value} is longer than an INTERVAL of microseconds can be")
    return _INTERVAL, micros


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
    if isinstance(value, datetime.timedelta):
        return _interval(value)
    return None


def _encode_others(value: Any) -> tuple[int, object] | None:
    """What holds other values: a dict of names is a struct, any other dict a map."""
    if isinstance(value, Mapping):
        if value and all(isinstance(name, str) for name in value):
            return _STRUCT, tuple((_name(name), *encode(item)) for name, item in value.items())
        pairs = itertools.chain.from_iterable(value.items())
        return _MAP, tuple((None, *encode(item)) for item in pairs)
    if isinstance(value, (list, tuple)):
        return _LIST, tuple((None, *encode(item)) for item in value)
    return None


def _name(name: Any) -> bytes:
    """A parameter's or a member's name for the library, which ends it at a zero byte."""
    text = str(name)
    if "\0" in text:
        raise InvalidArgument(f"the name {text!r} holds a zero byte")
    return text.encode()


def encode(value: Any) -> tuple[int, object]:
    """A parameter's type and value, as the extension takes them.

    >>> encode(7), encode("é"), encode(datetime.date(1970, 1, 2))
    ((2, 7), (4, b'\\xc3\\xa9'), (7, 1))
    >>> encode([1, None])
    (11, ((None, 2, 1), (None, 0, 0)))
    """
    encoder = _ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value)
    value = _plain(value)
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value)
    found = _encode_moment(value) or _encode_others(value)
    if found is None:
        raise InvalidArgument(
            f"a parameter of type {type(value).__name__} has no SQL type",
            hint="give None, bool, int, float, str, bytes, Decimal, UUID, date, time, datetime, "
            "timedelta, or a list or dict of such",
        )
    return found


def _integer(value: int) -> tuple[int, object]:
    fits = -(2**63) <= value < 2**63
    return (_INTEGER, value) if fits else (_DECIMAL, _decimal(value).encode())


_ENCODERS: dict[type, Callable[[Any], tuple[int, object]]] = {
    type(None): lambda _: (_NULL, 0),
    bool: lambda value: (_BOOLEAN, int(value)),
    int: _integer,
    float: lambda value: (_FLOAT, value),
    str: lambda value: (_TEXT, value.encode()),
    bytes: lambda value: (_BINARY, value),
    bytearray: lambda value: (_BINARY, bytes(value)),
    memoryview: lambda value: (_BINARY, bytes(value)),
    Decimal: lambda value: (_DECIMAL, _decimal(value).encode()),
    uuid.UUID: lambda value: (_UUID, value.bytes),
}


def encode_parameters(params: Parameters | None) -> tuple[Encoded, ...]:
    """The parameters of a query: a sequence for `?` and `$1`, a mapping for `$name`."""
    if params is None:
        return ()
    if isinstance(params, Mapping):
        return tuple((_name(name), *encode(value)) for name, value in params.items())
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
