# SPDX-License-Identifier: Apache-2.0
"""Ibis and Apiary: Ibis writes the SQL, Apiary runs it.

Ibis has no backend for Apiary, and needs none: tables are described by the schemas of frames, an
expression is compiled for DuckDB, whose SQL Apiary speaks, and its text goes to `Apiary.sql`.

Runs over $APIARY_STORAGE, or ~/.apiary/data/ibis-example.
"""

import ibis
from apiary import Apiary, Result


def table(ap: Apiary, hive: str, box: str, frame: str) -> ibis.Table:
    """A frame as a table of Ibis."""
    schema = ibis.Schema.from_pyarrow(ap.frame_schema(hive, box, frame))
    return ibis.table(schema, name=frame, catalog=hive, database=box)


def run(ap: Apiary, expression: ibis.Expr) -> Result:
    """The answer of an expression over such tables."""
    return ap.sql(str(ibis.to_sql(expression, dialect="duckdb")))


with Apiary("ibis-example") as ap:
    box = ap.create_hive("shop").create_box("sales")
    orders = box.create_frame("orders", {"id": "int64", "customer": "string", "amount": "float64"})
    orders.overwrite([{"id": n, "customer": f"c{n % 3}", "amount": n / 2} for n in range(100)])

    t = table(ap, "shop", "sales", "orders")
    totals = (
        t.filter(t.amount > 10)
        .group_by("customer")
        .aggregate(total=t.amount.sum(), most=t.amount.max(), orders=ibis._.count())
        .order_by("customer")
    )
    answer = run(ap, totals)
    print(answer)
    assert answer["customer"] == ["c0", "c1", "c2"]
    assert sum(answer["total"]) == sum(n / 2 for n in range(100) if n / 2 > 10)

    ranked = t.mutate(rank=ibis.row_number().over(group_by=t.customer, order_by=t.amount.desc()))
    best = run(ap, ranked.filter(ranked.rank == 0).select("customer", "id").order_by("customer"))
    assert best.fetchall() == [("c0", 99), ("c1", 97), ("c2", 98)]
