# SPDX-License-Identifier: Apache-2.0
"""Every call of the class Apiary and its objects: what it returns and what it leaves behind.

Method: small frames; the results are compared with values written down here.
"""

from __future__ import annotations

import datetime
import os
import pickle
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import apiary
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from apiary import Apiary, Box, Frame

# ---------------------------------------------------------------------------------- lifetime


def test_the_default_storage_lies_below_the_home_folder() -> None:
    with Apiary("my_database") as ap:
        ap.create_hive("h")
    root = Path(os.environ["HOME"]) / ".apiary" / "data" / "my_database"
    assert root.is_dir()
    assert any(root.iterdir())


@pytest.mark.parametrize("scheme", ["", "local://", "file://"])
def test_a_storage_is_a_folder(tmp_path: Path, scheme: str) -> None:
    with Apiary("x", f"{scheme}{tmp_path / 'root'}") as ap:
        ap.create_hive("h")
    with Apiary("x", tmp_path / "root") as again:
        assert again.list_hives() == ["h"]


def test_start_and_shutdown_may_be_repeated(tmp_path: Path) -> None:
    ap = Apiary("x", tmp_path)
    assert ap.start() is None
    assert ap.start() is None
    assert ap.running
    ap.create_hive("h")
    assert ap.shutdown() is None
    assert ap.shutdown() is None
    assert not ap.running
    ap.start()
    assert ap.list_hives() == ["h"]
    ap.shutdown()
    assert "stopped" in repr(ap)


def test_settings_reach_the_library(tmp_path: Path) -> None:
    with Apiary("x", tmp_path, memory="512MiB", bees=1) as ap:
        status = ap.status()
        assert status["cores"] == status["bees"] == 1
        assert status["memory_gb"] == pytest.approx(0.536870912)
        assert len(ap.bee_status()) == 1


def test_the_environment_names_storage_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIARY_STORAGE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("APIARY_NAME", "named")
    monkeypatch.setenv("APIARY_MEMORY", "1GB")
    with Apiary() as ap:
        assert ap.status()["name"] == "named"
        assert ap.status()["memory_gb"] == pytest.approx(1.0)
        assert str(tmp_path / "elsewhere") in ap.status()["storage"]


def test_an_apiary_that_is_forgotten_is_closed_at_exit(tmp_path: Path) -> None:
    script = (
        "import apiary, sys\n"
        "ap = apiary.Apiary('x', sys.argv[1]); ap.start()\n"
        "ap.create_hive('h').create_box('b').create_frame('f', {'a': 'int64'}).write({'a': [1]})\n"
        "print(ap.sql('SELECT a FROM h.b.f').fetchall())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[(1,)]\n", "")


# ----------------------------------------------------------------------------------- reports


def test_reports_have_the_documented_members(ap: Apiary) -> None:
    status = ap.status()
    for key in (
        "name node_id state cores memory_gb bees storage memory_per_bee_mb target_cell_size_mb"
    ).split():
        assert key in status
    assert status["name"] == "test"
    assert 1 <= status["cores"] <= (os.cpu_count() or 1)
    bees = ap.bee_status()
    assert [bee["bee_id"] for bee in bees] == [f"bee-{i}" for i in range(status["bees"])]
    for bee in bees:
        assert bee["state"] in ("idle", "busy")
        assert bee["memory_budget"] > 0
        assert {"memory_used", "memory_used_mb", "memory_budget_mb"} <= bee.keys()
    swarm = ap.swarm_status()
    assert swarm["alive"] == 1
    assert swarm["total_bees"] == len(bees)
    assert {"total_idle_bees", "total_memory_gb"} <= swarm.keys()
    for (
        key
    ) in "node_id state bees idle_bees cores memory_gb memory_pressure colony_temperature".split():
        assert key in swarm["nodes"][0]
    colony = ap.colony_status()
    assert colony["regulation"] in ("cold", "ideal", "warm", "hot", "critical")
    assert colony["setpoint"] == 0.5
    assert colony["abandoned_tasks"] == 0
    assert 0.0 <= colony["temperature"] <= 1.0


# --------------------------------------------------------------------- hives, boxes and frames


def test_the_ten_lines(ap: Apiary, orders: Frame) -> None:
    query = "SELECT customer, SUM(amount) FROM warehouse.sales.orders GROUP BY customer"
    assert sorted(ap.sql(query)) == [("alice", 175.0), ("bob", 250.0)]


def test_creating_is_idempotent_and_lists_are_sorted(ap: Apiary) -> None:
    for name in ("b", "a", "c", "a"):
        ap.create_hive(name)
    for name in ("b", "a", "c", "a"):
        ap.create_box("a", name)
    for name in ("y", "x", "y"):
        ap.create_frame("a", "b", name, {"v": "int64"})
    assert ap.list_hives() == ["a", "b", "c"]
    assert ap.list_boxes("a") == ["a", "b", "c"]
    assert ap.list_boxes("b") == []
    assert ap.list_frames("a", "b") == ["x", "y"]
    assert ap.list_frames("a", "a") == []


def test_both_vocabularies_are_one(ap: Apiary) -> None:
    ap.create_database("d")
    ap.create_schema("d", "s")
    ap.create_table("d", "s", "t", {"v": "int64"}, partition_by=None)
    ap.write_to_table("d", "s", "t", {"v": [1, 2]})
    ap.overwrite_table("d", "s", "t", {"v": [3]})
    assert ap.list_databases() == ap.list_hives() == ["d"]
    assert ap.list_schemas("d") == ap.list_boxes("d") == ["s"]
    assert ap.list_tables("d", "s") == ap.list_frames("d", "s") == ["t"]
    assert ap.get_table("d", "s", "t") == ap.get_frame("d", "s", "t")
    assert ap.read_from_table("d", "s", "t").to_pylist() == [{"v": 3}]
    ap.rename_table("d", "s", "t", "u")
    ap.rename_schema("d", "s", "r")
    ap.rename_database("d", "e")
    assert ap.sql("SELECT v FROM e.r.u").fetchall() == [(3,)]
    ap.drop_table("e", "r", "u")
    ap.drop_schema("e", "r")
    ap.drop_database("e")
    assert ap.list_hives() == []


def test_get_frame(ap: Apiary, box: Box) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    box.create_frame(
        "f",
        {"region": "text", "n": "bigint not null"},
        ["region"],
        description="numbers",
        properties={"delta.appendOnly": "false"},
    )
    ap.write_to_frame("warehouse", "sales", "f", {"region": ["n", "s", "n"], "n": [1, 2, 3]})
    found = ap.get_frame("warehouse", "sales", "f")
    assert found["name"] == "f"
    assert found["schema"] == {"region": "string", "n": "int64 not null"}
    assert found["partition_by"] == ["region"]
    assert found["max_partitions"] == 10_000
    assert found["cell_count"] == 2
    assert found["row_count"] == 3
    assert found["version"] == 1
    assert found["description"] == "numbers"
    assert found["properties"]["delta.appendOnly"] == "false"
    assert Path(found["location"]).is_dir()
    cells = list(Path(found["location"]).rglob("*.parquet"))
    assert found["total_bytes"] == sum(cell.stat().st_size for cell in cells)
    created = datetime.datetime.fromisoformat(found["created_at"].replace("Z", "+00:00"))
    assert before - datetime.timedelta(seconds=2) <= created
    assert created <= datetime.datetime.now(datetime.timezone.utc)


def test_a_schema_may_come_from_arrow(box: Box) -> None:
    schema = pa.schema(
        [
            pa.field("a", pa.int32(), nullable=False),
            ("b", pa.list_(pa.string())),
            ("c", pa.decimal128(10, 2)),
        ]
    )
    frame = box.create_frame("f", schema)
    assert frame.describe()["schema"] == {
        "a": "int32 not null",
        "b": "list<string>",
        "c": "decimal(10,2)",
    }
    assert frame.schema.names == ["a", "b", "c"]
    assert frame.schema.field("a").type == pa.int32()


def test_writing_tells_what_it_did(orders: Frame) -> None:
    done = orders.write({"order_id": [4], "customer": [None], "amount": [1.0]})
    assert done["version"] == 2
    assert done["cells_written"] == 1
    assert done["rows_written"] == 1
    assert done["bytes_written"] > 0
    assert done["duration_ms"] > 0
    assert 0.0 <= done["temperature"] <= 1.0
    assert done["skipped"] is False


def test_a_numbered_write_is_applied_once(orders: Frame) -> None:
    row = {"order_id": [9], "customer": ["eve"], "amount": [0.5]}
    assert not orders.write(row, app_id="job", app_version=7)["skipped"]
    assert orders.write(row, app_id="job", app_version=7)["skipped"]
    assert orders.read({"order_id": 9}).num_rows == 1


def test_overwriting_whole_and_in_part(box: Box) -> None:
    frame = box.create_frame("f", {"region": "string", "n": "int64"}, "region")
    frame.write({"region": ["n", "s", "s"], "n": [1, 2, 3]})
    done = frame.overwrite({"region": ["s"], "n": [20]}, where={"region": "s"})
    assert done["cells_removed"] == 1
    assert sorted(frame.read().to_pydict()["n"]) == [1, 20]
    frame.overwrite({"region": ["s"], "n": [30]}, "region = 's'")
    assert sorted(frame.read().to_pydict()["n"]) == [1, 30]
    frame.overwrite({"region": ["w"], "n": [9]})
    assert frame.read().to_pylist() == [{"region": "w", "n": 9}]


def test_reading_by_filter_columns_and_version(box: Box) -> None:
    frame = box.create_frame("f", {"region": "string", "n": "int64", "day": "date"}, ["region"])
    day = datetime.date(2026, 1, 31)
    first = frame.write({"region": ["n", "s"], "n": [1, 2], "day": [day, None]})
    frame.write({"region": ["it's"], "n": [3], "day": [day]})

    def numbers(*args: object, **options: object) -> list[int]:
        return sorted(frame.read(*args, **options).to_pydict()["n"])  # type: ignore[arg-type]

    assert numbers() == [1, 2, 3]
    assert numbers({"region": "n"}) == [1]
    assert numbers({"region": ["n", "s"]}) == [1, 2]
    assert numbers({"region": "it's"}) == [3]
    assert numbers({"region": ["n", "s"], "n": [2, 3]}) == [2]
    assert numbers({"day": None}) == [2]
    assert numbers({"day": [None, day]}) == [1, 2, 3]
    assert numbers({"day": day}) == [1, 3]
    assert numbers({"region": []}) == []
    assert numbers({}) == [1, 2, 3]
    assert numbers("n > 1 AND region <> 's'") == [3]
    assert numbers(version=first["version"]) == [1, 2]
    assert numbers(version=0) == []
    assert frame.read(columns=["day", "n"]).column_names == ["day", "n"]


def test_reading_by_timestamp(orders: Frame) -> None:
    stamp = orders.history()[0]["timestamp"].replace("Z", "+00:00")
    written = datetime.datetime.fromisoformat(stamp)
    later = written + datetime.timedelta(days=1)
    assert orders.read(timestamp=written).num_rows == 3
    assert orders.read(timestamp=written.astimezone().isoformat(" ")).num_rows == 3
    assert orders.read(timestamp=written.replace(tzinfo=None)).num_rows == 3
    assert orders.read(timestamp=later).num_rows == 3


def test_an_empty_frame_has_its_columns(ap: Apiary, box: Box) -> None:
    box.create_frame("f", {"a": "int64", "b": "list<string>"})
    table = ap.read_from_frame("warehouse", "sales", "f")
    assert isinstance(table, pa.Table)
    assert table.num_rows == 0
    assert table.schema.names == ["a", "b"]
    assert table.schema.field("a").type == pa.int64()
    assert ap.sql("SELECT * FROM warehouse.sales.f").to_arrow().schema == table.schema


def test_history(orders: Frame) -> None:
    orders.overwrite({"order_id": [1], "customer": ["x"], "amount": [1.0]}, user_metadata="why")
    history = orders.history()
    assert [entry["version"] for entry in history] == [2, 1, 0]
    assert history[0]["user_metadata"] == "why"
    assert isinstance(history[0]["parameters"], dict)
    assert [entry["version"] for entry in orders.history(limit=1)] == [2]
    assert orders.checkpoint() == 2


def test_renaming_and_dropping(ap: Apiary, orders: Frame) -> None:
    orders.rename("sold")
    assert orders.name == "sold"
    assert ap.list_frames("warehouse", "sales") == ["sold"]
    assert orders.read().num_rows == 3
    with pytest.raises(apiary.ApiaryError):
        ap.drop_hive("warehouse")
    orders.drop()
    with pytest.raises(apiary.NotFound):
        orders.drop()
    orders.drop(if_exists=True)
    orders_again = ap.hive("warehouse").box("sales").create_frame("sold", {"v": "int8"})
    assert orders_again.read().num_rows == 0
    ap.drop_hive("warehouse", cascade=True)
    assert ap.list_hives() == []


def test_objects(ap: Apiary) -> None:
    hive = ap.create_hive("w")
    box = hive.create_box("b")
    frame = box.create_frame("f", {"v": "int64"})
    assert [repr(hive), repr(box), repr(frame)] == ["<Hive w>", "<Box w.b>", "<Frame w.b.f>"]
    assert hive.list_boxes() == ["b"]
    assert box.list_frames() == ["f"]
    assert ap.hive("w").box("b").frame("f").describe() == frame.describe()
    for policy in ("block", "error"):
        frame.write({"v": [1]}, backpressure=policy)
    box.rename("c")
    hive.rename("x")
    assert ap.sql("SELECT COUNT(*) FROM x.c.f").fetchall() == [(2,)]
    ap.hive("x").box("c").drop(cascade=True)
    ap.hive("x").drop()


# --------------------------------------------------------------------------------------- SQL


def test_use_holds_for_later_calls(ap: Apiary, orders: Frame) -> None:
    assert ap.sql("USE HIVE warehouse").columns == ["message"]
    assert len(ap.sql("SELECT * FROM sales.orders")) == 3
    assert ap.sql("SHOW BOXES").fetchall() == [("sales",)]
    ap.sql("USE BOX sales")
    assert len(ap.sql("SELECT * FROM orders")) == 3
    assert ap.sql("SHOW FRAMES").to_pylist() == [{"frame": "orders"}]
    assert ap.sql("SHOW HIVES").columns == ["hive"]
    ap.create_hive("other")
    ap.sql("USE HIVE other")
    with pytest.raises(apiary.ApiaryError):
        ap.sql("SELECT * FROM orders")


def test_what_is_used_may_be_dropped(ap: Apiary) -> None:
    ap.create_hive("gone")
    ap.sql("USE HIVE gone")
    ap.drop_hive("gone")
    assert ap.sql("SELECT 1").fetchall() == [(1,)]


def test_statements_that_answer_with_no_rows(ap: Apiary) -> None:
    done = ap.sql("CREATE HIVE h; CREATE BOX h.b; CREATE FRAME h.b.f (a BIGINT, b VARCHAR)")
    assert isinstance(repr(done), str)
    assert ap.list_frames("h", "b") == ["f"]
    rows = dict(ap.sql("DESCRIBE h.b.f").fetchall())
    assert {"schema", "partition_by", "cells", "total_rows", "total_bytes", "version"} <= set(rows)


PARAMETERS = [
    (None, None),
    (True, True),
    (-(2**63), -(2**63)),
    (2**63, 2**63),
    (-(10**37), -(10**37)),
    (0.1, 0.1),
    (float("inf"), float("inf")),
    ("it's \u00fc \U0001f41d \x00 end", "it's \u00fc \U0001f41d \x00 end"),
    ("", ""),
    (b"\x00\xff'", b"\x00\xff'"),
    (bytearray(b"ab"), b"ab"),
    (Decimal("123.450"), Decimal("123.450")),
    (Decimal("-1E+3"), -1000),
    (Decimal("1E-10"), Decimal("1E-10")),
    (datetime.date(1, 1, 1), datetime.date(1, 1, 1)),
    (datetime.date(9999, 12, 31), datetime.date(9999, 12, 31)),
    (datetime.time(23, 59, 59, 999_999), datetime.time(23, 59, 59, 999_999)),
    (datetime.datetime(1, 1, 1, 0, 0, 0, 1), datetime.datetime(1, 1, 1, 0, 0, 0, 1)),
    (
        datetime.datetime(2026, 1, 31, 1, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=2))),
        datetime.datetime(2026, 1, 30, 23, 2, 3, 4, datetime.timezone.utc),
    ),
]


@pytest.mark.parametrize(("given", "expected"), PARAMETERS)
def test_parameters_arrive_as_they_are(ap: Apiary, given: object, expected: object) -> None:
    for query, params in (
        ("SELECT ?", [given]),
        ("SELECT $1", (given,)),
        ("SELECT $x", {"x": given}),
    ):
        ((found,),) = ap.sql(query, params).fetchall()
        assert found == expected
        assert type(found) is type(expected) or isinstance(expected, (int, Decimal))


def test_parameters_select_rows(ap: Apiary, orders: Frame) -> None:
    query = "SELECT order_id FROM warehouse.sales.orders WHERE customer = $who AND amount > $least"
    assert ap.sql(query, {"who": "alice", "least": 80}).fetchall() == [(1,)]


@pytest.mark.parametrize("value", [object(), datetime.timedelta.max, Decimal("NaN"), 10**40])
def test_a_parameter_without_sql_type_is_an_error(ap: Apiary, value: object) -> None:
    with pytest.raises(apiary.InvalidArgument):
        ap.sql("SELECT ?", [value])
    with pytest.raises(TypeError):
        ap.sql("SELECT ?", "text")


# ------------------------------------------------------------------------------------ results


def test_a_result_is_read_as_often_as_one_likes(ap: Apiary) -> None:
    rows = 5000
    result = ap.sql(f"SELECT i, i::VARCHAR AS t FROM range({rows}) r(i)")
    ap.shutdown()
    expected = [(i, str(i)) for i in range(rows)]
    for _ in range(2):
        assert result.fetchall() == expected
        assert list(result) == expected
        assert result.to_pylist() == [{"i": i, "t": t} for i, t in expected]
        assert result.to_arrow().to_pydict() == result.to_pydict()
        assert pa.table(result).num_rows == rows
        assert result.to_pandas()["i"].sum() == sum(range(rows))
        assert result.to_polars()["t"][4999] == "4999"
    assert len(result) == result.num_rows == rows
    assert result.shape == (rows, 2)
    assert result.columns == result.column_names == ["i", "t"]
    assert result.types == ["int64", "string"]
    assert result.schema == pa.schema({"i": pa.int64(), "t": pa.string()})
    assert result[0] == (0, "0")
    assert result[-1] == (4999, "4999")
    assert result["t"][17] == "17"
    with pytest.raises(IndexError):
        result[rows]
    with pytest.raises(KeyError, match="no column 'x'"):
        result["x"]
    assert pickle.loads(pickle.dumps(result)).fetchall() == expected
    assert pa.ipc.open_stream(result.to_ipc()).read_all().num_rows == rows


def test_a_result_shows_itself(ap: Apiary) -> None:
    result = ap.sql("SELECT 1 AS a, '<b>&\nx' AS \"<i>\", NULL AS n")
    assert repr(result).splitlines() == [
        "a     | <i>     | n",
        "int32 | string  | int32",
        "------+---------+------",
        "1     | <b>&\\nx | NULL",
        "(1 row)",
    ]
    html = result._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert "<i>" not in html
    many = ap.sql("SELECT i FROM range(100) r(i)")
    assert "(100 rows, 20 shown)" in repr(many)
    assert many._repr_html_().count("<tr>") == 21


def test_exporting_and_importing(ap: Apiary, orders: Frame, tmp_path: Path) -> None:
    for kind in ("csv", "json", "parquet", "arrow"):
        path = tmp_path / f"out.{kind}"
        assert ap.export("SELECT * FROM warehouse.sales.orders", path) == 3
        with pytest.raises(apiary.AlreadyExists):
            ap.export("SELECT 1", path)
        percents: list[float] = []
        done = ap.import_files("copies", "b", kind, path, progress=percents.append)
        assert done["rows_written"] == 3
        again = ap.hive("copies").box("b").frame(kind)
        assert sorted(again.read().to_pydict()["amount"]) == [75.0, 100.0, 250.0]
        again.import_files([path, path])
        assert again.describe()["row_count"] == 9
    done = ap.import_files("copies", "b", "csv", [tmp_path / "out.csv"], overwrite=True)
    assert ap.get_frame("copies", "b", "csv")["row_count"] == 3


def test_importing_texts_that_mean_null(ap: Apiary, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("n\n1\nNA\n")
    ap.import_files("h", "b", "f", path, null_text="NA")
    frame = ap.hive("h").box("b").frame("f")
    assert frame.read().to_pydict() == {"n": [1, None]}
    frame.import_files(path, null_text="NA", overwrite=True)
    assert frame.read().to_pydict() == {"n": [1, None]}
    with pytest.raises(apiary.ApiaryError, match=r"in\.csv, line 3, column n: "):
        frame.import_files(path)
    with pytest.raises(apiary.InvalidArgument, match="0 bees") as caught:
        Apiary("x", storage=tmp_path / "x", bees=0)
    assert "None for all" in caught.value.hint


def test_importing_into_partitions(ap: Apiary, tmp_path: Path) -> None:
    pa.csv.write_csv(pa.table({"k": ["a", "b", "a"], "v": [1, 2, 3]}), tmp_path / "in.csv")
    ap.import_files("h", "b", "f", str(tmp_path / "*.csv"), partition_by="k")
    assert ap.get_frame("h", "b", "f")["partition_by"] == ["k"]
    assert ap.get_frame("h", "b", "f")["cell_count"] == 2


def test_progress_and_its_errors(ap: Apiary) -> None:
    def refuse(percent: float) -> None:
        raise RuntimeError("no more")

    query = "SELECT COUNT(*) FROM range(300000000) a(i) WHERE hash(i) % 7 = 3"
    with pytest.raises(RuntimeError, match="no more"):
        ap.sql(query, progress=refuse)
    assert ap.sql("SELECT 1").fetchall() == [(1,)]


def test_the_version_is_the_librarys() -> None:
    from apiary import _core

    assert apiary.__version__ == _core.version()
    assert _core.engine_version().startswith("v1.")
