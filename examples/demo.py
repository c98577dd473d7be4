# SPDX-License-Identifier: Apache-2.0
"""Apiary from Python: query, write, travel in time, and let deltalake read the same frame.

Runs over $APIARY_STORAGE, where `make demo` has put the flights.
"""

import deltalake
import pyarrow as pa
from apiary import Apiary

QUERY = """
    SELECT origin, count(*) AS flights, round(avg(dep_delay), 2) AS delay
    FROM nyc.air.flights WHERE month IN (6, 7, 8) GROUP BY origin ORDER BY origin
"""

with Apiary("demo") as ap:
    status = ap.status()
    print(f"{status['bees']} bees with {status['memory_per_bee_mb']:.0f} MB each")

    print("\nSummer flights by airport, asked through Apiary:")
    ours = ap.sql(QUERY).to_arrow()
    print(ours.to_pandas().to_string(index=False))

    frame = ap.get_frame("nyc", "air", "flights")
    table = deltalake.DeltaTable(str(frame["location"]))
    summer = table.to_pyarrow_table(filters=[("month", "in", [6, 7, 8])])
    theirs = (
        summer.group_by("origin")
        .aggregate([([], "count_all"), ("dep_delay", "mean")])
        .sort_by("origin")
        .to_pandas()
        .round(2)
    )
    print("\nThe same frame, read by deltalake:")
    print(theirs.to_string(index=False))
    same = theirs["count_all"].tolist() == ours["flights"].to_pylist()
    print("\nThe answers agree." if same else "\nThe answers differ!")
    if not same:
        raise SystemExit(1)

    warehouse = ap.create_hive("warehouse").create_box("sales")
    orders = warehouse.create_frame(
        "orders", {"order_id": "int64", "customer": "string", "amount": "float64"}
    )
    orders.write(
        pa.table(
            {
                "order_id": [1, 2, 3],
                "customer": ["alice", "bob", "alice"],
                "amount": [100.0, 250.0, 75.0],
            }
        )
    )
    print("\nOrders by customer:")
    totals = "SELECT customer, sum(amount) AS total FROM warehouse.sales.orders GROUP BY ALL"
    for customer, total in ap.sql(totals + " ORDER BY customer"):
        print(f"  {customer}: {total:g}")
