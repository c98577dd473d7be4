# SPDX-License-Identifier: Apache-2.0
"""The commands of the program: what they print, where, and with which exit status.

Output is read with other tools' readers (Python's csv and json, pyarrow) and compared with values
that are written here, or with what the duckdb package gives for the same query.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_program import ROOT, Program

COMMANDS = (
    "create attach drop rename list import export sql describe history checkpoint status shell help"
).split()


# ---------------------------------------------------------------------------- help and mistakes


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli: Program, command: str) -> None:
    text = cli.good(command, "--help")
    examples = text.partition("Examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 4
    assert all(line.strip().startswith("apiary " + command) for line in examples)
    assert cli.good("help", command) == text
    assert not (cli.folder / "storage").exists()


def test_help_and_version_of_the_program(cli: Program) -> None:
    listed = cli.good("--help")
    assert [name for name in COMMANDS if "\n  %s " % name not in listed] == []
    assert re.fullmatch(r"apiary \d+\.\d+\.\d+\nengine DuckDB v[\d.]+\n", cli.good("--version"))


@pytest.mark.parametrize(
    ("words", "complaint", "hint"),
    [
        ([], "which command?", "'apiary --help' tells how"),
        (["sqll"], "there is no command 'sqll'", "did you mean 'apiary sql'?"),
        (["lsit"], "there is no command 'lsit'", "did you mean 'apiary list'?"),
        (["sql", "SELECT 1", "--fromat", "csv"], "there is no option --fromat", "--format?"),
        (["sql", "SELECT 1", "-f", "xml"], "'xml' is no format", "html, insert and arrow"),
        (["sql"], "which statement?", "apiary sql 'SELECT 42'"),
        (["sql", "SELECT 1", "-n", "many"], "'many' is no number of rows", "--help"),
        (["describe", "a.b"], "'a.b' is not the name of a frame", "HIVE.BOX.FRAME"),
        (["create", "../x"], "'../x' is not the name", "HIVE"),
        (["create", "a.b.c"], "frame c needs columns", "--columns"),
        (["create", "a.b.c", "-c", "id"], "'id' is no column", "id int64 not null"),
        (["create", "a", "-c", "id int64"], "'a' names a hive", "HIVE.BOX.FRAME"),
        (["rename", "a.b", "c.d"], "'a.b' cannot become 'c.d'", "last part alone"),
        (["--memory", "lots", "list"], "--memory: 'lots' is no size", "4GB"),
        (["status", "--format", "csv"], "'csv' is no format of 'apiary status'", "json"),
        (["shell", "--init", "x", "--no-init"], "--init and --no-init exclude", "--help"),
        (["shell", "-c"], "option --command needs a value", "--help"),
    ],
)
def test_mistakes_in_the_command_line(
    cli: Program, words: list[str], complaint: str, hint: str
) -> None:
    told = cli.bad(*words, status=2)
    assert complaint in told
    assert "\nhint: " in told
    assert hint in told.partition("\nhint: ")[2]


def test_errors_say_more_when_asked(shop: Program) -> None:
    short = shop.bad("sql", "SELECT amout FROM shop.sales.orders")
    assert "amout" in short
    assert "sqlstate" not in short
    told = shop.bad("sql", "--verbose", "FROM shop.sales.ordres")
    assert re.search(r"^sqlstate: \w{5} \(AP_NOT_FOUND, \w+\.c:\d+\)$", told, re.MULTILINE)
    assert "orders" in told


def test_options_stand_anywhere(shop: Program) -> None:
    storage = shop.environment.pop("APIARY_STORAGE")
    before = shop.good("--storage", storage, "list", "shop")
    assert before == shop.good("list", "shop", "--storage=" + storage) == "sales\n"
    assert shop.good("list") == ""  # the default one, below the home folder
    assert (shop.folder / "home" / ".apiary" / "data" / "default").is_dir()


# ------------------------------------------------------------------------------ names and frames


def test_create_makes_parents_and_nothing_by_halves(cli: Program) -> None:
    made = cli.good(
        "create", "h.b.f", "--columns", "id int64 not null, d decimal(10,2), l list<int8>"
    )
    assert made == "created hive h\ncreated box h.b\ncreated frame h.b.f\n"
    assert "nosuch" in cli.bad("create", "x.y.z", "--columns", "id nosuch")
    assert cli.good("list") == "h\n"
    assert cli.good("create", "h.b2") == "created box h.b2\n"
    assert cli.good("list", "h") == "b\nb2\n"
    assert cli.good("list", "h.b") == "f\n"


def test_create_again(cli: Program) -> None:
    columns = ["--columns", "id int64, day date", "--partition-by", "day"]
    cli.good("create", "h.b.f", *columns, "--description", "what it is")
    for words in (["h"], ["h.b"], ["h.b.f", *columns]):
        assert "exists" in cli.bad("create", *words) or "there" in cli.bad("create", *words)
        assert cli.good("create", *words, "--if-not-exists").startswith("found ")
    cli.bad("create", "h.b.f", "--columns", "id string", "--if-not-exists")
    frame = json.loads(cli.good("describe", "h.b.f", "--format", "json"))
    assert frame["schema"] == {"id": "int64", "day": "date"}
    assert frame["partition_by"] == ["day"]
    assert frame["description"] == "what it is"
    shown = cli.good("describe", "h.b.f")
    assert re.search(r"^  day +date  \(partitions\)$", shown, re.MULTILINE)
    assert re.search(r"^rows +0$", shown, re.MULTILINE)


def test_drop_and_rename(shop: Program) -> None:
    assert "not empty" in shop.bad("drop", "shop")
    assert shop.good("rename", "shop.sales.orders", "purchases").startswith("renamed frame")
    assert shop.good("rename", "shop", "store").startswith("renamed hive")
    assert shop.good("rename", "store.sales", "store.trade").startswith("renamed box")
    rows = shop.good("sql", "-f", "csv", "SELECT count(*) AS n FROM store.trade.purchases")
    assert rows == "n\n3\n"
    shop.bad("drop", "store.trade.orders")
    assert "no frame" in shop.good("drop", "store.trade.orders", "--if-exists")
    assert shop.good("drop", "store", "--cascade") == "dropped hive store\n"
    assert shop.good("list") == ""


def test_history_and_checkpoint(shop: Program) -> None:
    shop.good("import", "shop.sales.orders", "orders.csv", "--overwrite")
    rows = json.loads(shop.good("history", "shop.sales.orders", "--format", "json"))
    assert [row["version"] for row in rows] == [2, 1, 0]
    assert json.loads(rows[0]["parameters"])["mode"] == "Overwrite"
    limited = shop.good("history", "shop.sales.orders", "--limit", "1", "-f", "csv", "--no-header")
    assert limited.startswith("2,")
    assert "version 2" in shop.good("checkpoint", "shop.sales.orders")
    log = shop.folder / "storage" / "shop" / "sales" / "orders" / "_delta_log"
    assert len(list(log.glob("*2.checkpoint*.parquet"))) == 1


def test_status(cli: Program) -> None:
    report = json.loads(cli.good("status", "--format", "json"))
    assert report["node"]["cores"] >= 1
    assert len(report["bees"]) == report["node"]["bees"]
    assert re.search(r"^cores +\d+$", cli.good("status"), re.MULTILINE)


# ------------------------------------------------------------------------------- files in and out


def test_import_from_every_format_and_export_to_it(shop: Program) -> None:
    for ending in ("csv", "json", "parquet", "arrow"):
        told = shop.good("export", "shop.sales.orders", "out." + ending)
        assert told.startswith("exported 3 rows to out." + ending)
        assert "is there already" in shop.bad("export", "shop.sales.orders", "out." + ending)
        told = shop.good("import", "shop.back." + ending, "out." + ending)
        line = r"imported 3 rows into shop\.back\.%s: 1 cell, [\d.]+ k?B, version 1, \d+ ms\n"
        assert re.fullmatch(line % ending, told)
        rows = shop.good("sql", "-f", "csv", "FROM shop.back.%s ORDER BY id" % ending)
        assert rows == "id,customer,amount\n1,ann,10.5\n2,bob,4.0\n3,ann,2.5\n"
    assert pq.read_table(shop.folder / "out.parquet").column("id").to_pylist() == [1, 2, 3]
    with pa.ipc.open_file(shop.folder / "out.arrow") as reader:
        assert reader.read_all().column("customer").to_pylist() == ["ann", "bob", "ann"]


def test_import_of_folders_patterns_and_partitions(shop: Program) -> None:
    for name in ("a", "b"):
        (shop.folder / "in").mkdir(exist_ok=True)
        (shop.folder / "in" / (name + ".csv")).write_text("k,v\n%s,1\n%s,NA\n" % (name, name))
    told = shop.good("import", "h.b.f", "in", "--partition-by", "k", "--null", "NA")
    assert "imported 4 rows into h.b.f: 2 cells" in told
    shop.good("import", "h.b.f", "in/*.csv", "--null", "NA")
    shop.good("import", "h.b.f", "in/a.csv", "in/b.csv", "--null", "NA", "--format", "csv")
    rows = shop.good(
        "sql", "-f", "csv", "SELECT k, count(*) n, sum(v) s FROM h.b.f GROUP BY k ORDER BY k"
    )
    assert rows == "k,n,s\na,6,3\nb,6,3\n"
    assert (shop.folder / "storage/h/b/f/k=a").is_dir()
    assert "nothing" in shop.bad("import", "h.b.nothing", "in/a.csv", "--no-create")
    shop.good("import", "h.b.f", "in/a.csv", "--overwrite", "--null", "NA")
    assert shop.good("sql", "-f", "csv", "SELECT count(*) AS n FROM h.b.f") == "n\n2\n"


@pytest.mark.parametrize(
    ("sql", "way_out"),
    [
        ("CREATE MACRO m(a) AS a", "a view, or the expression itself"),
    ],
)
def test_statements_that_are_not_supported_name_the_way_out(
    shop: Program, sql: str, way_out: str
) -> None:
    told = shop.bad("sql", sql)
    assert "statements are not supported\nhint: " in told
    assert way_out in told


def test_a_time_before_the_first_version_is_told_as_a_time(shop: Program) -> None:
    query = "SELECT 1 FROM shop.sales.orders AT (TIMESTAMP => '%s')"
    told = shop.bad("sql", query % "1960-02-29 12:00:00.5")
    assert (
        "no version as old as 1960-02-29 12:00:00.500 UTC; the earliest is version 0 of 2" in told
    )
    assert "as old as 1970-01-01 00:00:00.000 UTC" in shop.bad("sql", query % "1970-01-01")


def test_import_explains_csv_files_that_do_not_fit(shop: Program) -> None:
    """The engine's own words show a query nobody wrote and settings that imports do not have."""
    files = {
        "type.csv": "id,customer,amount\nx,eve,1\n",
        "lacks.csv": "id,customer\n1,eve\n",
        "late.csv": "n\n" + "".join("%d\n" % n for n in range(50_000)) + "n/a\n",
        "empty.csv": "",
        "empty.json": "",
    }
    for name, text in files.items():
        (shop.folder / name).write_text(text)
    (shop.folder / "latin.csv").write_bytes(b"id,name\n1,\xe9\n")

    told = shop.bad("import", "shop.sales.orders", "type.csv")
    assert 'file type.csv, line 2, column id: Could not convert string "x"' in told
    told = shop.bad("import", "shop.sales.orders", "lacks.csv")
    assert 'frame shop.sales.orders: the files lack columns of it: "amount"' in told
    told = shop.bad("import", "shop.sales.late", "late.csv")
    assert "file late.csv, line 50002, column n: " in told
    assert "drop frame shop.sales.late" in told
    told = shop.bad("import", "shop.sales.latin", "latin.csv")
    assert "file latin.csv, line 2: " in told and "UTF-8" in told
    for name in ("empty.csv", "empty.json"):
        assert "file %s is empty" % name in shop.bad("import", "shop.sales.none", name)
    told = shop.bad("import", "shop.sales.orders", "orders.csv", "--partition-by", "id")
    assert "frame shop.sales.orders is there and partitioned otherwise" in told
    for name in ("type.csv", "lacks.csv", "latin.csv"):
        told = shop.bad("import", "shop.sales.orders", name)
        assert "LINE 1" not in told and "nullstr" not in told and "sample_size" not in told
    assert "none" not in shop.good("list", "shop.sales")
    assert shop.good("sql", "-f", "csv", "SELECT count(*) n FROM shop.sales.orders") == "n\n3\n"


def test_import_refuses_folders_that_hold_more_than_files(shop: Program) -> None:
    """Taking the files alone would lose partition columns and bring removed rows back."""
    shop.good("import", "shop.sales.parted", "orders.csv", "--partition-by", "customer")
    table = "storage/shop/sales/parted"
    told = shop.bad("import", "h.b.f", table)
    assert "folder '%s' is a Delta table" % table in told and "attach" in told
    (shop.folder / table).rename(shop.folder / "plain")
    shutil.rmtree(shop.folder / "plain" / "_delta_log")
    told = shop.bad("import", "h.b.f", "plain")
    assert "folder 'plain/customer=" in told and "hive_partitioning" in told
    assert shop.good("list") == "shop\n"
    query = "FROM read_parquet('plain/**/*.parquet', hive_partitioning = true)"
    shop.good("export", query, "all.parquet")
    shop.good("import", "h.b.f", "all.parquet")
    rows = shop.good("sql", "-f", "csv", "SELECT id, customer FROM h.b.f ORDER BY id")
    assert rows == "id,customer\n1,ann\n2,bob\n3,ann\n"


def hostile_files(folder: Path) -> dict[str, str]:
    """Broken files, each with what the complaint must name beside the file."""
    rows = ["%d,c%d,%d.5" % (i, i, i) for i in range(3000)]
    for name, at in (("early", 1), ("middle", 50), ("late", 2900)):
        lines = ["id,customer,amount", *rows]
        lines.insert(at, "7,x,1.0,2.0")
        (folder / ("%s.csv" % name)).write_text("\n".join(lines) + "\n")
    (folder / "short.csv").write_text("id,customer,amount\n1,x,2\n2,y\n")
    (folder / "bad.json").write_text('{"id": 1}\n{"id": \n')
    pq.write_table(pa.table({"id": list(range(1000))}), folder / "whole.parquet")
    (folder / "cut.parquet").write_bytes((folder / "whole.parquet").read_bytes()[:-20])
    with pa.ipc.new_file(folder / "whole.arrow", pa.schema([("id", pa.int64())])) as writer:
        writer.write_table(pa.table({"id": list(range(1000))}))
    (folder / "cut.arrow").write_bytes((folder / "whole.arrow").read_bytes()[:300])
    return {
        "early.csv": "line 2",
        "middle.csv": "line 51",
        "late.csv": "line 2901",
        "short.csv": "line 3: 2 fields where the first row has 3",
        "bad.json": "line 3",
        "cut.parquet": "cut.parquet",
        "cut.arrow": "cut.arrow",
    }


def test_hostile_files_are_refused_by_name_and_line(shop: Program) -> None:
    for name, place in hostile_files(shop.folder).items():
        if name == "early.csv":
            place = "fields where the first row has 3"
        for frame in ("shop.sales.orders", "new.box.frame"):
            told = shop.bad("import", frame, name)
            assert name in told, told
            assert place in told, told
    assert shop.good("sql", "-f", "csv", "SELECT count(*) AS n FROM shop.sales.orders") == "n\n3\n"
    versions = json.loads(shop.good("describe", "shop.sales.orders", "--format", "json"))
    assert versions["version"] == 1


def test_attach_a_table_that_delta_rs_wrote(cli: Program) -> None:
    deltalake = pytest.importorskip("deltalake")
    folder = cli.folder / "storage" / "lake" / "orders"
    folder.mkdir(parents=True)
    deltalake.write_deltalake(str(folder), pa.table({"id": [1, 2], "name": ["x", "y"]}))
    made = cli.good("attach", "shop.sales.orders", "lake/orders")
    assert made.endswith("attached frame shop.sales.orders\n")
    assert (
        cli.good("sql", "-f", "csv", "FROM shop.sales.orders ORDER BY id") == "id,name\n1,x\n2,y\n"
    )
    assert "no/such" in cli.bad("attach", "a.b.c", "no/such")
    assert cli.good("list") == "shop\n"


# ------------------------------------------------------------------------------------- formats

VALUES = """
SELECT * FROM (VALUES
  (1::TINYINT, 0.1::DOUBLE, 1.5::FLOAT, 'plain', true, DATE '2024-02-29', 1.10::DECIMAL(10,2)),
  ((-128)::TINYINT, 'inf'::DOUBLE, 'nan'::FLOAT, 'a "quoted", one', false, DATE '0001-01-01',
   (-0.05)::DECIMAL(10,2)),
  (NULL, -1e300::DOUBLE, 3.4028235e38::FLOAT, '', NULL, NULL, NULL),
  (127::TINYINT, NULL, NULL, E'line\\nbreak 日本', true, DATE '9999-12-31', 99999999.99)
) AS t(i, d, f, s, b, day, amount)
"""


def test_csv_reads_back(cli: Program) -> None:
    rows = list(csv.reader(io.StringIO(cli.good("sql", "-f", "csv", VALUES), newline="")))
    assert rows[0] == ["i", "d", "f", "s", "b", "day", "amount"]
    assert rows[1] == ["1", "0.1", "1.5", "plain", "true", "2024-02-29", "1.10"]
    assert rows[2][1:5] == ["inf", "nan", 'a "quoted", one', "false"]
    assert rows[3] == ["", "-1e+300", "3.4028235e+38", "", "", "", ""]
    assert rows[4][3] == "line\nbreak 日本"
    alone = cli.good(
        "sql", "-f", "csv", "--no-header", "SELECT NULL UNION ALL SELECT 'x' ORDER BY 1"
    )
    assert list(csv.reader(io.StringIO(alone))) == [["x"], [""]]


def test_json_reads_back(cli: Program) -> None:
    def strict(name: str) -> None:
        raise AssertionError(name + " is no JSON")

    text = cli.good("sql", "-f", "json", VALUES)
    rows = json.loads(text, parse_constant=strict)
    assert rows[0] == dict(
        zip("i d f s b day amount".split(), [1, 0.1, 1.5, "plain", True, "2024-02-29", 1.1])
    )
    assert '"amount": 1.10' in text
    assert (rows[1]["d"], rows[1]["f"]) == (None, None)
    assert rows[3]["s"] == "line\nbreak 日本"
    lines = cli.good("sql", "-f", "ndjson", VALUES).splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert json.loads(cli.good("sql", "-f", "json", "SELECT 1 WHERE false")) == []
    twice = json.loads(cli.good("sql", "-f", "json", "SELECT 1 AS a, 2 AS a, 3 AS a_1"))
    assert sorted(twice[0].values()) == [1, 2, 3]


def test_arrow_reads_back(cli: Program) -> None:
    command = [str(cli.path), "sql", "-f", "arrow", VALUES]
    data = subprocess.run(command, env=cli.environment, capture_output=True, check=True).stdout
    table = pa.ipc.open_stream(data).read_all()
    assert table.schema.field("amount").type == pa.decimal128(10, 2)
    assert table.column("s").to_pylist()[3] == "line\nbreak 日本"
    assert table.column("day").to_pylist()[0] == datetime.date(2024, 2, 29)
    assert math.isinf(table.column("d").to_pylist()[1])


# Each with the text of its value, in CSV and table, and its JSON.
TYPES = [
    ("18446744073709551615::UBIGINT", "18446744073709551615", 18446744073709551615),
    ("170141183460469231731::HUGEINT", "170141183460469231731", 170141183460469231731),
    ("TIMESTAMP '2024-01-31 04:05:06.789'", "2024-01-31 04:05:06.789", None),
    ("TIMESTAMP_NS '2024-01-31 04:05:06.123456789'", "2024-01-31 04:05:06.123456789", None),
    ("TIMESTAMP_S '1969-12-31 23:59:59'", "1969-12-31 23:59:59", None),
    ("TIMESTAMPTZ '2024-01-31 04:05:06+02'", "2024-01-31 02:05:06+00", None),
    ("'infinity'::TIMESTAMP", "infinity", None),
    ("TIME '23:59:59.5'", "23:59:59.5", None),
    ("INTERVAL '1 year 2 days 3 hours'", "1 year 2 days 03:00:00", None),
    ("'\\x00\\xFF'::BLOB", "\\x00ff", None),
    ("'0f5e1d2c-0000-4000-8000-000000000001'::UUID", "0f5e1d2c-0000-4000-8000-000000000001", None),
    ("'b'::ENUM('a', 'b')", "b", None),
    ("[1, NULL, 3]", "[1, null, 3]", [1, None, 3]),
    ("[[1], []]", "[[1], []]", [[1], []]),
    ("array_value(1, 2)", "[1, 2]", [1, 2]),
    ("{'a': 1, 'b': 'x\"y'}", '{"a": 1, "b": "x\\"y"}', {"a": 1, "b": 'x"y'}),
    ("MAP {'k': [DATE '2024-01-01']}", '{"k": ["2024-01-01"]}', {"k": ["2024-01-01"]}),
    ("MAP {1: true}", '{"1": true}', {"1": True}),
    ("union_value(n := 2)", "2", 2),
    ("'x'::BIT", None, None),
    ("1e-7::DOUBLE", "1e-07", 1e-7),
    ("1e15::DOUBLE", "1000000000000000.0", 1e15),
]


def test_values_of_every_type(cli: Program) -> None:
    wanted = [case for case in TYPES if case[1] is not None]
    sql = "SELECT " + ", ".join("%s AS c%d" % (case[0], i) for i, case in enumerate(wanted))
    plain = next(csv.reader(io.StringIO(cli.good("sql", "-f", "csv", "--no-header", sql))))
    parsed = json.loads(cli.good("sql", "-f", "json", sql))[0]
    for i, (expression, text, value) in enumerate(wanted):
        assert plain[i] == text, expression
        assert parsed["c%d" % i] == (text if value is None else value), expression


def test_values_agree_with_the_engine_s_own_text(cli: Program) -> None:
    """Dates, timestamps, times and intervals as duckdb casts them to text, over a random lot."""
    duckdb = pytest.importorskip("duckdb")
    sql = (
        "SELECT DATE '1970-01-01' + CAST(hash(i) % 3000000 AS INTEGER) - 1000000 AS d, "
        "make_timestamp(CAST(hash(i + 7) % 8000000000000000 AS BIGINT) - 3000000000000000) AS ts, "
        "CAST(hash(i) % 1000000 AS INTEGER) / 1000.0 AS x, "
        "CAST(hash(i) % 100000 AS INTEGER) * INTERVAL '1 hour 1 second' AS v "
        "FROM range(2000) AS t(i)"
    )
    ours = list(csv.reader(io.StringIO(cli.good("sql", "-f", "csv", "--no-header", sql))))
    text = "SELECT d::VARCHAR, ts::VARCHAR, x::VARCHAR, v::VARCHAR FROM (%s)" % sql
    theirs = [list(row) for row in duckdb.sql(text).fetchall()]
    assert ours == theirs


def test_table(cli: Program) -> None:
    told = cli.good(
        "sql", "SELECT 1 AS n, 'é日本' AS word, NULL AS nothing, 'NULL' AS text, E'a\\tb' AS tab"
    )
    assert told == (
        "┌───────┬────────┬─────────┬────────┬────────┐\n"
        "│     n │ word   │ nothing │ text   │ tab    │\n"
        "│ int32 │ string │ int32   │ string │ string │\n".replace("│ int32   │", "│   int32 │")
        + "├───────┼────────┼─────────┼────────┼────────┤\n"
        '│     1 │ é日本  │    NULL │ "NULL" │ a\\tb   │\n'
        "└───────┴────────┴─────────┴────────┴────────┘\n"
        "(1 row)\n"
    ).replace("│ nothing │", "│ nothing │")
    cut = cli.good("sql", "-n", "4", "SELECT i FROM range(1000) AS t(i) ORDER BY i").splitlines()
    assert [line.strip("│ ") for line in cut[4:9]] == ["0", "1", "…", "998", "999"]
    assert cut[-1] == "(1,000 rows, 4 shown; --max-rows 0 shows all)"
    bare = cli.good("sql", "--no-header", "SELECT 1")
    assert bare == "┌───┐\n│ 1 │\n└───┘\n"
    assert "(0 rows)" in cli.good("sql", "SELECT 1 WHERE false")


def test_long_tables_do_not_stay_in_memory(cli: Program) -> None:
    rows = cli.good("sql", "SELECT i FROM range(30000) AS t(i) ORDER BY i").splitlines()
    assert len(rows) == 30000 + 6
    assert {len(line) for line in rows[:-1]} == {len(rows[0])}


def test_markdown(cli: Program) -> None:
    told = cli.good("sql", "-f", "markdown", "SELECT 1 AS n, E'a|b\\nc' AS s, NULL AS x")
    assert told == "| n | s | x |\n| ---: | --- | ---: |\n| 1 | a\\|b<br>c | NULL |\n"


# ----------------------------------------------------------------------------------------- sql


def test_sql_from_files_and_standard_input(cli: Program) -> None:
    (cli.folder / "q.sql").write_text("SELECT 1 AS a;\nSELECT 2 AS b -- the last\n;\n")
    assert cli.good("sql", "-f", "csv", "--file", "q.sql") == "b\n2\n"
    assert cli.good("sql", "-f", "csv", "-", stdin="SELECT 3 AS c") == "c\n3\n"
    assert cli.good("sql", "-f", "csv", "--file", "-", stdin="SELECT 3 AS c") == "c\n3\n"
    assert "cannot open 'none.sql'" in cli.bad("sql", "--file", "none.sql")
    cli.bad("sql", "--file", "q.sql", "SELECT 1", status=2)
    assert cli.good("sql", "CREATE HIVE h") == "created hive h\n"
    assert cli.good("sql", "-f", "csv", "CREATE HIVE g") == ""


def test_parameters(shop: Program) -> None:
    def one(sql: str, *parameters: str) -> object:
        words = [word for value in parameters for word in ("--param", value)]
        return next(iter(json.loads(shop.good("sql", "-f", "json", sql, *words))[0].values()))

    assert one("SELECT count(*) FROM shop.sales.orders WHERE amount > $1", "3") == 2
    assert one("SELECT count(*) FROM shop.sales.orders WHERE customer = ?", "ann") == 2
    assert one("SELECT typeof($1) || typeof($2)", "5", "'5'") == "BIGINTVARCHAR"
    assert one("SELECT $1", "-2.50") == -2.5
    assert one("SELECT $1", "1e3") == 1000
    assert one("SELECT $1", "NULL") is None
    assert one("SELECT $yes AND NOT $no", "yes=true", "no=false") is True
    assert one("SELECT $t", "t=a=b; DROP HIVE shop") == "a=b; DROP HIVE shop"
    assert one("SELECT $1", "2024-01-01") == "2024-01-01"
    assert shop.bad("sql", "SELECT $1").startswith("apiary: ")


# ------------------------------------------------------------------- readers, writers, interrupts


def test_a_reader_that_leaves_is_no_failure(cli: Program) -> None:
    for form in ("table", "csv", "json", "ndjson", "markdown", "arrow"):
        command = "set -o pipefail; apiary sql -f %s 'FROM range(3000000)' | head -c 1000" % form
        done = subprocess.run(["bash", "-c", command], env=cli.environment, capture_output=True)
        assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", 1000), form


def test_a_full_disk_is_a_failure(cli: Program) -> None:
    for words in (["sql", "SELECT 1"], ["sql", "-f", "arrow", "SELECT 1"], ["status"], ["--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [str(cli.path), *words], env=cli.environment, stdout=full, stderr=subprocess.PIPE
            )
        assert done.returncode == 1
        assert b"cannot write to standard output" in done.stderr


def wait_until(condition: object, seconds: float = 60) -> None:
    """Wait for another process: there is no clock of its to be had."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def cpu_seconds(pid: int) -> float:
    fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_ends_a_query(cli: Program) -> None:
    sql = "SELECT count(*) FROM range(100000000000) AS t(i) WHERE hash(i) = 1"
    process = subprocess.Popen(
        [str(cli.path), "sql", sql],
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: cpu_seconds(process.pid) > 0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert b"cancelled" in err


def test_ctrl_c_ends_an_import_and_nothing_is_written(cli: Program) -> None:
    cli.good("create", "h.b.f", "--columns", "i int64, s string")
    with (cli.folder / "big.csv").open("w") as big:
        big.write("i,s\n")
        big.writelines("%d,%s\n" % (i, "x" * 40) for i in range(2000000))
    process = subprocess.Popen(
        [str(cli.path), "import", "h.b.f", "big.csv"],
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: cpu_seconds(process.pid) > 0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b""), err
    assert cli.good("sql", "-f", "csv", "SELECT count(*) AS n FROM h.b.f") == "n\n0\n"
    left = [p for p in (cli.folder / "storage/h/b/f").rglob("*.parquet") if "_delta" not in str(p)]
    assert left == []


# ------------------------------------------------------------------------------- speed and memory


def test_start_is_fast(cli: Program) -> None:
    cli.good("sql", "SELECT 42")
    times = []
    while len(times) < 30 and min(times, default=1) >= 0.060:  # a busy machine gets more chances
        start = time.perf_counter()
        cli.good("sql", "SELECT 42")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.060, times


def test_idle_memory(shop: Program) -> None:
    process = subprocess.Popen(
        [str(shop.path), "shell", "--format", "csv"],
        env=shop.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"SELECT sum(amount) AS s FROM shop.sales.orders;\n")
    process.stdin.flush()
    assert process.stdout.readline() + process.stdout.readline() == b"s\n17.0\n"
    status = Path("/proc/%d/status" % process.pid).read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert resident < 64 * 1024


# ----------------------------------------------------------------------------------- the document


def test_the_document_s_examples(cli: Program) -> None:
    """Every console block of docs/cli.md, in order; "..." stands for anything within it."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    for block in blocks:
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=cli.folder,
                env=cli.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
            )
            pattern = re.escape(expected.rstrip("\n")).replace(re.escape("..."), ".*?")
            assert re.fullmatch(pattern, done.stdout.rstrip("\n"), re.DOTALL), (
                command,
                done.stdout,
            )
