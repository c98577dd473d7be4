# SPDX-License-Identifier: Apache-2.0
"""Write the Arrow IPC fixtures beside this file, as pyarrow writes them.

Run by hand (``python3 make_fixtures.py``) when a fixture is added; the files are committed, so that
the C tests need no Python. For each ``NAME.arrow`` (file format) or ``NAME.arrows`` (stream format)
there is ``NAME.txt`` with the rows as testing/arrow_text.c prints them.
"""

import datetime as dt
import decimal
import pathlib

import pyarrow as pa
import pyarrow.ipc as ipc

HERE = pathlib.Path(__file__).parent


def text_of(value, kind):
    """One value as testing/arrow_text.c prints it, by its Arrow type."""
    if isinstance(kind, pa.DictionaryType):
        return text_of(value, kind.value_type)
    if value is None:
        return "null"
    if pa.types.is_boolean(kind):
        return "true" if value else "false"
    if pa.types.is_floating(kind):
        return f"{value:.17g}"
    if pa.types.is_decimal(kind):
        return str(int(value.scaleb(kind.scale)))
    if pa.types.is_struct(kind):
        parts = [f"{f.name}:{text_of(value[f.name], f.type)}" for f in kind]
        return "{" + ",".join(parts) + "}"
    if pa.types.is_map(kind):
        entries = [(text_of(k, kind.key_type), text_of(v, kind.item_type)) for k, v in value]
        return "[" + ",".join(f"{{key:{k},value:{v}}}" for k, v in entries) + "]"
    if pa.types.is_nested(kind):
        return "[" + ",".join(text_of(v, kind.value_type) for v in value) + "]"
    if isinstance(value, bytes):
        return "x'" + value.hex() + "'"
    if isinstance(value, str):
        return "'" + value + "'"
    return str(value)


def column_texts(column):
    """The texts of a column; times by their stored integers."""
    kind = column.type
    if pa.types.is_temporal(kind):
        kind = pa.int32() if kind.bit_width == 32 else pa.int64()
        column = column.cast(kind)
    return [text_of(value, kind) for value in column.to_pylist()]


def rows_of(table):
    """The table as text, a line per row."""
    columns = [column_texts(column) for column in table.columns]
    lines = []
    for i in range(table.num_rows):
        parts = [f"{name}:{texts[i]}" for name, texts in zip(table.column_names, columns)]
        lines.append("{" + ",".join(parts) + "}\n")
    return "".join(lines)


def write(name, table, stream=True, batch_rows=3, **options):
    """Write one fixture and its text."""
    path = HERE / (name + (".arrows" if stream else ".arrow"))
    maker = ipc.new_stream if stream else ipc.new_file
    with maker(str(path), table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    (HERE / (name + ".txt")).write_text(rows_of(table), encoding="utf-8")
    assert path.stat().st_size < 4096, (name, path.stat().st_size)


def scalars():
    """A few types, with nulls."""
    return pa.table(
        {
            "id": pa.array([1, 2, None, -4, 5], pa.int64()),
            "name": pa.array(["eins", "", None, "vier äöü", "fünf"], pa.string()),
            "ok": pa.array([True, False, None, True, True]),
            "price": pa.array(
                [decimal.Decimal("1.25"), None, decimal.Decimal("-99.99"), 0, 7],
                pa.decimal128(10, 2),
            ),
            "at": pa.array([0, 1, None, -1, 10**15], pa.timestamp("us", "UTC")),
        }
    )


def kinds():
    """One column of every flat type."""
    day = dt.date(2024, 2, 29)
    return pa.table(
        {
            "n": pa.nulls(2),
            "i8": pa.array([-128, None], pa.int8()),
            "u8": pa.array([255, None], pa.uint8()),
            "i16": pa.array([-32768, None], pa.int16()),
            "u32": pa.array([2**32 - 1, None], pa.uint32()),
            "u64": pa.array([2**64 - 1, None], pa.uint64()),
            "f32": pa.array([0.5, None], pa.float32()),
            "f64": pa.array([-0.1, None], pa.float64()),
            "d32": pa.array([day, None], pa.date32()),
            "t32": pa.array([dt.time(1, 2, 3), None], pa.time32("s")),
            "t64": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
            "ts": pa.array([1, None], pa.timestamp("ns")),
            "bin": pa.array([b"\x00\xff", None], pa.binary()),
            "fsb": pa.array([b"abcd", None], pa.binary(4)),
            "ls": pa.array(["large", None], pa.large_string()),
        }
    )


def nested():
    """Lists, structs and maps, in each other."""
    return pa.table(
        {
            "l": pa.array([[1, None, 3], [], None, [4]], pa.list_(pa.int32())),
            "s": pa.array(
                [{"a": 1, "b": "x"}, None, {"a": None, "b": "z"}, {"a": 4, "b": None}],
                pa.struct([("a", pa.int32()), ("b", pa.string())]),
            ),
            "m": pa.array(
                [[("k", 1), ("q", None)], [], None, [("z", 9)]], pa.map_(pa.string(), pa.int64())
            ),
            "f": pa.array([[1, 2], None, [5, 6], [7, 8]], pa.list_(pa.int16(), 2)),
            "ll": pa.array(
                [[["a"], []], None, [], [["b", None]]], pa.large_list(pa.list_(pa.string()))
            ),
        }
    )


def dictionaries():
    """Dictionary-encoded columns, one of them within a list."""
    words = pa.array(["red", "green", None, "red", "blue"]).dictionary_encode()
    small = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 1, None, 0], pa.int8()), pa.array([10, 20], pa.int64())
    )
    inner = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, None], pa.uint16()), pa.array(["x", "y"])
    )
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 1, 3, 4, 4], pa.int32()), inner)
    return pa.table({"w": words, "n": small, "l": lists})


def views():
    """Text and bytes as views, short and long."""
    long = "a text longer than twelve bytes"
    return pa.table(
        {
            "v": pa.array(["short", long, None, "", long + "!"], pa.string_view()),
            "b": pa.array([b"\x01", None, b"0123456789abcdef", b"", b"q"], pa.binary_view()),
        }
    )


def main():
    """Write all fixtures."""
    table = scalars()
    write("stream", table)
    write("file", table, stream=False)
    many = pa.concat_tables([table] * 6).combine_chunks()
    write("lz4", many, batch_rows=30, compression="lz4")
    write("zstd", many, batch_rows=30, compression="zstd", stream=False)
    write("kinds", kinds())
    write("nested", nested())
    write("dictionary", dictionaries())
    write("dictionary_file", dictionaries(), stream=False, batch_rows=10)
    write("views", views())
    write("no_rows", table.slice(0, 0))
    write("no_columns", table.select([]))
    with open(HERE / "no_columns.txt", "w", encoding="utf-8") as file:
        file.write("{}\n" * table.num_rows)
    legacy = pa.BufferOutputStream()
    options = ipc.IpcWriteOptions(metadata_version=ipc.MetadataVersion.V4, use_legacy_format=True)
    with ipc.new_stream(legacy, table.schema, options=options) as writer:
        writer.write_table(table)
    (HERE / "legacy.arrows").write_bytes(legacy.getvalue().to_pybytes())
    (HERE / "legacy.txt").write_text(rows_of(table), encoding="utf-8")


if __name__ == "__main__":
    main()
