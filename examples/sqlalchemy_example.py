# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy and Apiary: tables, queries, and pandas by read_sql and to_sql.

Runs over $APIARY_STORAGE, or ~/.apiary/data/sqlalchemy-example.
"""

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

engine = sa.create_engine("apiary://sqlalchemy-example")
metadata = sa.MetaData(schema="shop.sales")
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("customer", sa.String),
    sa.Column("amount", sa.Numeric(10, 2)),
)

with engine.begin() as connection:
    connection.exec_driver_sql("CREATE HIVE IF NOT EXISTS shop")
    connection.execute(CreateSchema("shop.sales", if_not_exists=True))
    metadata.drop_all(connection)
    metadata.create_all(connection)
    rows = [{"id": n, "customer": f"c{n % 3}", "amount": n} for n in range(1000)]
    connection.execute(orders.insert(), rows)
# Committed, here: the block is a transaction, which an exception would have rolled back.

with engine.connect() as connection:
    totals = (
        sa.select(orders.c.customer, sa.func.sum(orders.c.amount).label("total"))
        .where(orders.c.amount > 10)
        .group_by(orders.c.customer)
        .order_by(orders.c.customer)
    )
    for customer, total in connection.execute(totals):
        print(customer, total)

    frame = pd.read_sql(totals, connection)
    assert frame["total"].sum() == sum(range(11, 1000))
frame.to_sql("totals", engine, schema="shop.sales", index=False, if_exists="replace")
assert sorted(sa.inspect(engine).get_table_names("shop.sales")) == ["orders", "totals"]
engine.dispose()
