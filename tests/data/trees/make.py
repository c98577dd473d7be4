# SPDX-License-Identifier: Apache-2.0
"""Make trees.jsonl: for each line of statements.sql the engine's tree and the tables it names.

The tables come from DuckDB's own binder (get_table_names), so that the C tests compare two
independent lists. Run with the DuckDB version that tools/dependencies.json pins.
"""

import json
import pathlib
import re

import duckdb

FOLDER = pathlib.Path(__file__).parent


def tables_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str] | None:
    """The qualified names of the tables that a statement reads, sorted; None when it fails."""
    try:
        names = connection.get_table_names(sql, qualified=True)
    except duckdb.Error:
        return None
    return sorted({re.sub(r" (AS [^\"]*|TABLESAMPLE .*)$", "", name) for name in names})


def main() -> None:
    """Write trees.jsonl beside this file."""
    connection = duckdb.connect()
    with open(FOLDER / "trees.jsonl", "w", encoding="utf-8") as out:
        for sql in (FOLDER / "statements.sql").read_text(encoding="utf-8").splitlines():
            row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
            assert row is not None
            record = {"sql": sql, "tables": tables_of(connection, sql), "tree": row[0]}
            out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
