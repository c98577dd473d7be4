# SPDX-License-Identifier: Apache-2.0
"""pandas and Apiary: a data frame becomes a frame, queries become data frames.

Runs over $APIARY_STORAGE, or ~/.apiary/data/pandas-example.
"""

import pandas as pd
from apiary import Apiary

with Apiary("pandas-example") as ap:
    days = pd.date_range("2026-01-01", periods=365, freq="D").astype("datetime64[us]")
    weather = pd.DataFrame({"day": days, "degrees": [10 + (n * 7) % 20 for n in range(365)]})

    box = ap.create_hive("garden").create_box("weather")
    frame = box.create_frame("days", {"day": "timestamp", "degrees": "int64"})
    frame.overwrite(weather)

    by_month = ap.sql(
        "SELECT month(day) AS month, avg(degrees) AS mean, max(degrees) AS most "
        "FROM garden.weather.days GROUP BY ALL ORDER BY month"
    ).to_pandas()
    print(by_month.to_string(index=False))

    same = weather.groupby(weather["day"].dt.month)["degrees"].agg(["mean", "max"])
    assert by_month["most"].tolist() == same["max"].tolist()
    assert all(abs(by_month["mean"].to_numpy() - same["mean"].to_numpy()) < 1e-9)

    # More than memory holds: batch by batch, each of them a data frame.
    warm = 0
    for batch in ap.sql_stream("SELECT * FROM garden.weather.days", batch_size=100):
        warm += int((batch.to_pandas()["degrees"] > 20).sum())
    assert warm == int((weather["degrees"] > 20).sum())
    print(f"{warm} warm days")
