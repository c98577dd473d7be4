#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real data into frames, and questions to them: from the shell, from Python, from C, and by somebody
# else's reader. Called by `make demo`, which has built everything. Writes below build/demo only.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$PWD/build/demo
export APIARY_STORAGE=$data/lake
export PATH=$PWD/build/release/cmd/apiary:$PATH
rm -rf "$data/lake"
mkdir -p "$data"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { # print a command as a user would type it, then run it
  printf '$ apiary'
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./=-]*) printf " '%s'" "${word/#$data/build/demo}" ;;
      *) printf ' %s' "${word/#$data/build/demo}" ;;
    esac
  done
  printf '\n'
  apiary "$@"
}

say 'Fetching real data: flights from New York in 2013 (336,776 rows), and TPC-H at scale 0.1'
.venv/bin/python examples/demo_data.py "$data"

say '1. Load files into frames. Hive, box, frame and columns are made on the way.'
show import nyc.air.flights "$data/flights.csv" --null NA --partition-by month
show import nyc.air.airlines "$data/airlines.csv"
for table in "$data"/tpch/*.parquet; do
  name=$(basename "$table" .parquet)
  if ! apiary import "bench.tpch.$name" "$table" >"$data/import.log"; then
    cat "$data/import.log"
    exit 1
  fi
done
show list bench.tpch

say '2. Ask.'
show describe nyc.air.flights
show sql 'SELECT a.name AS airline, count(*) AS flights, round(avg(f.arr_delay), 1) AS late_minutes
FROM nyc.air.flights f JOIN nyc.air.airlines a USING (carrier)
WHERE f.month = 7 GROUP BY 1 ORDER BY late_minutes DESC LIMIT 5'
show sql 'USE bench.tpch; SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity,
       round(sum(l_extendedprice * (1 - l_discount)), 2) AS charged, count(*) AS lines
FROM lineitem WHERE l_shipdate <= DATE '"'1998-09-02'"' GROUP BY ALL ORDER BY ALL'

say '3. Append, and look back: every commit is a version.'
show import nyc.air.airlines "$data/more_airlines.csv"
show sql 'SELECT count(*) AS now,
       (SELECT count(*) FROM nyc.air.airlines AT (VERSION => 1)) AS before
FROM nyc.air.airlines'
show history nyc.air.airlines

say '4. The same from Python, and the same frame read by deltalake.'
.venv/bin/python examples/demo.py

say '5. The same from C (examples/hello.c).'
build/release/examples/hello "$data/hello"

say 'Done. What to try next:'
cat <<END
  export PATH=\$PWD/build/release/cmd/apiary:\$PATH APIARY_STORAGE=\$PWD/build/demo/lake
  apiary shell                        # an SQL prompt over what was just loaded
  apiary import my.hive.frame FILE    # your own CSV, JSON, Parquet or Arrow files
  .venv/bin/python                    # import apiary; see docs/python.md
  make test                           # prove it; make bench: compare it
END
