# SPDX-License-Identifier: Apache-2.0
"""The answer of a query."""

from __future__ import annotations

import html
import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from apiary import _core
from apiary.errors import Unsupported

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_SHOWN_ROWS = 20
_SHOWN_WIDTH = 48
_ROWS_AT_ONCE = 1024


def need(module: str, extra: str) -> Any:
    """An optional library, or an ImportError that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this needs {module}: pip install 'apiary[{extra}]'", name=module
        ) from error


def _cell(value: Any, width: int = _SHOWN_WIDTH) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= width else text[: width - 1] + "\u2026"


class Result:
    """Rows with named and typed columns. They may be read as often as you like.

    A result is held in memory as Arrow arrays and handed to other libraries without a copy, through
    the Arrow PyCapsule interface: ``pyarrow.table(result)``, ``polars.DataFrame(result)``.

    >>> from apiary import Apiary
    >>> with Apiary("demo") as ap:
    ...     result = ap.sql("SELECT 1 AS n, 'one' AS word UNION ALL SELECT 2, NULL ORDER BY n")
    >>> result.columns, len(result)
    (['n', 'word'], 2)
    >>> for n, word in result:
    ...     print(n, word)
    1 one
    2 None
    >>> result
    n     | word
    int32 | string
    ------+-------
    1     | one
    2     | NULL
    (2 rows)
    """

    __slots__ = ("_batches",)

    def __init__(self, batches: _core.Batches) -> None:
        self._batches = batches

    # ------------------------------------------------------------------------------- about it

    @property
    def columns(self) -> list[str]:
        """The columns' names, in order."""
        return self._batches.names

    @property
    def column_names(self) -> list[str]:
        """The same, as pyarrow's tables call it."""
        return self._batches.names

    @property
    def types(self) -> list[str]:
        """The columns' types, as words: ``int64``, ``list<string>``."""
        return self._batches.types

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self._batches.num_rows

    @property
    def num_columns(self) -> int:
        """How many columns there are."""
        return len(self._batches.names)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.num_rows, self.num_columns

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns as a pyarrow schema."""
        return need("pyarrow", "pyarrow").schema(self._batches)

    def __len__(self) -> int:
        return self._batches.num_rows

    # ------------------------------------------------------------------------- as Python objects

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for start in range(0, self.num_rows, _ROWS_AT_ONCE):
            yield from self._batches.rows(start, start + _ROWS_AT_ONCE)

    @overload
    def __getitem__(self, which: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, which: str) -> list[Any]: ...
    def __getitem__(self, which: int | str) -> tuple[Any, ...] | list[Any]:
        """A row by its number, or a column by its name."""
        if isinstance(which, str):
            return self.column(which)
        row = which + self.num_rows if which < 0 else which
        if not 0 <= row < self.num_rows:
            raise IndexError(f"there is no row {which}; there are {self.num_rows}")
        return self._batches.rows(row, row + 1)[0]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows, as tuples."""
        return self._batches.rows(0, self.num_rows)

    def to_pylist(self) -> list[dict[str, Any]]:
        """All rows, as dicts."""
        return self._batches.dicts(0, self.num_rows)

    def to_pydict(self) -> dict[str, list[Any]]:
        """All columns, as lists by name."""
        return {name: self._batches.column(at) for at, name in enumerate(self.columns)}

    def column(self, name: str | int) -> list[Any]:
        """The values of one column, by name or number."""
        if isinstance(name, int):
            return self._batches.column(name)
        names = self.columns
        if name not in names:
            raise KeyError(f"there is no column {name!r}; there are {', '.join(names)}")
        return self._batches.column(names.index(name))

    # ------------------------------------------------------------------------ as others have it

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._batches.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._batches.__arrow_c_schema__()

    def to_arrow(self) -> pyarrow.Table:
        """A pyarrow table; it shares the memory."""
        arrow = need("pyarrow", "pyarrow")
        return arrow.RecordBatchReader.from_stream(self._batches).read_all()

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """A pandas data frame; options go to pyarrow's ``Table.to_pandas``."""
        need("pandas", "pandas")
        need("pyarrow", "pandas")
        return self.to_arrow().to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        """A Polars data frame."""
        frame: polars.DataFrame = need("polars", "polars").DataFrame(self)
        return frame

    def to_ipc(self) -> bytes:
        """The bytes of an Arrow IPC stream."""
        return self._batches.to_ipc()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.to_ipc(),)

    # ------------------------------------------------------------------------------- for people

    def _is_text(self) -> bool:
        """A text, as EXPLAIN and SHOW CREATE give one: it is shown whole."""
        return self.columns in (["plan"], ["statement"]) and self.types == ["string"]

    def _shown(self) -> list[list[str]]:
        rows = range(self.num_rows if self._is_text() else min(self.num_rows, _SHOWN_ROWS))
        return [[self._cell(row, column) for column in range(self.num_columns)] for row in rows]

    def _cell(self, row: int, column: int) -> str:
        try:
            value = self._batches.value(row, column)
            return _cell(value, sys.maxsize) if self._is_text() else _cell(value)
        except Unsupported:  # a date that Python cannot hold, for example
            return "(no Python value)"

    def _size(self) -> str:
        rows = "1 row" if self.num_rows == 1 else f"{self.num_rows} rows"
        is_cut = self.num_rows > _SHOWN_ROWS and not self._is_text()
        return f"({rows}, {_SHOWN_ROWS} shown)" if is_cut else f"({rows})"

    def __repr__(self) -> str:
        lines = [[_cell(name) for name in self.columns], self.types, *self._shown()]
        if not lines[0]:
            return "(no columns)"
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
        texts = [
            " | ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
            for line in lines
        ]
        texts.insert(2, "-+-".join("-" * width for width in widths))
        return "\n".join([*texts, self._size()])

    def _repr_html_(self) -> str:
        def row(texts: list[str], tag: str) -> str:
            wrap = "<pre>{}</pre>" if self._is_text() else "{}"
            cells = "".join(f"<{tag}>{wrap.format(html.escape(text))}</{tag}>" for text in texts)
            return f"<tr>{cells}</tr>"

        heads = [
            f"<th>{html.escape(_cell(name))}<br><small>{html.escape(kind)}</small></th>"
            for name, kind in zip(self.columns, self.types)
        ]
        body = "".join(row(texts, "td") for texts in self._shown())
        return (
            f"<table><thead><tr>{''.join(heads)}</tr></thead><tbody>{body}</tbody></table>"
            f"<small>{self._size()}</small>"
        )


def _restore(ipc: bytes) -> Result:
    return Result(_core.collect(ipc))
