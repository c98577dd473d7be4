# SPDX-License-Identifier: Apache-2.0
"""Rows on their way in: whatever holds them becomes one Arrow stream.

Arrow data passes as it is. What has no types of its own (dicts, lists, pandas' objects) takes those
of the frame where its values allow it; where they do not, it goes on with the types they have, and
the library says which column does not fit.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apiary._result import need
from apiary.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow

_ROWS_OF_A_BATCH = 65_536


def _is_arrow(data: Any) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_pandas(data: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


class Source:
    """Data for one write. `arrow()` is what the extension takes; after a failed write `error` holds
    what the caller's own generator raised, if it did.
    """

    def __init__(self, data: Any, schema: Callable[[], pyarrow.Schema]) -> None:
        self.error: BaseException | None = None
        self._data = data
        self._schema = schema

    def arrow(self) -> Any:
        """The data with the Arrow PyCapsule interface, or bytes of Arrow IPC."""
        data = self._data
        if isinstance(data, bytes):
            return data
        if isinstance(data, (bytearray, memoryview)):
            return bytes(data)
        if _is_pandas(data):
            return self._of_pandas(data)
        if _is_arrow(data):
            return data
        if isinstance(data, Mapping):
            return self._of_columns(data)
        if isinstance(data, Iterable) and not isinstance(data, str):
            return self._of_items(iter(data))
        raise TypeError(
            f"cannot write {type(data).__name__}: give a pyarrow table, batch or reader, a pandas "
            "or Polars data frame, a list of dicts, a dict of lists, or bytes of Arrow IPC"
        )

    # ---------------------------------------------------------------------------------- columns

    def _fields(self) -> dict[str, pyarrow.Field]:
        return {field.name.casefold(): field for field in self._schema()}

    def _of_columns(self, columns: Mapping[Any, Any]) -> pyarrow.Table:
        arrow = need("pyarrow", "pyarrow")
        fields = self._fields()
        names = [str(name) for name in columns]
        arrays = [
            _array(arrow, name, values, fields.get(name.casefold()), False)
            for name, values in zip(names, columns.values())
        ]
        lengths = {name: len(array) for name, array in zip(names, arrays)}
        if len(set(lengths.values())) > 1:
            raise SchemaError(f"the columns have different lengths: {lengths}")
        return arrow.Table.from_arrays(arrays, names=names)

    def _of_pandas(self, frame: Any) -> pyarrow.Table:
        arrow = need("pyarrow", "pandas")
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
        fields = self._fields()
        names = [str(name) for name in frame.columns]
        arrays = [
            _array(arrow, name, frame.iloc[:, at], fields.get(name.casefold()), True)
            for at, name in enumerate(names)
        ]
        return arrow.Table.from_arrays(arrays, names=names)

    # ------------------------------------------------------------------------------------ items

    def _of_items(self, items: Iterator[Any]) -> Any:
        arrow = need("pyarrow", "pyarrow")
        first = next(items, None)
        if first is None:
            return self._schema().empty_table()
        if isinstance(first, Mapping):
            fields = self._fields()
            batches = self._of_rows(arrow, fields, itertools.chain([first], items))
        elif _is_arrow(first):
            batches = self._of_tables(arrow, itertools.chain([first], items))
        else:
            raise TypeError(
                f"cannot write items of type {type(first).__name__}: give dicts or Arrow batches"
            )
        batch = next(batches)
        rest = self._watched(itertools.chain([batch], batches))
        return arrow.RecordBatchReader.from_batches(batch.schema, rest)

    def _of_rows(
        self, arrow: Any, fields: dict[str, pyarrow.Field], rows: Iterator[Any]
    ) -> Iterator[pyarrow.RecordBatch]:
        schema = None
        while True:
            part = list(itertools.islice(rows, _ROWS_OF_A_BATCH))
            if not part:
                return
            names = list(dict.fromkeys(name for row in part for name in row))
            if schema is not None and set(names) <= set(schema.names):
                names = schema.names
            arrays = [
                _array(arrow, str(name), [row.get(name) for row in part], found, False)
                for name in names
                for found in [fields.get(str(name).casefold())]
            ]
            batch = arrow.RecordBatch.from_arrays(arrays, names=[str(name) for name in names])
            if schema is None:
                schema = batch.schema
            elif batch.schema != schema:
                raise SchemaError(f"later rows have other columns: {batch.schema} after {schema}")
            yield batch

    def _of_tables(self, arrow: Any, tables: Iterator[Any]) -> Iterator[pyarrow.RecordBatch]:
        for table in tables:
            batches = arrow.table(table).to_batches()
            yield from batches or [arrow.RecordBatch.from_pylist([], arrow.schema(table.schema))]

    def _watched(self, batches: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from batches
        except BaseException as error:
            self.error = error
            raise


def _array(
    arrow: Any, name: str, values: Any, field: pyarrow.Field | None, from_pandas: bool
) -> Any:
    if field is not None:
        try:
            return arrow.array(values, type=field.type, from_pandas=from_pandas)
        except (arrow.ArrowException, TypeError, ValueError, OverflowError):
            pass  # with the type that the values have, the library says what does not fit
    try:
        return arrow.array(values, from_pandas=from_pandas)
    except (arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        expected = "" if field is None else f", where the frame has {field.type}"
        raise SchemaError(f"column '{name}' cannot be read{expected}: {error}") from error
