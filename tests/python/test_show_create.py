# SPDX-License-Identifier: Apache-2.0
"""SHOW CREATE makes a frame or a view again as it is.

Method: the text is run in another hive, and what the Delta log then holds is compared, read by
json and not by Apiary: schema, partitions, description, configuration, protocol.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import apiary
import pytest
from apiary import Apiary

LEAVES = ["tinyint", "smallint", "int", "bigint", "uint8", "uint64", "float16", "real", "double",
          "decimal(10,2)", "decimal(38,0)", "string", "binary", "boolean", "date", "time",
          "timestamp", "timestamptz"]  # fmt: skip
WORDS = ["a", "b c", 'q"x', "Größe", "select", "it's", "x.y", "日本", "Z"]
SEED = int(os.environ.get("AP_SEED", "0")) or random.SystemRandom().randrange(1 << 31)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def some_type(rng: random.Random, depth: int = 0) -> str:
    kind = rng.random() if depth < 2 else 0.0
    if kind < 0.7:
        return rng.choice(LEAVES)
    if kind < 0.8:
        return f"list<{some_type(rng, depth + 1)}>"
    if kind < 0.9:
        return f"map<string, {some_type(rng, depth + 1)}>"
    names = rng.sample(["x", "y", "Zed"], rng.randint(1, 3))
    return f"struct<{', '.join(f'{name}: {some_type(rng, depth + 1)}' for name in names)}>"


def some_frame(rng: random.Random) -> tuple[str, list[str]]:
    """CREATE FRAME .. (..) behind its name, and statements that alter what is %s."""
    names = [f"{rng.choice(WORDS)}{n}" for n in range(rng.randint(1, 6))]
    columns, behind = ['"key" bigint', '"n" bigint'], []
    for name in names:
        kind = some_type(rng)
        text = f"{quoted(name)} {kind}"
        if rng.random() < 0.3:
            text += " NOT NULL"
        if rng.random() < 0.3 and kind in ("int", "bigint", "string", "boolean", "date"):
            values = {"string": "'it''s'", "boolean": "true", "date": "DATE '2026-01-31'"}
            text += f" DEFAULT {values.get(kind, '40 + 2')}"
        if rng.random() < 0.4:
            text += f" COMMENT {literal(rng.choice(WORDS) * 2)}"
        if kind.startswith("struct<x:") and rng.random() < 0.8:
            behind.append(f"ALTER FRAME %s ALTER COLUMN {quoted(name)}.x COMMENT 'inner ''x'''")
        columns.append(text)
    if rng.random() < 0.4:
        columns.append('"twice" bigint GENERATED ALWAYS AS ("n" * 2)')
    if rng.random() < 0.5:
        columns.append('CONSTRAINT positive CHECK ("n" > 0 AND "n" IS NOT NULL)')
    if rng.random() < 0.3:
        columns.append("""CONSTRAINT "odd name" CHECK ("key" IN (1, 2) OR "key" > 10)""")
    text = f"({', '.join(columns)})"
    if rng.random() < 0.4:
        text += ' PARTITIONED BY ("key")'
    if rng.random() < 0.5:
        text += f" COMMENT {literal('all of ' + rng.choice(WORDS))}"
    options = [("owner", "it's me"), ("delta.appendOnly", "true"), ("a b", ""),
               ("delta.enableChangeDataFeed", "true"), ("delta.columnMapping.mode", "name"),
               ("delta.enableDeletionVectors", "true"), ("delta.enableTypeWidening", "true"),
               ("delta.logRetentionDuration", "interval 9 days")]  # fmt: skip
    given = rng.sample(options, rng.randint(0, 3))
    if given:
        text += f" TBLPROPERTIES ({', '.join(f'{literal(k)} = {literal(v)}' for k, v in given)})"
    if ("delta.columnMapping.mode", "name") in given:
        has_rules = "CHECK" in text or "GENERATED" in text
        change = "ADD COLUMN late int" if has_rules else 'RENAME COLUMN "n" TO "m"'
        behind.append(f"ALTER FRAME %s {change}")
    return text, behind


def definition(ap: Apiary, hive: str) -> dict[str, Any]:
    """What the log says the frame is; ids and physical names of columns are each frame's own."""
    found: dict[str, Any] = {}
    place = dict(iter(ap.sql(f"DESCRIBE {hive}.b.f")))["location"]
    log = Path(place.removeprefix("file://")) / "_delta_log"
    for path in sorted(log.glob("*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found.update(
                {k: v for k, v in json.loads(line).items() if k in ("metaData", "protocol")}
            )
    meta = found["metaData"]
    schema = json.loads(meta["schemaString"])

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {k: plain(v) for k, v in value.items() if not k.startswith("delta.columnMapping.")}

    configuration = {
        k: v for k, v in meta["configuration"].items() if k != "delta.columnMapping.maxColumnId"
    }
    return {
        "schema": plain(schema),
        "partitions": meta["partitionColumns"],
        "description": meta.get("description"),
        "configuration": configuration,
        "protocol": found["protocol"],
    }


def made_again(ap: Apiary, text: str) -> None:
    """Run the text for frame one.b.f in the hive two, and compare."""
    assert text.count('"one"."b"."f"') >= 1
    ap.sql("CREATE HIVE two; CREATE BOX two.b")
    ap.sql(text.replace('"one"."b"."f"', '"two"."b"."f"'))
    try:
        assert definition(ap, "two") == definition(ap, "one"), text
        again = ap.sql("SHOW CREATE FRAME two.b.f")[0][0]
        assert again == text.replace('"one"."b"."f"', '"two"."b"."f"')
        first, second = (dict(iter(ap.sql(f"DESCRIBE {hive}.b.f"))) for hive in ("one", "two"))
        for told in ("schema", "partition_by"):
            assert first[told] == second[told]
    finally:
        ap.sql("DROP HIVE two CASCADE")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_random_frames_are_made_again(root: Path) -> None:
    rng = random.Random(SEED)
    with Apiary("x", root, relaxed=True) as ap:
        for number in range(400 if os.environ.get("AP_SOAK") else 40):
            columns, behind = some_frame(rng)
            ap.sql("CREATE HIVE one; CREATE BOX one.b")
            place = f"seed {SEED}, frame {number}: {columns} {behind}"
            try:
                ap.sql(f"CREATE FRAME one.b.f {columns}")
                for statement in behind:
                    ap.sql(statement % "one.b.f")
                made_again(ap, ap.sql("SHOW CREATE FRAME one.b.f")[0][0])
            except (apiary.ApiaryError, AssertionError) as error:
                raise AssertionError(f"{place}\n{error}") from error
            ap.sql("DROP HIVE one CASCADE")


def test_what_only_others_understand_is_told(root: Path) -> None:
    with Apiary("x", root) as ap:
        frame = ap.create_hive("one").create_box("b").create_frame("f", {"n": "int64"})
        log = Path(frame.describe()["location"].removeprefix("file://")) / "_delta_log"
        first = log / "00000000000000000000.json"
        actions = [json.loads(line) for line in first.read_text().splitlines()]
        protocol = {"minReaderVersion": 1, "minWriterVersion": 3}
        for action in actions:
            if "metaData" in action:
                action["metaData"]["configuration"] = {
                    "delta.constraints.odd": "aes_encrypt(n)\nis not null",
                    "delta.constraints.even": "n % 2 = 0",
                }
        actions = [{"protocol": protocol} if "protocol" in action else action for action in actions]
        (log / "00000000000000000001.json").write_text(
            "\n".join(json.dumps(a) for a in actions if "protocol" in a or "metaData" in a)
        )
        text = ap.sql("SHOW CREATE TABLE one.b.f")[0][0]
        statement, remark = text.split("\n")
        assert statement.endswith('CONSTRAINT "even" CHECK (n % 2 = 0))')
        assert remark == (
            "-- not shown, only other engines understand it: constraint 'odd' "
            "(aes_encrypt(n) is not null)"
        )
        ap.sql("CREATE HIVE two; CREATE BOX two.b")
        ap.sql(text.replace('"one"', '"two"'))


def test_views_are_made_again(root: Path) -> None:
    with Apiary("x", root) as ap:
        ap.sql("CREATE HIVE one; CREATE BOX one.b; USE one.b; CREATE FRAME f (a int, b int)")
        ap.sql("INSERT INTO f VALUES (1, 2), (3, 4)")
        ap.sql('CREATE VIEW v ("x y", z) AS SELECT a, b FROM f -- all of it\n WHERE a > 1')
        text = ap.sql("SHOW CREATE VIEW v")[0][0]
        assert text.startswith('USE "one"."b";\nCREATE VIEW "one"."b"."v" ("x y", "z") AS SELECT')
        ap.sql("CREATE HIVE two; CREATE BOX two.b; USE HIVE two")
        ap.sql(text.replace('"one"."b"."v"', '"two"."b"."w"'))
        assert ap.sql("FROM two.b.w").fetchall() == ap.sql("FROM one.b.v").fetchall() == [(3, 4)]
        ap.sql("USE HIVE two; CREATE VIEW two.b.u AS SELECT count(*) AS n FROM one.b.f")
        text = ap.sql("SHOW CREATE VIEW two.b.u")[0][0]
        assert text.startswith('USE HIVE "two";\nCREATE VIEW "two"."b"."u" ("n") AS')
        ap.sql("DROP VIEW two.b.u; " + text)
        assert ap.sql("FROM two.b.u").fetchall() == [(2,)]
        assert text in repr(ap.sql("SHOW CREATE VIEW two.b.u")).replace("\\n", "\n")
