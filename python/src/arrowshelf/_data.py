# SPDX-License-Identifier: Apache-2.0
"""Data on its way to the shelf and back: whatever holds rows becomes Arrow, and Arrow becomes it.

Metadata of the schema say what an array was before: its shape and its type.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from arrowshelf.errors import InvalidDataError

if TYPE_CHECKING:
    import numpy
    import pyarrow

_ARRAY = b"arrowshelf.array"
_VALUES = "values"


def _is(data: Any, module: str, name: str) -> bool:
    """Of a class of a module, if anybody has imported that."""
    found = getattr(sys.modules.get(module), name, None)
    return isinstance(found, type) and isinstance(data, found)


def to_arrow(data: Any, *, preserve_index: bool | None = None) -> Any:
    """What the library takes: an object with `__arrow_c_stream__` or `__arrow_c_array__`."""
    import pyarrow

    if _is(data, "pandas", "DataFrame"):
        return _of_pandas(data, preserve_index)
    if _is(data, "pandas", "Series"):
        name = _VALUES if data.name is None else data.name
        return _of_pandas(data.to_frame(name), preserve_index)
    if _is(data, "numpy", "ndarray"):
        return _of_array(data)
    if isinstance(data, (pyarrow.Array, pyarrow.ChunkedArray)):
        return pyarrow.table({_VALUES: data})
    if _is(data, "polars", "Series"):
        return data.to_frame(data.name or _VALUES)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return data
    if isinstance(data, Mapping):
        return _of_columns(data)
    raise InvalidDataError(
        f"cannot put {type(data).__name__}: give a pandas or Polars frame, Arrow data, a NumPy "
        "array, or a dict of arrays"
    )


def _of_pandas(frame: Any, preserve_index: bool | None) -> pyarrow.Table:
    import pyarrow

    try:
        return pyarrow.Table.from_pandas(frame, preserve_index=preserve_index)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise InvalidDataError(f"the frame is no Arrow data: {error}") from error


def _of_columns(columns: Mapping[Any, Any]) -> pyarrow.Table:
    import pyarrow

    try:
        arrays = [pyarrow.array(values) for values in columns.values()]
        return pyarrow.Table.from_arrays(arrays, names=[str(name) for name in columns])
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise InvalidDataError(f"the columns are no Arrow data: {error}") from error


def _of_array(array: numpy.ndarray[Any, Any]) -> pyarrow.Table:
    import numpy
    import pyarrow

    if array.dtype.hasobject:
        raise InvalidDataError("an array of Python objects cannot be shared")
    flat = numpy.ascontiguousarray(array).reshape(-1)
    kind = flat.dtype
    if kind.kind not in "iuf" or kind.itemsize > 8 or not kind.isnative:
        flat = flat.view(numpy.uint8)
    description = {"shape": array.shape, "dtype": numpy.lib.format.dtype_to_descr(kind)}
    values = pyarrow.Array.from_buffers(
        pyarrow.from_numpy_dtype(flat.dtype), len(flat), [None, pyarrow.py_buffer(flat)]
    )
    schema = pyarrow.schema(
        [pyarrow.field(_VALUES, values.type)], {_ARRAY: json.dumps(description).encode()}
    )
    return pyarrow.Table.from_arrays([values], schema=schema)


def is_array(schema: pyarrow.Schema) -> bool:
    """Was it put as a NumPy array?"""
    return _ARRAY in (schema.metadata or {})


def to_array(table: pyarrow.Table, column: str | int | None = None) -> numpy.ndarray[Any, Any]:
    """A read-only view of what was put as an array, or of a column; never a copy."""
    import numpy
    import pyarrow

    if is_array(table.schema) and column is None:
        description = json.loads(table.schema.metadata[_ARRAY])
        dtype = numpy.lib.format.descr_to_dtype(_described(description["dtype"]))
        return _of_column(table.column(0)).view(dtype).reshape(description["shape"])
    if column is None:
        if table.num_columns != 1:
            raise InvalidDataError(f"say which column of {table.column_names}")
        column = 0
    try:
        return _of_column(table.column(column))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise InvalidDataError(f"column {column!r} has no view without a copy: {error}") from error


def _of_column(column: pyarrow.ChunkedArray) -> numpy.ndarray[Any, Any]:
    import numpy
    import pyarrow

    chunks = [chunk for chunk in column.chunks if len(chunk) > 0]
    if not chunks:
        return numpy.empty(0, column.type.to_pandas_dtype())
    if len(chunks) > 1:
        raise pyarrow.ArrowInvalid(f"it has {len(chunks)} chunks")
    view: numpy.ndarray[Any, Any] = chunks[0].to_numpy(zero_copy_only=True)
    return view


def _described(description: Any) -> Any:
    """JSON has no tuples; NumPy's descriptions of types are made of them."""
    if not isinstance(description, list):
        return description
    return [tuple(_described(part) for part in field) for field in description]
