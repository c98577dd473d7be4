# SPDX-License-Identifier: Apache-2.0
"""The DB-API: what PEP 249 asks for, by its public test suite and tests of our own."""

from __future__ import annotations

import datetime
import importlib.util
import itertools
import pickle
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import apiary
import pyarrow as pa
import pytest
from apiary import Apiary, _text, dbapi
from test_refcount import stays

SUITE = Path(__file__).resolve().parents[2] / "build/deps/dbapi-compliance/dbapi20.py"


def load_suite() -> Any:
    spec = importlib.util.spec_from_file_location("dbapi20", SUITE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestCompliance(load_suite().DatabaseAPI20Test):  # type: ignore[misc]
    """The public suite; what it leaves to drivers is overridden here."""

    driver = dbapi

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        with Apiary("x", tmp_path) as ap:
            ap.create_hive("h").create_box("b")
        self.connect_kw_args = {"storage": str(tmp_path), "hive": "h", "box": "b"}

    def executeDDL2(self, cursor: Any) -> None:
        """What creates is not part of transactions."""
        cursor.connection.commit()
        super().executeDDL2(cursor)

    def test_nextset(self) -> None:
        """Cursors have no nextset."""
        assert not hasattr(dbapi.Cursor, "nextset")

    def test_setoutputsize(self) -> None:
        """It does nothing."""
        with dbapi.connect(**self.connect_kw_args) as connection:
            connection.cursor().setoutputsize(10)


class TestComplianceOfAutocommit(TestCompliance):
    """The same where every statement is committed when it ends."""

    @pytest.fixture(autouse=True)
    def commits(self, folder: None) -> None:
        self.connect_kw_args["autocommit"] = True

    def executeDDL2(self, cursor: Any) -> None:
        """As the suite has it."""
        super(TestCompliance, self).executeDDL2(cursor)


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    with dbapi.connect("x", tmp_path) as connection:
        connection.execute("CREATE HIVE h; CREATE BOX h.b; USE h.b")
        yield connection


def test_description_and_types(connection: dbapi.Connection) -> None:
    cursor = connection.execute(
        "SELECT 1 AS i, 'x' AS t, 1.50::DECIMAL(5,2) AS d, DATE '2026-01-31' AS day, "
        "''::BLOB AS b, true AS flag, [1] AS l, TIMESTAMPTZ '2026-01-31' AS at"
    )
    assert cursor.description is not None
    assert [column[:2] for column in cursor.description] == [
        ("i", "int32"), ("t", "string"), ("d", "decimal(5,2)"), ("day", "date"), ("b", "binary"),
        ("flag", "boolean"), ("l", "list<int32>"), ("at", "timestamp[us, UTC]"),
    ]  # fmt: skip
    assert cursor.description[2][4:6] == (5, 2)
    kinds = [dbapi.NUMBER, dbapi.STRING, dbapi.NUMBER, dbapi.DATETIME, dbapi.BINARY, dbapi.NUMBER]
    for (_, word, *_), kind in zip(cursor.description, kinds):
        assert word == kind
        assert [word == other for other in (dbapi.STRING, dbapi.NUMBER, dbapi.BINARY)] == [
            kind is other for other in (dbapi.STRING, dbapi.NUMBER, dbapi.BINARY)
        ]
    assert cursor.description[7][1] == dbapi.DATETIME
    assert cursor.description[6][1] not in (dbapi.NUMBER, dbapi.STRING, dbapi.ROWID)
    assert cursor.rowcount == 1


def test_parameters(connection: dbapi.Connection) -> None:
    execute = connection.execute
    assert execute("SELECT ? + 1, '?', /* ? */ ?", [1, "a"]).fetchall() == [(2, "?", "a")]
    found = execute("SELECT :a, $b, :a::VARCHAR, ':a', [7, 8, 9][1:2]", {"a": 1, "b": 2, "c": 3})
    assert found.fetchall() == [(1, 2, "1", ":a", [7, 8])]
    assert execute(
        "SELECT {'a':1}['a'], x.y FROM (SELECT {'y': :y} AS x)", {"y": 5}
    ).fetchall() == [(1, 5)]
    with pytest.raises(dbapi.ProgrammingError):
        execute("SELECT ?", [])
    with pytest.raises(dbapi.ProgrammingError):
        execute("SELECT :a", {"b": 1})


def test_fetching_more_than_a_batch(connection: dbapi.Connection) -> None:
    query = "SELECT range AS n FROM range(200000)"
    cursor = connection.cursor()
    cursor.execute(query)
    assert cursor.rowcount == -1
    assert cursor.fetchone() == (0,)
    assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
    assert cursor.fetchmany() == [(4,)]
    assert list(itertools.islice(cursor, 70_000))[-1] == (70_004,)
    assert connection.execute("SELECT 42").fetchall() == [(42,)]
    rest = cursor.fetchall()
    assert (len(rest), rest[0], rest[-1]) == (129_995, (70_005,), (199_999,))
    assert cursor.fetchone() is None
    cursor.execute(query)
    cursor.fetchmany(10)
    table = cursor.fetch_arrow_table()
    assert table.column("n").to_pylist() == list(range(10, 200_000))
    cursor.execute(query)
    reader = cursor.fetch_record_batch()
    assert isinstance(reader, pa.RecordBatchReader)
    assert sum(batch.num_rows for batch in reader) == 200_000
    empty = connection.execute("SELECT 1 AS a WHERE false")
    assert (empty.rowcount, empty.fetch_arrow_table().num_rows) == (0, 0)
    assert connection.apiary.bee_status()[0]["state"] == "idle"


def test_statements_without_rows(connection: dbapi.Connection) -> None:
    cursor = connection.execute("CREATE FRAME t (a INTEGER)")
    assert cursor.description is None
    with pytest.raises(dbapi.ProgrammingError):
        cursor.fetchall()
    assert connection.execute("SELECT 'x' AS message").fetchall() == [("x",)]
    assert connection.execute("SHOW FRAMES").fetchall() == [("t",)]
    assert connection.execute("-- note\nSELECT 1; /* ; */ SELECT 2;").fetchall() == [(2,)]


def test_changes_and_their_counts(connection: dbapi.Connection) -> None:
    cursor = connection.execute("CREATE FRAME t (a INTEGER, b STRING)")
    assert cursor.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')").rowcount == 2
    assert cursor.description is None
    assert cursor.execute("UPDATE t SET b = ? WHERE a = ?", ["z", 2]).rowcount == 1
    assert cursor.execute("DELETE FROM t WHERE a = :a", {"a": 1}).rowcount == 1
    assert cursor.execute("SELECT * FROM t").fetchall() == [(2, "z")]


def test_statements_that_commit_themselves(connection: dbapi.Connection) -> None:
    connection.autocommit = True
    assert connection.autocommit
    connection.rollback()
    connection.execute("CREATE FRAME t (a INTEGER)")
    connection.commit()
    connection.execute("SELECT 1")
    connection.rollback()
    connection.execute("INSERT INTO t VALUES (1)")
    assert not connection.in_transaction
    with pytest.raises(dbapi.NotSupportedError, match="nothing that can be rolled back"):
        connection.rollback()
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


def rows_seen(connection: dbapi.Connection, query: str = "SELECT a FROM h.b.t ORDER BY a") -> Any:
    """What another session sees."""
    return [row[0] for row in connection.apiary.sql(query)]


def test_transactions(connection: dbapi.Connection) -> None:
    cursor = connection.execute("CREATE FRAME t (a INTEGER); CREATE FRAME u (a INTEGER)")
    assert (connection.autocommit, connection.in_transaction) == (False, False)
    cursor.execute("INSERT INTO t VALUES (?)", [1])
    cursor.executemany("INSERT INTO t VALUES (?)", [(2,), (3,)])
    cursor.execute("WITH d AS (SELECT 3 AS a) DELETE FROM t USING d WHERE t.a = d.a")
    assert cursor.rowcount == 1
    assert cursor.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]
    assert (rows_seen(connection), versions(connection)) == ([], 1)
    with pytest.raises(dbapi.NotSupportedError, match=r"cannot change frame u too.*autocommit"):
        cursor.execute("INSERT INTO u VALUES (1)")
    with pytest.raises(dbapi.Error, match=r"cannot be part of a transaction.*COMMIT or"):
        cursor.execute("CREATE FRAME v (a INTEGER)")
    connection.commit()
    assert (rows_seen(connection), versions(connection)) == ([1, 2], 2)
    cursor.execute("UPDATE t SET a = a * 10")
    connection.rollback()
    connection.rollback()
    assert (rows_seen(connection), connection.in_transaction) == ([1, 2], False)
    cursor.execute("INSERT INTO u VALUES (1)")
    connection.autocommit = True  # commits
    assert rows_seen(connection, "FROM h.b.u") == [1]


def test_reads_of_a_transaction_repeat(connection: dbapi.Connection) -> None:
    connection.execute("CREATE FRAME t (a INTEGER)")
    count = "SELECT count(*) FROM t"
    assert connection.execute(count).fetchall() == [(0,)]
    connection.apiary.sql("INSERT INTO h.b.t VALUES (1)")
    assert connection.execute(count).fetchall() == [(0,)]
    connection.commit()
    assert connection.execute(count).fetchall() == [(1,)]
    connection.execute("CREATE FRAME u (a INTEGER)")  # it has only read: it makes room
    connection.execute("UPDATE t SET a = 2")
    connection.apiary.sql("UPDATE h.b.t SET a = 3")
    with pytest.raises(dbapi.OperationalError) as caught:
        connection.commit()
    assert isinstance(caught.value, apiary.Conflict)
    assert (rows_seen(connection), connection.in_transaction) == ([3], False)


def test_several_statements_in_one_text(connection: dbapi.Connection) -> None:
    cursor = connection.execute(
        "CREATE FRAME t (a INTEGER);\nINSERT INTO t VALUES (1); -- ;\nINSERT INTO t VALUES (?)", [2]
    )
    assert (cursor.rowcount, connection.in_transaction) == (1, True)
    connection.rollback()
    assert rows_seen(connection) == []
    with pytest.raises(dbapi.ProgrammingError) as caught:
        connection.execute("SELECT 1;\nSELECT 1; SELECT nope FROM t")
    with pytest.raises(dbapi.ProgrammingError) as plain:
        dbapi.connect(apiary=connection.apiary, hive="h", box="b", autocommit=True).execute(
            "SELECT 1;\nSELECT 1; SELECT nope FROM t"
        )
    assert str(caught.value) == str(plain.value)


def test_a_block_commits_or_rolls_back(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"storage": tmp_path, "hive": "h", "box": "b"}
    with dbapi.connect("x", tmp_path) as connection:
        connection.execute("CREATE HIVE h; CREATE BOX h.b; CREATE FRAME h.b.t (a INTEGER)")
    with dbapi.connect("x", **arguments) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError), dbapi.connect("x", **arguments) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        raise ZeroDivisionError
    connection = dbapi.connect("x", **arguments)
    connection.execute("INSERT INTO t VALUES (3)")
    connection.close()  # without a commit
    with dbapi.connect("x", **arguments) as connection:
        assert rows_seen(connection) == [1]


def test_transactions_as_blocks(ap: Apiary, orders: apiary.Frame) -> None:
    ap.sql("USE warehouse.sales")
    before = orders.describe()["version"]
    with ap.transaction() as tx:
        assert (tx.open, tx.result) == (True, None)
        tx.sql("DELETE FROM orders WHERE amount > ?", [80])
        tx.sql("INSERT INTO orders BY NAME SELECT 9 AS order_id")
        assert len(list(tx.sql_stream("FROM orders").rows())) == len(tx.sql("FROM orders")) == 2
        assert len(ap.sql("FROM orders")) == 3
    assert tx.result == {"rows_inserted": 1, "rows_updated": 0, "rows_deleted": 2,
                         "version": before + 1}  # fmt: skip
    assert len(ap.sql("FROM orders")) == 2
    with pytest.raises(apiary.StateError, match="has ended"):
        tx.sql("SELECT 1")
    with pytest.raises(ZeroDivisionError), ap.transaction() as tx:
        tx.sql("TRUNCATE orders")
        raise ZeroDivisionError
    with ap.transaction() as tx:
        tx.sql("TRUNCATE orders")
        tx.rollback()
    ap.sql("CREATE FRAME other (a INTEGER)")
    with pytest.raises(apiary.Unsupported, match="frame other too"), ap.transaction() as tx:
        tx.sql("TRUNCATE orders")
        tx.sql("INSERT INTO other VALUES (1)")
    with pytest.raises(apiary.Conflict), ap.transaction() as tx:
        tx.sql("UPDATE orders SET amount = 1")
        ap.sql("UPDATE orders SET amount = 2")
    assert (repr(tx), orders.describe()["version"]) == ("<Transaction: ended>", before + 2)
    with ap.session() as session:
        session.sql("USE warehouse.sales")
        with session.transaction() as tx:
            tx.sql("TRUNCATE orders")
            assert len(session.sql("FROM orders")) == 0
            assert tx.commit()["rows_deleted"] == 2
        assert not session.in_transaction
    assert len(ap.sql("FROM orders")) == 0


def versions(connection: dbapi.Connection) -> int:
    return len(connection.apiary.frame_history("h", "b", "t"))


def test_many_rows_are_one_commit(connection: dbapi.Connection) -> None:
    types = (
        "a INTEGER, b STRING, c DECIMAL(10,2), d TIMESTAMP, e DOUBLE, f DATE, g BOOLEAN, h BINARY"
    )
    cursor = connection.execute(f"CREATE FRAME t ({types})")
    moment = datetime.datetime(2026, 1, 31, 1, 2, 3, 4)
    rows = [
        (n, None if n % 3 == 0 else f"row '{n}'", Decimal(n) / 4, moment, n / 8, moment.date(),
         n % 2 == 0, bytes([n % 256]))
        for n in range(5000)
    ]  # fmt: skip
    before = versions(connection)
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    assert cursor.rowcount == 5000
    connection.commit()
    assert versions(connection) == before + 1
    assert cursor.execute("SELECT * FROM t ORDER BY a").fetchall() == rows
    cursor.executemany(
        "INSERT INTO t (b, a) VALUES (upper(:b), -:a - 1)", [{"a": 0, "b": "x"}, {"a": 1, "b": "y"}]
    )
    assert cursor.execute("SELECT a, b FROM t WHERE a < 0 ORDER BY a").fetchall() == [
        (-2, "Y"), (-1, "X"),
    ]  # fmt: skip
    cursor.executemany("INSERT INTO t (a) VALUES (?)", [])
    cursor.executemany("INSERT INTO t (a) VALUES (?)", [[None], [None]])
    assert cursor.execute("SELECT count(*) FROM t WHERE a IS NULL").fetchone() == (2,)
    cursor.executemany("UPDATE t SET b = ? WHERE a = ?", [("p", 1), ("q", 2)])
    assert cursor.rowcount == 2


def test_many_rows_of_mixed_types(connection: dbapi.Connection) -> None:
    cursor = connection.execute("CREATE FRAME t (a STRING)")
    cursor.executemany("INSERT INTO t VALUES (?)", [(1,), ("x",), (2.5,)])
    assert cursor.rowcount == 3
    assert cursor.execute("SELECT * FROM t ORDER BY 1").fetchall() == [("1",), ("2.5",), ("x",)]
    with pytest.raises(dbapi.ProgrammingError):
        cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (1, 2)])
    with pytest.raises(dbapi.ProgrammingError, match="give no rows"):
        cursor.executemany("SELECT ?", [(1,), (2,)])
    with pytest.raises(dbapi.DatabaseError):
        cursor.executemany("INSERT INTO t (nope) VALUES (?)", [(1,), (2,)])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO t VALUES (?, ?)", 'INSERT INTO t SELECT "?1", "?2" FROM (SELECT unnest($1) '
         'AS "?1", unnest($2) AS "?2")'),
        ("insert into b (x) values (f(?, '?'));", 'insert into b (x) SELECT f("?1", \'?\') FROM '
         '(SELECT unnest($1) AS "?1")'),
        ("INSERT INTO t VALUES ($n, $n)", 'INSERT INTO t SELECT "?1", "?1" FROM (SELECT unnest($1) '
         'AS "?1")'),
        ("INSERT INTO t VALUES (?), (?)", None),
        ("INSERT INTO t VALUES (1)", None),
        ("INSERT INTO t VALUES ($1)", None),
        ("INSERT INTO t VALUES ((SELECT ?))", None),
        ("INSERT INTO t SELECT ?", None),
        ("INSERT INTO t VALUES (?) RETURNING *", None),
        ("INSERT INTO t VALUES (?); SELECT 1", None),
        ("UPDATE t SET a = ?", None),
        ("INSERT INTO t VALUES (DEFAULT, ?)", None),
        ("", None),
    ],
)  # fmt: skip
def test_which_inserts_take_lists(sql: str, expected: str | None) -> None:
    found = _text.insert_of_lists(list(_text.tokens(sql)), ())
    assert (None if found is None else found.sql) == expected


def test_tokens_are_the_text_again() -> None:
    for sql in (
        "SELECT /* a /* b */ ? */ 1 -- ?\n, E'it\\'s ?', 'it''s ?', $$ ? $$",
        "SELECT \"a?\"\"b\", $x$ $$ ? $x$",
        "SELECT 'open", "/* open", '"open', "$$ open", "a::b :c [1:d] {'e':f} ?1 $2 1e5 é日本",
    ):  # fmt: skip
        pieces = list(_text.tokens(sql))
        assert "".join(piece.text for piece in pieces) == sql
    pieces = list(_text.tokens("SELECT /* a /* b */ ? */ 1 -- ?\n, E'it\\'s ?', \"a?\", $$ ? $$"))
    assert [piece for piece in pieces if piece.kind == "parameter"] == []
    text = "a; /* ; */ b ';' c ;; -- d"
    found = _text.statements(list(_text.tokens(text)))
    assert [[p.text for p in one.pieces] for one in found] == [["a"], ["b", "';'", "c"]]
    assert [text[: one.end] for one in found] == ["a;", "a; /* ; */ b ';' c ;"]


def test_errors_are_of_both_kinds(connection: dbapi.Connection) -> None:
    cases: list[tuple[str, type[Exception], type[Exception]]] = [
        ("SELEC 1", dbapi.ProgrammingError, apiary.SqlSyntaxError),
        ("SELECT nope", dbapi.ProgrammingError, apiary.SqlError),
        ("SELECT * FROM h.b.nope", dbapi.ProgrammingError, apiary.NotFound),
        ("CREATE HIVE h", dbapi.ProgrammingError, apiary.AlreadyExists),
        ("ATTACH 'x'", dbapi.NotSupportedError, apiary.Unsupported),
    ]
    for sql, ours, theirs in cases:
        with pytest.raises(ours) as caught:
            connection.execute(sql)
        assert isinstance(caught.value, theirs)
        assert isinstance(caught.value, dbapi.Error)
        assert isinstance(caught.value.__cause__, theirs)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        assert again.sqlstate == caught.value.sqlstate  # type: ignore[attr-defined]
    with pytest.raises(dbapi.IntegrityError) as broken:
        raise dbapi.of(apiary.SchemaError("a rule", sqlstate="23514"))
    assert isinstance(broken.value, apiary.SchemaError)
    kinds = [kind for kind in vars(apiary.errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, apiary.ApiaryError) and kind is not apiary.ApiaryError:
            assert isinstance(dbapi.of(kind("x")), kind)


def test_closed_ones_say_so(tmp_path: Path) -> None:
    connection = dbapi.connect("x", tmp_path)
    cursor = connection.execute("SELECT 1")
    cursor.close()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchall()
    other = connection.cursor()
    connection.close()
    for call in (connection.close, connection.commit, connection.cursor, other.fetchone):
        with pytest.raises(dbapi.Error):
            call()


def test_connections_share_an_apiary(tmp_path: Path) -> None:
    first = dbapi.connect("x", tmp_path)
    second = dbapi.connect("x", str(tmp_path))
    assert first.apiary is second.apiary
    apiary_of_both = first.apiary
    first.execute("CREATE HIVE h; CREATE BOX h.b; USE h.b; CREATE FRAME t (a INTEGER)")
    with pytest.raises(dbapi.Error):
        second.execute("SELECT * FROM t")  # USE is the first one's own
    first.close()
    assert second.execute("SELECT * FROM h.b.t").fetchall() == []
    second.close()
    assert not apiary_of_both.running
    with Apiary("x", tmp_path) as ap:
        third = dbapi.connect(apiary=ap, hive="h", box="b")
        assert third.execute("SELECT * FROM t").fetchall() == []
        third.close()
        assert ap.running
        with pytest.raises(dbapi.ProgrammingError):
            dbapi.connect(apiary=ap, hive="nope")


def test_threads_share_a_connection(connection: dbapi.Connection) -> None:
    found: list[Any] = []

    def work(number: int) -> None:
        for _ in range(20):
            found.extend(connection.execute("SELECT ?", [number]).fetchall())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [(number,) for number in range(6) for _ in range(20)]


def test_cancelled(connection: dbapi.Connection) -> None:
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    with pytest.raises(dbapi.OperationalError) as caught:
        connection.execute("SELECT count(*) FROM range(1000000000000) t(i) WHERE hash(i) % 7 = 3")
    assert isinstance(caught.value, apiary.Cancelled)
    timer.join()


def test_sessions_of_ones_own(ap: Apiary, orders: apiary.Frame) -> None:
    with ap.session() as session:
        session.sql("USE warehouse.sales")
        assert (session.hive, session.box) == ("warehouse", "sales")
        assert len(session.sql("SELECT * FROM orders")) == 3
        assert (
            len(list(session.sql_stream("SELECT * FROM orders WHERE amount > ?", [80]).rows())) == 2
        )
        with pytest.raises(apiary.ApiaryError):
            ap.sql("SELECT * FROM orders")
        threading.Timer(0.3, ap.cancel).start()
        with pytest.raises(apiary.Cancelled):
            session.sql("SELECT count(*) FROM range(1000000000000) t(i) WHERE hash(i) % 7 = 3")
    with pytest.raises(apiary.StateError, match="closed"):
        session.sql("SELECT 1")
    left = ap.session()
    ap.shutdown()
    with pytest.raises(apiary.StateError):
        left.sql("SELECT 1")


def test_nothing_is_leaked(connection: dbapi.Connection, tmp_path: Path) -> None:
    def work() -> None:
        connection.execute("SELECT range FROM range(100000)").fetchmany(10)
        connection.execute("SELECT :a", {"a": [1, 2]}).fetchall()
        with pytest.raises(dbapi.Error):
            connection.execute("SELECT nope")
        dbapi.connect("x", tmp_path).close()

    stays(work, 40, 12 << 20)


def test_a_transaction_that_stands_open(connection: dbapi.Connection) -> None:
    connection.execute("CREATE HIVE tx; CREATE BOX tx.b; CREATE FRAME tx.b.f (a BIGINT)")
    for end, count in [(connection.rollback, 0), (connection.commit, 1)]:
        connection.execute("BEGIN; INSERT INTO tx.b.f VALUES (1)")
        end()
        assert connection.execute("SELECT count(*) FROM tx.b.f").fetchall() == [(count,)]
        connection.commit()
