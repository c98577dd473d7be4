# SPDX-License-Identifier: Apache-2.0
"""information_schema tells of all frames and views, whether or not a query has read them.

Method: a few hives, boxes, frames and views; answers written down here.
"""

from __future__ import annotations

from typing import Any

import apiary
import pytest
from apiary import Apiary


@pytest.fixture
def filled(ap: Apiary) -> Apiary:
    ap.sql("CREATE HIVE w; CREATE BOX w.b; CREATE BOX w.empty; CREATE HIVE x; CREATE BOX x.c")
    ap.sql('CREATE FRAME w.b.orders (id int64 NOT NULL, "it\'s" string, amount decimal(10,2))')
    ap.sql("CREATE FRAME x.c.other (l list<int32>, t timestamp)")
    ap.sql("CREATE VIEW x.c.v (n) AS SELECT count(*) FROM w.b.orders WHERE \"it's\" <> 'a\"b'")
    return ap


def rows(ap: Apiary, sql: str) -> list[tuple[Any, ...]]:
    return ap.sql(sql).fetchall()


def test_tables(filled: Apiary) -> None:
    ask = "SELECT table_catalog, table_schema, table_name, table_type FROM {}tables ORDER BY ALL"
    everything = [
        ("w", "b", "orders", "BASE TABLE"),
        ("x", "c", "other", "BASE TABLE"),
        ("x", "c", "v", "VIEW"),
    ]
    assert rows(filled, ask.format("information_schema.")) == everything
    assert rows(filled, ask.format("x.INFORMATION_SCHEMA.")) == everything[1:]
    assert rows(
        filled, "SELECT count(*) FROM information_schema.tables t WHERE t.table_name = 'v'"
    ) == [(1,)]
    filled.sql("DROP FRAME w.b.orders; USE w.b")
    assert rows(filled, ask.format("information_schema.")) == everything[1:]
    assert rows(filled, "FROM w.information_schema.tables") == []


def test_columns(filled: Apiary) -> None:
    found = rows(
        filled,
        "SELECT table_name, column_name, ordinal_position, is_nullable, data_type,"
        " numeric_precision, numeric_scale FROM information_schema.columns"
        " ORDER BY table_catalog, table_name, ordinal_position",
    )
    assert found == [
        ("orders", "id", 1, "NO", "BIGINT", None, None),
        ("orders", "it's", 2, "YES", "VARCHAR", None, None),
        ("orders", "amount", 3, "YES", "DECIMAL(10,2)", 10, 2),
        ("other", "l", 1, "YES", "INTEGER[]", None, None),
        ("other", "t", 2, "YES", "TIMESTAMP", None, None),
        ("v", "n", 1, "YES", "BIGINT", None, None),
    ]


def test_schemata_and_views(filled: Apiary) -> None:
    found = rows(filled, "SELECT catalog_name, schema_name FROM information_schema.schemata")
    assert sorted(found) == [("w", "b"), ("w", "empty"), ("x", "c")]
    [(name, text)] = rows(
        filled, "SELECT table_name, view_definition FROM information_schema.views"
    )
    assert (name, text) == ("v", "SELECT count(*) FROM w.b.orders WHERE \"it's\" <> 'a\"b'")


def test_it_can_be_joined_and_kept_in_a_view(filled: Apiary) -> None:
    filled.sql(
        "USE w.b; CREATE VIEW wide AS SELECT table_name, count(*) AS n FROM"
        " information_schema.tables JOIN information_schema.columns"
        " USING (table_catalog, table_schema, table_name) GROUP BY ALL HAVING n > 2"
    )
    assert rows(filled, "FROM wide") == [("orders", 3)]
    assert rows(filled, "SELECT o.n, (SELECT count(*) FROM orders) FROM wide AS o") == [(3, 0)]


def test_what_there_is_not(filled: Apiary) -> None:
    with pytest.raises(apiary.Unsupported, match=r"there is no information_schema\.routines"):
        rows(filled, "FROM information_schema.routines")
