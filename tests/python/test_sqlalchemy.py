# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy over an apiary: tables, queries, the ORM, reflection, pandas both ways.

Method: rows are compared with what was put in, or with SQLite's answer to the same expression.
"""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from apiary import dbapi
from apiary.sqlalchemy import Nested, type_of
from sqlalchemy import orm


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    with dbapi.connect(storage=tmp_path) as connection:
        connection.execute("CREATE HIVE h; CREATE BOX h.b")
    engine = sa.create_engine(f"apiary:///{tmp_path}?hive=h&box=b")
    yield engine
    engine.dispose()


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


TYPES: dict[str, tuple[Any, Any]] = {
    "small": (sa.SmallInteger, -5),
    "normal": (sa.Integer, 2**31 - 1),
    "large": (sa.BigInteger, -(2**63)),
    "real": (sa.Float, 0.125),
    "price": (sa.Numeric(10, 2), Decimal("12.50")),
    "free": (sa.Numeric, Decimal("1.25")),
    "word": (sa.String(20), 'it\'s "so" 日本'),
    "text": (sa.Text, "x\ny"),
    "flag": (sa.Boolean, True),
    "day": (sa.Date, datetime.date(2026, 1, 31)),
    "wall": (sa.DateTime, datetime.datetime(2026, 1, 31, 1, 2, 3, 4)),
    "moment": (
        sa.DateTime(timezone=True),
        datetime.datetime(2026, 1, 31, 1, 2, 3, tzinfo=datetime.timezone.utc),
    ),
    "clock": (sa.Time, datetime.time(1, 2, 3)),
    "raw": (sa.LargeBinary, b"\x00\xff"),
    "many": (sa.ARRAY(sa.Integer), [1, None, 3]),
    "colour": (sa.Enum(Colour), Colour.BLUE),
    "id": (sa.Uuid, uuid.UUID(int=7)),
    "document": (sa.JSON, {"a": [1, None]}),
}


def test_types_there_and_back(engine: sa.Engine) -> None:
    columns = [sa.Column(name, kind) for name, (kind, _) in TYPES.items()]
    table = sa.Table("t", sa.MetaData(), *columns)
    row = {name: value for name, (_, value) in TYPES.items()}
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [row, dict.fromkeys(row)])
        found = connection.execute(sa.select(table).order_by(table.c.large)).mappings().all()
    nothing = dict.fromkeys(row)
    assert [dict(one) for one in found] in ([row, nothing], [nothing, row])
    other = sa.Table("t", sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        again = connection.execute(sa.select(other).where(other.c.small == -5)).mappings().one()
    for name in ("small", "large", "price", "word", "flag", "wall", "moment", "raw", "many"):
        assert again[name] == row[name]


def test_reflection(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'CREATE BOX h.c; CREATE FRAME h.c."Odd Name" (id BIGINT NOT NULL, "Price €" '
            "DECIMAL(9,2), tags STRING[], pair STRUCT(a INTEGER), day DATE) PARTITIONED BY (day)"
        )
    inspector = sa.inspect(engine)
    assert inspector.default_schema_name == "h.b"
    assert inspector.get_schema_names() == ["h.b", "h.c"]
    assert inspector.get_table_names() == []
    assert inspector.get_table_names("h.c") == inspector.get_table_names("c") == ["Odd Name"]
    assert inspector.has_table("Odd Name", "h.c")
    assert not inspector.has_table("Odd Name")
    assert not inspector.has_table("x", "h.nope")
    columns = {column["name"]: column for column in inspector.get_columns("Odd Name", "h.c")}
    assert [str(column["type"]) for column in columns.values() if column["name"] != "tags"] == [
        "BIGINT", "DECIMAL(9, 2)", "struct<a: int32>", "DATE",
    ]  # fmt: skip
    assert isinstance(columns["tags"]["type"], sa.ARRAY)
    assert [column["nullable"] for column in columns.values()] == [False, True, True, True, True]
    assert inspector.get_table_options("Odd Name", "h.c") == {"apiary_partition_by": ["day"]}
    assert inspector.get_pk_constraint("Odd Name", "h.c")["constrained_columns"] == []
    with pytest.raises(sa.exc.NoSuchTableError):
        inspector.get_columns("nope")
    table = sa.Table("Odd Name", sa.MetaData(), schema="h.c", autoload_with=engine)
    row = {"id": 1, "Price €": Decimal("1.50"), "tags": ["a"], "pair": {"a": 1},
           "day": datetime.date(2026, 1, 1)}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(table.insert(), row)
        assert dict(connection.execute(sa.select(table)).mappings().one()) == row
        with pytest.raises(sa.exc.InterfaceError, match="DROP cannot be part of a transaction"):
            table.drop(connection)
        connection.get_transaction().commit()  # type: ignore[union-attr]
    table.drop(engine)
    assert not sa.inspect(engine).has_table("Odd Name", "h.c")
    assert isinstance(type_of("map<string, int64>"), Nested)


def test_views(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE FRAME t (a INTEGER, b STRING)")
        connection.exec_driver_sql('CREATE VIEW "V 1" AS SELECT a + 1 AS c, b FROM t')
        connection.exec_driver_sql("INSERT INTO t VALUES (1, 'x')")
    inspector = sa.inspect(engine)
    assert (inspector.get_table_names(), inspector.get_view_names()) == (["t"], ["V 1"])
    assert inspector.has_table("V 1", "h.b")
    assert [column["name"] for column in inspector.get_columns("V 1")] == ["c", "b"]
    assert "a + 1" in str(inspector.get_view_definition("V 1"))
    with pytest.raises(sa.exc.NoSuchTableError):
        inspector.get_view_definition("t")
    view = sa.Table("V 1", sa.MetaData(), schema="h.b", autoload_with=engine).alias("v")
    with engine.connect() as connection:
        assert connection.execute(sa.select(view)).all() == [(2, "x")]


def test_expressions_as_sqlite_has_them(engine: sa.Engine) -> None:
    t = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("n", sa.Integer),
        sa.Column("word", sa.String),
        sa.Column("x", sa.Float),
    )
    rows = [{"n": n, "word": f"w{n % 4}" if n % 5 else None, "x": n / 4} for n in range(40)]
    u = t.alias("u")
    by_word = sa.select(t.c.word, sa.func.count(), sa.func.sum(t.c.n)).group_by(t.c.word)
    numbered = sa.func.row_number().over(partition_by=t.c.word, order_by=t.c.n)
    ends = sa.union_all(sa.select(t.c.n).where(t.c.n < 3), sa.select(t.c.n).where(t.c.n > 37))
    between = sa.select(t.c.n).where(t.c.n.between(sa.bindparam("low"), sa.bindparam("high")))
    selects = [
        sa.select(t).order_by(t.c.n).limit(5).offset(3),
        sa.select(t).order_by(t.c.n).offset(35),
        by_word.order_by(t.c.word.nulls_first()),
        sa.select(t.c.n).where(t.c.n.in_([1, 2, 99])).order_by(t.c.n),
        sa.select(t.c.n).where(t.c.n.in_([])),
        sa.select(t.c.n).where(t.c.n.not_in([])).order_by(t.c.n),
        sa.select(t.c.n).where(t.c.word.like("w%"), t.c.word.is_not(None)).order_by(t.c.n),
        sa.select(t.c.n).where(t.c.word.ilike("W1")).order_by(t.c.n),
        sa.select((t.c.word + "-" + t.c.word).label("w"), t.c.n % 3).order_by(t.c.n),
        sa.select(t.c.n, u.c.n).join(u, t.c.n == u.c.n + 1).order_by(t.c.n),
        sa.select(sa.func.count()).select_from(t.outerjoin(u, t.c.n == u.c.n * 2)),
        ends.order_by("n"),
        sa.select(sa.case((t.c.n < 5, "low"), else_="high").label("c")).distinct().order_by("c"),
        sa.select(t.c.n, numbered).order_by(t.c.n),
        sa.select(t.c.n).where(sa.exists().where(u.c.n == t.c.n + 39)),
        sa.select(sa.cast(t.c.n, sa.String)).where(t.c.n == 7),
        sa.select(sa.literal("a?b:c%d"), sa.true(), sa.null()).where(t.c.n == 1),
        sa.select(sa.func.coalesce(t.c.word, "none")).order_by(t.c.n).with_for_update(),
        between.params(low=3, high=5).order_by(t.c.n),
    ]  # fmt: skip
    oracle = sa.create_engine("sqlite://")
    found: list[list[list[Any]]] = []
    for one in (engine, oracle):
        with one.begin() as connection:
            t.create(connection)
            connection.execute(t.insert(), rows)
            found.append([[list(row) for row in connection.execute(s)] for s in selects])
    for select, ours, theirs in zip(selects, *found):
        assert ours == theirs, str(select)
    oracle.dispose()


def test_changes(engine: sa.Engine) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("n", sa.Integer), sa.Column("w", sa.String))
    with engine.begin() as connection:
        table.create(connection)
        table.create(connection, checkfirst=True)
        done = connection.execute(table.insert().values([{"n": 1, "w": "a"}, {"n": 2, "w": "b"}]))
        assert done.rowcount == 2
        connection.execute(table.insert(), [{"n": n, "w": str(n)} for n in range(3, 1000)])
        assert connection.execute(table.update().where(table.c.n == 2).values(w="z")).rowcount == 1
        assert connection.execute(table.delete().where(table.c.n > 500)).rowcount == 499
        assert connection.scalar(sa.select(table.c.w).where(table.c.n == 2)) == "z"
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 500
        raw = connection.connection.dbapi_connection
        assert len(raw.apiary.frame_history("h", "b", "t")) == 1  # type: ignore[union-attr]
        with pytest.raises(sa.exc.ProgrammingError) as caught:
            connection.exec_driver_sql("SELECT nope")
        assert isinstance(caught.value.orig, dbapi.ProgrammingError)
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert len(raw.apiary.frame_history("h", "b", "t")) == 2  # type: ignore[union-attr]


def test_transactions(engine: sa.Engine) -> None:
    t, u = (sa.Table(name, sa.MetaData(), sa.Column("n", sa.Integer)) for name in "tu")
    for table in (t, u):
        table.create(engine)

    def seen() -> list[int]:
        with engine.connect() as connection:
            return sorted(connection.scalars(sa.select(t.c.n)))

    with engine.connect() as connection:
        assert connection.get_isolation_level() == "REPEATABLE READ"
        connection.execute(t.insert(), [{"n": 1}, {"n": 2}])
        connection.execute(t.update().where(t.c.n == 2).values(n=3))
        assert (sorted(connection.scalars(sa.select(t.c.n))), seen()) == ([1, 3], [])
        connection.rollback()
        assert sorted(connection.scalars(sa.select(t.c.n))) == []
        connection.execute(t.insert(), {"n": 4})
        connection.commit()
        connection.execute(t.insert(), {"n": 5})  # never committed
    assert seen() == [4]
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        connection.execute(t.delete())
        raise ZeroDivisionError
    with orm.Session(engine) as session, session.begin():
        session.execute(t.insert(), {"n": 6})
    assert seen() == [4, 6]
    two = pytest.raises(sa.exc.NotSupportedError, match="cannot change frame u too")
    with two, engine.begin() as connection:
        connection.execute(t.delete())
        connection.execute(u.insert(), {"n": 1})
    with pytest.raises(sa.exc.OperationalError, match="ommit"), engine.begin() as connection:
        connection.execute(t.update().values(n=7))
        with engine.begin() as other:
            other.execute(t.update().values(n=8))
    assert seen() == [8, 8]


def test_changes_of_tables_with_a_schema(engine: sa.Engine) -> None:
    """SQLAlchemy calls their columns by the whole name: h.b.t.n."""
    t = sa.Table("t", sa.MetaData(schema="h.b"), sa.Column("n", sa.Integer))
    t.create(engine)
    with engine.begin() as connection:
        connection.execute(t.insert(), [{"n": 1}, {"n": 2}, {"n": 3}])
        connection.execute(t.update().where(t.c.n == 2).values(n=t.c.n * 10))
        connection.execute(t.delete().where(t.c.n == 1))
        assert sorted(connection.scalars(sa.select(t.c.n))) == [3, 20]
    with orm.Session(engine) as session:
        session.execute(sa.delete(t).where(t.c.n.in_([3, 4])))
        session.commit()
        assert session.scalars(sa.select(t.c.n)).all() == [20]


def test_autocommit(engine: sa.Engine) -> None:
    t, u = (sa.Table(name, sa.MetaData(), sa.Column("n", sa.Integer)) for name in "tu")
    at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
    for table in (t, u):
        table.create(at_once)
    with at_once.connect() as connection:
        assert connection.get_isolation_level() == "AUTOCOMMIT"
        connection.execute(t.insert(), {"n": 1})
        connection.execute(u.insert(), {"n": 2})
        connection.rollback()  # takes nothing back
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "REPEATABLE READ"
        assert connection.execute(sa.select(t.c.n, u.c.n)).all() == [(1, 2)]
    unknown = pytest.raises(sa.exc.ArgumentError, match="REPEATABLE READ, AUTOCOMMIT")
    with unknown, engine.connect() as connection:
        connection.execution_options(isolation_level="SERIALIZABLE")


class Base(orm.DeclarativeBase):
    pass


class Bee(Base):
    __tablename__ = "bees"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    name: orm.Mapped[str]
    comb_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("combs.id"))
    comb: orm.Mapped[Comb] = orm.relationship(back_populates="bees")


class Comb(Base):
    __tablename__ = "combs"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    bees: orm.Mapped[list[Bee]] = orm.relationship(back_populates="comb", order_by=Bee.id)


def test_the_orm(engine: sa.Engine) -> None:
    engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one unit of work, two frames
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Comb(id=1, bees=[Bee(id=1, name="a"), Bee(id=2, name="b")]))
        session.commit()
    with orm.Session(engine) as session:
        comb = session.scalars(sa.select(Comb)).one()
        assert [bee.name for bee in comb.bees] == ["a", "b"]
        comb.bees[0].name = "c"
        session.delete(comb.bees[1])
        session.commit()
        assert session.scalars(sa.select(Bee.name)).all() == ["c"]
    Base.metadata.drop_all(engine)


def test_pandas_both_ways(engine: sa.Engine) -> None:
    frame = pd.DataFrame(
        {
            "n": range(3000),
            "x": [n / 8 for n in range(3000)],
            "word": [None if n % 7 == 0 else f"w{n}" for n in range(3000)],
            "at": pd.date_range("2026-01-01", periods=3000, freq="min").astype("datetime64[us]"),
            "flag": [n % 2 == 0 for n in range(3000)],
        }
    )
    frame.to_sql("people", engine, index=False)
    found = pd.read_sql("SELECT * FROM people ORDER BY n", engine)
    assert len(found) == 3000
    for name in ("n", "x", "flag", "at"):
        assert found[name].tolist() == frame[name].tolist()
    assert (
        found["word"].where(found["word"].notna(), None).tolist()
        == frame["word"].where(frame["word"].notna(), None).tolist()
    )
    part = pd.read_sql(sa.text("SELECT n FROM people WHERE n < :n"), engine, params={"n": 5})
    assert sorted(part["n"]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="exists"):
        frame.to_sql("people", engine, index=False)
    frame.head(10).to_sql("people", engine, if_exists="append", index=False, chunksize=4)
    assert pd.read_sql("SELECT count(*) AS c FROM people", engine)["c"].tolist() == [3010]
    frame.head(10).to_sql("people", engine, if_exists="replace", index_label="row")
    assert len(pd.read_sql_table("people", engine)) == 10
    chunks = list(pd.read_sql("SELECT range AS n FROM range(10)", engine, chunksize=4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (sa.Column("a", sa.Integer, sa.Identity()), "no values of its own"),
        (sa.Column("a", sa.Integer, sa.Computed("1")), "no values of its own"),
        (sa.Column("a", sa.Integer, server_default="1"), "default"),
        (sa.Column("a", sa.Time(timezone=True)), "time zone"),
    ],
)
def test_what_a_frame_cannot_have(engine: sa.Engine, column: Any, message: str) -> None:
    table = sa.Table("t", sa.MetaData(), column)
    with pytest.raises(sa.exc.CompileError, match=message):
        table.create(engine)


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    urls = ["apiary:///here", f"apiary:///{tmp_path}/here", f"apiary://?storage={tmp_path}/here"]
    for number, url in enumerate(urls):
        engine = sa.create_engine(
            url + ("&" if "?" in url else "?") + "bees=1&relaxed=true&memory=512MB"
        )
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE HIVE h{number}")
            assert len(connection.exec_driver_sql("SHOW HIVES").all()) == number + 1
        engine.dispose()
    with pytest.raises(sa.exc.ArgumentError, match="knows no option nope"):
        sa.create_engine("apiary:///here?nope=1").connect()
    engine = sa.create_engine("apiary://named")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 42")) == 42
        assert connection.get_isolation_level() == "REPEATABLE READ"
    engine.dispose()
    assert (Path.home() / ".apiary" / "data" / "named").is_dir()
