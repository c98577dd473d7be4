# SPDX-License-Identifier: Apache-2.0
"""Frames change their columns, rules and properties, and other engines go on reading them.

Method: the change is made by SQL; what the rows must then be is written down beside it, and
compared with what Apiary, deltalake and Polars read. Refusals must name the thing and change
nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import apiary
import deltalake
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRAME = "warehouse.sales.f"


def location(frame: apiary.Frame) -> str:
    return str(frame.describe()["location"])


def log_entry(frame: apiary.Frame, version: int) -> dict[str, Any]:
    """A commit's actions by name; the last of a name."""
    path = Path(location(frame), "_delta_log", f"{version:020}.json")
    return {k: v for line in path.read_text().splitlines() for k, v in json.loads(line).items()}


def entries(frame: apiary.Frame) -> int:
    return len(list(Path(location(frame), "_delta_log").glob("*.json")))


def sorted_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=repr)


def by_deltalake(frame: apiary.Frame) -> list[dict[str, Any]]:
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(location(frame)))
    return pa.table(query.execute("SELECT * FROM t").read_all()).to_pylist()


def by_polars(frame: apiary.Frame) -> list[dict[str, Any]]:
    return polars.scan_delta(location(frame)).collect().to_dicts()


def check_everywhere(
    ap: apiary.Apiary, frame: apiary.Frame, expected: list[dict[str, Any]], others: str = "dp"
) -> None:
    """We and others read these rows, with the columns in this order."""
    wanted = sorted_rows(expected)
    assert sorted_rows(ap.sql(f"SELECT * FROM {FRAME}").to_arrow().to_pylist()) == wanted
    if "d" in others:
        assert sorted_rows(by_deltalake(frame)) == wanted
    if "p" in others:
        assert sorted_rows(by_polars(frame)) == wanted


def operations(frame: apiary.Frame) -> list[str]:
    return [entry["operation"] for entry in frame.history()][::-1]


# ------------------------------------------------------------------- columns, comments, properties


def test_add_columns_without_touching_the_cells(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64", "s": "struct<x: int32>"})
    frame.write({"id": [1], "s": [{"x": 1}]})
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN name string COMMENT 'who' AFTER id")
    ap.sql(f"ALTER TABLE {FRAME} ADD COLUMNS (price decimal(10,2), at timestamp FIRST)")
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN s.y string")
    frame.write(
        pa.table(
            {
                "id": pa.array([2], pa.int64()),
                "name": ["b"],
                "s": pa.array([{"x": 2, "y": "z"}], pa.struct({"x": pa.int32(), "y": pa.string()})),
                "price": pa.array([None], pa.decimal128(10, 2)),
                "at": pa.array([None], pa.timestamp("us")),
            }
        )
    )
    expected = [
        {"at": None, "id": 1, "name": None, "s": {"x": 1, "y": None}, "price": None},
        {"at": None, "id": 2, "name": "b", "s": {"x": 2, "y": "z"}, "price": None},
    ]
    check_everywhere(ap, frame, expected)
    assert operations(frame) == ["CREATE TABLE", "WRITE"] + 3 * ["ADD COLUMNS"] + ["WRITE"]
    fields = json.loads(log_entry(frame, 2)["metaData"]["schemaString"])["fields"]
    assert [field["name"] for field in fields] == ["id", "name", "s"]
    assert fields[1]["metadata"] == {"comment": "who"}
    # a timestamp without zone asks for more than the first versions of the protocol
    assert log_entry(frame, 3)["protocol"] == {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["timestampNtz"],
        "writerFeatures": ["appendOnly", "invariants", "timestampNtz"],
    }
    assert ap.sql(f"SELECT count(*) AS n FROM {FRAME} AT (VERSION => 1)").to_arrow()[
        "n"
    ].to_pylist() == [1]


def test_refusals_change_nothing(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64", "word": "string"}, partition_by=["word"])
    frame.write({"id": [1], "word": ["a"]})
    before = entries(frame)
    refusals: list[tuple[str, type[Exception], str]] = [
        ("ADD COLUMN ID int32", apiary.AlreadyExists, "column 'ID' already"),
        ("ADD COLUMN x.y int32", apiary.NotFound, "no column 'x.y'"),
        ("ADD COLUMN n int32 AFTER wort", apiary.NotFound, "'wort'"),
        ("ADD COLUMN n strang", apiary.SchemaError, "strang"),
        ("ADD COLUMN n int32 NOT NULL", apiary.SqlSyntaxError, "no rule yet"),
        ("ADD COLUMN n int32 DEFAULT 3", apiary.SqlSyntaxError, "no rule yet"),
        ("DROP COLUMN id", apiary.Unsupported, "column mapping"),
        ("RENAME COLUMN id TO nr", apiary.Unsupported, "column mapping"),
        ("ALTER COLUMN wrd COMMENT 'x'", apiary.NotFound, "did you mean 'word'?"),
        ("ALTER COLUMN id TYPE int32", apiary.SchemaError, "long to integer"),
        ("ALTER COLUMN id TYPE decimal(20,0)", apiary.Unsupported, "enableTypeWidening"),
        (
            "SET TBLPROPERTIES ('delta.apendOnly' = 'true')",
            apiary.InvalidArgument,
            "did you mean 'delta.appendOnly'?",
        ),
        (
            "SET TBLPROPERTIES ('delta.appendOnly' = 'yes')",
            apiary.InvalidArgument,
            "true or false",
        ),
        (
            "SET TBLPROPERTIES ('delta.enableRowTracking' = 'true')",
            apiary.Unsupported,
            "delta.enableRowTracking",
        ),
        ("UNSET TBLPROPERTIES ('mine')", apiary.NotFound, "'mine' is not set"),
        ("DROP CONSTRAINT c", apiary.NotFound, "no constraint 'c'"),
    ]
    for action, error, part in refusals:
        with pytest.raises(error) as caught:
            ap.sql(f"ALTER FRAME {FRAME} {action}")
        assert part in f"{caught.value} {caught.value.hint}", action
    assert entries(frame) == before
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN IF NOT EXISTS id int64")
    ap.sql(f"ALTER FRAME {FRAME} UNSET TBLPROPERTIES IF EXISTS ('mine')")
    ap.sql("ALTER FRAME IF EXISTS warehouse.sales.g ADD COLUMN x int32")
    assert entries(frame) == before


def test_comments_and_properties(ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint NOT NULL COMMENT 'the key', word text)
        PARTITIONED BY (word) COMMENT 'all of it'
        TBLPROPERTIES ('owner' = 'me', delta.checkpointInterval = 5)"""
    )
    frame = box.frame("f")
    ap.sql(f"COMMENT ON COLUMN {FRAME}.word IS 'a word'")
    ap.sql(f"COMMENT ON FRAME {FRAME} IS 'changed'")
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES (owner = 'you', 'delta.appendOnly' = true)")
    ap.sql(f"ALTER FRAME {FRAME} UNSET TBLPROPERTIES ('delta.checkpointInterval')")
    table = deltalake.DeltaTable(location(frame))
    assert table.metadata().description == "changed"
    assert table.metadata().configuration == {"owner": "you", "delta.appendOnly": "true"}
    fields = {field.name: field for field in table.schema().fields}
    assert fields["id"].metadata == {"comment": "the key"}
    assert fields["word"].metadata == {"comment": "a word"}
    frame.write({"id": [1], "word": ["a"]})
    with pytest.raises(apiary.Unsupported, match="appendOnly"):
        frame.overwrite({"id": [1], "word": ["a"]})
    ap.sql(f"COMMENT ON COLUMN {FRAME}.word IS NULL")
    assert "metaData" in log_entry(frame, 6)
    assert frame.describe()["description"] == "changed"


# ---------------------------------------------------------------------------------- column mapping


def test_rename_and_drop_with_column_mapping(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame(
        "f", {"id": "int64", "word": "string", "s": "struct<x: int32, y: string>"}, ["word"]
    )
    frame.write({"id": [1, 2], "word": ["a", "b"], "s": [{"x": 1, "y": "p"}, None]})
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    assert log_entry(frame, 2)["protocol"] == {"minReaderVersion": 2, "minWriterVersion": 5}
    ap.sql(f"ALTER FRAME {FRAME} RENAME COLUMN id TO number")
    ap.sql(f'ALTER FRAME {FRAME} RENAME COLUMN word TO "the word"')
    ap.sql(f"ALTER FRAME {FRAME} RENAME COLUMN s.x TO z")
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN more int64")
    frame.write(
        pa.table(
            {
                "number": pa.array([3], pa.int64()),
                "the word": ["c"],
                "s": pa.array([{"z": 3, "y": "q"}], pa.struct({"z": pa.int32(), "y": pa.string()})),
                "more": pa.array([30], pa.int64()),
            }
        )
    )
    expected = [
        {"number": 1, "the word": "a", "s": {"z": 1, "y": "p"}, "more": None},
        {"number": 2, "the word": "b", "s": None, "more": None},
        {"number": 3, "the word": "c", "s": {"z": 3, "y": "q"}, "more": 30},
    ]
    check_everywhere(ap, frame, expected, "d")
    add = log_entry(frame, 7)["add"]
    assert add["partitionValues"] == {"word": "c"}
    ap.sql(f"ALTER FRAME {FRAME} DROP COLUMNS (s, more)")
    ap.sql(f"ALTER FRAME {FRAME} ADD COLUMN more string")
    frame.write({"number": [4], "the word": ["a"], "more": ["new"]})
    plain = [
        {"number": 1, "the word": "a", "more": None},
        {"number": 2, "the word": "b", "more": None},
        {"number": 3, "the word": "c", "more": None},
        {"number": 4, "the word": "a", "more": "new"},
    ]
    check_everywhere(ap, frame, plain, "d")
    pruned = ap.sql(f"SELECT number FROM {FRAME} WHERE number >= 4").to_arrow()
    assert pruned["number"].to_pylist() == [4]
    with pytest.raises(apiary.Unsupported, match="partition column"):
        ap.sql(f'ALTER FRAME {FRAME} DROP COLUMN "the word"')
    with pytest.raises(apiary.InvalidArgument, match="last one"):
        ap.sql(f"ALTER FRAME {FRAME} DROP COLUMNS number, more")
    with pytest.raises(apiary.Unsupported, match="from 'name' to 'none'"):
        ap.sql(f"ALTER FRAME {FRAME} UNSET TBLPROPERTIES ('delta.columnMapping.mode')")


@pytest.mark.parametrize("mode", ["name", "id"])
def test_new_frames_with_column_mapping(ap: apiary.Apiary, box: apiary.Box, mode: str) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} ("a,b" bigint, word text, p text) PARTITIONED BY (p)
        TBLPROPERTIES ('delta.columnMapping.mode' = '{mode}')"""
    )
    frame = box.frame("f")
    frame.write({"a,b": [1, 2], "word": ["x", "y"], "p": ["k", "l"]})
    frame.write({"a,b": [3], "word": [None], "p": ["k"]})
    rows = [
        {"a,b": 1, "word": "x", "p": "k"},
        {"a,b": 2, "word": "y", "p": "l"},
        {"a,b": 3, "word": None, "p": "k"},
    ]
    check_everywhere(ap, frame, rows, "d")
    fields = json.loads(log_entry(frame, 0)["metaData"]["schemaString"])["fields"]
    ids = {
        field["metadata"]["delta.columnMapping.physicalName"]: str(
            field["metadata"]["delta.columnMapping.id"]
        )
        for field in fields
    }
    assert all(name.startswith("col-") for name in ids)
    files = list(Path(location(frame)).rglob("*.parquet"))
    assert len(files) == 3
    for path in files:
        stored = pq.read_schema(path)
        for field in stored:
            assert field.metadata[b"PARQUET:field_id"].decode() == ids[field.name]


# ------------------------------------------------------------------------------------------- rules


def test_constraints_hold_for_every_way_in(
    ap: apiary.Apiary, box: apiary.Box, tmp_path: Path
) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint, "the word" text CHECK ("the word" <> 'it''s'),
        CONSTRAINT positive CHECK (id > 0))"""
    )
    frame = box.frame("f")
    assert log_entry(frame, 0)["protocol"] == {"minReaderVersion": 1, "minWriterVersion": 3}
    assert deltalake.DeltaTable(location(frame)).metadata().configuration == {
        "delta.constraints.positive": "id > 0",
        "delta.constraints.the word_check": "`the word` <> 'it\\'s'",
    }
    frame.write({"id": [1, 2], "the word": ["a", "b"]})
    before = entries(frame)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"id": [3, 0], "the word": ["c", "d"]}, r"'positive' \(id > 0\).*'id': 0, .*: d}"),
        ({"id": [3, None], "the word": ["c", "d"]}, "'positive'"),
        ({"id": [3], "the word": ["it's"]}, "'the word_check'"),
        ({"id": [3], "the word": [None]}, "'the word_check'"),
    ]
    for rows, message in bad:
        for write in (frame.write, frame.overwrite):
            with pytest.raises(apiary.SchemaError, match=message) as caught:
                write(rows)
            assert caught.value.sqlstate == "23514"
    csv = tmp_path / "new.csv"
    csv.write_text("id,the word\n5,x\n-1,y\n")
    with pytest.raises(apiary.SchemaError, match="'positive'"):
        ap.import_files("warehouse", "sales", "f", csv)
    assert entries(frame) == before
    assert not list(Path(location(frame)).parents[2].rglob("_apiary/staging/*.parquet"))
    ap.sql(f"ALTER FRAME {FRAME} DROP CONSTRAINT Positive")
    frame.write({"id": [-3], "the word": ["c"]})
    check_everywhere(
        ap,
        frame,
        [
            {"id": 1, "the word": "a"},
            {"id": 2, "the word": "b"},
            {"id": -3, "the word": "c"},
        ],
    )


def test_rules_are_checked_against_the_rows_there_are(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64", "s": "struct<x: int64>"})
    frame.write({"id": [1, None], "s": [{"x": 1}, None]})
    before = entries(frame)
    with pytest.raises(apiary.SchemaError, match=r"'small' \(id < 10\).*NULL"):
        ap.sql(f"ALTER FRAME {FRAME} ADD CONSTRAINT small CHECK (id < 10)")
    with pytest.raises(apiary.SchemaError, match="'id' holds nulls"):
        ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN id SET NOT NULL")
    with pytest.raises(apiary.InvalidArgument, match="true or false"):
        ap.sql(f"ALTER FRAME {FRAME} ADD CONSTRAINT c CHECK (id + 1)")
    with pytest.raises(apiary.SqlError, match="idd"):
        ap.sql(f"ALTER FRAME {FRAME} ADD CONSTRAINT c CHECK (idd > 1)")
    with pytest.raises(apiary.Unsupported, match="'regexp_matches'"):
        ap.sql(f"ALTER FRAME {FRAME} ADD CONSTRAINT c CHECK (regexp_matches('a', 'b'))")
    assert entries(frame) == before
    ap.sql(f"ALTER FRAME {FRAME} ADD CONSTRAINT small CHECK (id < 10 OR id IS NULL)")
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN s.x SET NOT NULL")
    frame.overwrite({"id": [5], "s": [{"x": 1}]})
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN id SET NOT NULL")
    with pytest.raises(apiary.SchemaError, match="'id' must not be null"):
        frame.write({"id": [None], "s": [{"x": 1}]})
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN id DROP NOT NULL")
    frame.write({"id": [None], "s": [{"x": 1}]})
    assert operations(frame)[2:] == [
        "ADD CONSTRAINT",
        "CHANGE COLUMN",
        "WRITE",
        "CHANGE COLUMN",
        "CHANGE COLUMN",
        "WRITE",
    ]


def test_defaults_and_generated_columns(ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint, word text DEFAULT 'none', at timestamptz,
        day date GENERATED ALWAYS AS (CAST("at" AS DATE)),
        twice bigint GENERATED ALWAYS AS (id * 2)) PARTITIONED BY (day)"""
    )
    frame = box.frame("f")
    protocol = log_entry(frame, 0)["protocol"]
    assert set(protocol["writerFeatures"]) >= {"allowColumnDefaults", "generatedColumns"}
    moment = dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone.utc)
    frame.write({"id": [1], "at": [moment]})
    frame.write({"id": [2], "word": [None], "at": [moment], "twice": [4]})
    rows = [
        {"id": 1, "word": "none", "at": moment, "day": moment.date(), "twice": 2},
        {"id": 2, "word": None, "at": moment, "day": moment.date(), "twice": 4},
    ]
    check_everywhere(ap, frame, rows)
    assert log_entry(frame, 1)["add"]["partitionValues"] == {"day": "2024-02-29"}
    with pytest.raises(apiary.SchemaError, match=r"'twice'.*'id': 3") as caught:
        frame.write({"id": [3], "at": [moment], "twice": [5]})
    assert caught.value.sqlstate == "23514"
    with pytest.raises(apiary.StateError, match="'twice'"):
        ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        ap.sql(f"ALTER FRAME {FRAME} DROP COLUMN id")
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN word SET DEFAULT upper('x')")
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN id SET DEFAULT 7")
    frame.write({"at": [moment]})
    assert ap.sql(f"SELECT * FROM {FRAME} WHERE id = 7").to_arrow().to_pylist() == [
        {"id": 7, "word": "X", "at": moment, "day": moment.date(), "twice": 14}
    ]
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN word DROP DEFAULT")
    with pytest.raises(apiary.SchemaError, match="'word' is missing"):
        frame.write({"id": [8], "at": [moment]})


def test_rules_of_other_writers_are_kept_or_refused(ap: apiary.Apiary, box: apiary.Box) -> None:
    frame = box.create_frame("f", {"id": "int64", "word": "string"})
    path = location(frame)
    table = deltalake.DeltaTable(path)
    table.alter.add_constraint({"small": "id < 10 AND word <> 'no'"})
    frame.write({"id": [1], "word": ["abc"]})
    with pytest.raises(apiary.SchemaError, match="'small'"):
        frame.write({"id": [10], "word": ["abc"]})
    # what Spark writes, in the words of its own dialect
    commit = Path(path, "_delta_log", f"{entries(frame):020}.json")
    metadata = log_entry(frame, 1)["metaData"]
    metadata["configuration"]["delta.constraints.odd"] = "`word` RLIKE 'a' OR ascii(word) > 1"
    commit.write_text(json.dumps({"metaData": metadata}) + "\n")
    with pytest.raises(apiary.Unsupported, match=r"'odd'.*'ascii'"):
        frame.write({"id": [1], "word": ["abc"]})
    check_everywhere(ap, frame, [{"id": 1, "word": "abc"}])


# ------------------------------------------------------------------------------------ wider types


WIDENINGS: list[tuple[str, str, Any, Any]] = [
    ("int8", "int16", -7, 300),
    ("int8", "int64", -7, 2**40),
    ("int32", "double", 7, 0.5),
    ("float32", "double", 0.5, 1e300),
    ("date", "timestamp", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12)),
    ("decimal(5,2)", "decimal(20,4)", Decimal("1.25"), Decimal("123456789.1234")),
    ("int16", "decimal(11,1)", 7, Decimal("1234567890.5")),
    ("int64", "decimal(21,1)", 2**40, Decimal("0.5")),
]


@pytest.mark.parametrize(("old", "new", "first", "second"), WIDENINGS)
def test_wider_types(
    ap: apiary.Apiary, box: apiary.Box, old: str, new: str, first: Any, second: Any
) -> None:
    frame = box.create_frame("f", {"c": old, "n": "int32"})
    types = {field.name: field.type for field in ap.sql(f"SELECT * FROM {FRAME}").to_arrow().schema}
    frame.write(pa.table({"c": pa.array([first], types["c"]), "n": pa.array([1], pa.int32())}))
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
    ap.sql(f"ALTER FRAME {FRAME} ALTER COLUMN c TYPE {new}")
    wide = ap.sql(f"SELECT c FROM {FRAME}").to_arrow().schema.field("c").type
    frame.write(pa.table({"c": pa.array([second], wide), "n": pa.array([2], pa.int32())}))
    found = ap.sql(f"SELECT c FROM {FRAME} ORDER BY n").to_arrow()["c"]
    expected = (
        pa.array([first, second], wide)
        if old != "date"
        else pa.array([dt.datetime(2024, 2, 29), second], wide)
    )
    assert found.to_pylist() == expected.to_pylist()
    for number, value in enumerate(expected.to_pylist(), 1):
        chosen = ap.sql(f"SELECT n FROM {FRAME} WHERE c = $1", params=[value]).to_arrow()
        assert chosen["n"].to_pylist() == [number]
    schema = json.loads(log_entry(frame, 3)["metaData"]["schemaString"])
    assert len(schema["fields"][0]["metadata"]["delta.typeChanges"]) == 1
    assert "typeWidening" in log_entry(frame, 2)["protocol"]["readerFeatures"]


# -------------------------------------------------------------------------------- change data feed


def changes_by_deltalake(frame: apiary.Frame, start: int, end: int) -> list[dict[str, Any]]:
    table = deltalake.DeltaTable(location(frame))
    return pa.table(
        table.load_cdf(starting_version=start, ending_version=end).read_all()
    ).to_pylist()


def check_changes(ap: apiary.Apiary, frame: apiary.Frame, start: int, end: int) -> list[Any]:
    """Deltalake tells the same changes; they are given without their times."""
    found = ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION {start} TO VERSION {end}").to_arrow()
    ours = found.to_pylist()
    theirs = changes_by_deltalake(frame, start, end)
    for row in [*ours, *theirs]:
        moment = row.pop("_commit_timestamp")
        assert moment.year >= 2024
    names = list(ours[0]) if ours else []
    assert sorted_rows(ours) == sorted_rows([{name: row[name] for name in names} for row in theirs])
    return ours


def test_show_changes(ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint, word text) PARTITIONED BY (word)
        TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"""
    )
    frame = box.frame("f")
    frame.write({"id": [1, 2], "word": ["a", "b"]})
    frame.write({"id": [3], "word": ["a"]})
    frame.overwrite({"id": [4], "word": ["a"]}, where="word = 'a'")
    path = location(frame)
    # change files, as another engine writes them
    deltalake.DeltaTable(path).update(updates={"id": "id + 10"}, predicate="word = 'b'")
    deltalake.DeltaTable(path).delete("id = 4")
    told = check_changes(ap, frame, 1, 5)
    assert sorted(
        (row["_commit_version"], row["_change_type"], row["id"], row["word"]) for row in told
    ) == [
        (1, "insert", 1, "a"),
        (1, "insert", 2, "b"),
        (2, "insert", 3, "a"),
        (3, "delete", 1, "a"),
        (3, "delete", 3, "a"),
        (3, "insert", 4, "a"),
        (4, "update_postimage", 12, "b"),
        (4, "update_preimage", 2, "b"),
        (5, "delete", 4, "a"),
    ]
    assert [row["_commit_version"] for row in told] == sorted(
        row["_commit_version"] for row in told
    )
    check_changes(ap, frame, 3, 3)
    latest = ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 5").to_arrow().to_pylist()
    assert [row["id"] for row in latest] == [4]
    by_time = ap.sql(f"SHOW CHANGES FOR {FRAME} FROM TIMESTAMP '2020-01-01'").to_arrow()
    assert by_time.num_rows == len(told)
    with pytest.raises(apiary.InvalidArgument, match="version 9 does not lie"):
        ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 9")
    ap.sql(f"ALTER FRAME {FRAME} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')")
    frame.write({"id": [5], "word": ["a"]})
    with pytest.raises(apiary.StateError, match="version 6 was written without a change feed"):
        ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 3")
    with pytest.raises(apiary.StateError, match="version 7 was written without a change feed"):
        ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 7")


def test_changes_of_rows_are_told(ap: apiary.Apiary, box: apiary.Box) -> None:
    ap.sql(
        f"""CREATE FRAME {FRAME} (id bigint, word text, twice bigint GENERATED ALWAYS AS (id * 2))
        PARTITIONED BY (word) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"""
    )
    frame = box.frame("f")
    ap.sql(f"INSERT INTO {FRAME} (id, word) SELECT i, 'p' || (i % 2) FROM range(10) t(i)")
    ap.sql(f"UPDATE {FRAME} SET id = id + 100 WHERE id IN (2, 3)")
    ap.sql(f"DELETE FROM {FRAME} WHERE id > 100 OR id = 4")
    ap.sql(
        f"""MERGE INTO {FRAME} AS t USING (VALUES (5, 'p1'), (6, 'p0'), (50, 'p2')) AS s(id, word)
        ON t.id = s.id WHEN MATCHED AND s.id = 5 THEN DELETE
        WHEN MATCHED THEN UPDATE SET id = 60
        WHEN NOT MATCHED THEN INSERT (id, word) VALUES (s.id, s.word)"""
    )
    ap.sql(f"DELETE FROM {FRAME} WHERE word = 'p2'")
    ap.sql(f"TRUNCATE {FRAME}")
    told = ap.sql(f"SHOW CHANGES IN {FRAME} FROM VERSION 2 TO VERSION 5").to_arrow().to_pylist()
    assert sorted(
        (row["_commit_version"], row["_change_type"], row["id"], row["word"]) for row in told
    ) == [
        (2, "update_postimage", 102, "p0"),
        (2, "update_postimage", 103, "p1"),
        (2, "update_preimage", 2, "p0"),
        (2, "update_preimage", 3, "p1"),
        (3, "delete", 4, "p0"),
        (3, "delete", 102, "p0"),
        (3, "delete", 103, "p1"),
        (4, "delete", 5, "p1"),
        (4, "insert", 50, "p2"),
        (4, "update_postimage", 60, "p0"),
        (4, "update_preimage", 6, "p0"),
        (5, "delete", 50, "p2"),
    ]
    assert all(row["twice"] == 2 * row["id"] for row in told)
    check_changes(ap, frame, 1, 6)
    assert ap.sql(f"SELECT * FROM {FRAME}").to_arrow().num_rows == 0
