"""Writes docs/snowflake-smoke.sql: the trap event, loaded by the statements that we print, compared field by field.

    python3 tests/python/snowflake_smoke.py > docs/snowflake-smoke.sql

Everything happens inside Snowflake: the files are unloaded to a temporary stage from text in the script, so
that a worksheet is enough. `snowflake_sql.py` keeps the file equal to this.
"""

import datetime
import json

import snowflake_events as events
import snowflake_script as sql

SCHEMA = "XML_STREAM_AGGREGATOR_SMOKE"
RAW = (
    "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = NONE RECORD_DELIMITER = '\\n'\n"
    "    ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE FIELD_OPTIONALLY_ENCLOSED_BY = NONE NULL_IF = ())"
)
HEAD = f"""-- Settles in five minutes, on a real Snowflake account, what cannot be proven without one.
--
-- Run all of it in a worksheet, in a database where you may create a schema, with a warehouse.
-- It makes the schema {SCHEMA}, writes the same event with every trap in it as XML, JSON,
-- NDJSON and Parquet to a temporary stage, loads each with the statements that
-- `xml-stream-aggregator snowflake` prints, and compares every field of the typed view.
--
-- The last answer is the verdict: a row per format and check, those that differ first.
-- If a row says DIFFERS, send us that row. Not settled here: access (the storage integration),
-- Snowpipe and its notification, and our own Parquet writer (Snowflake writes the file here).
--
-- Made by tests/python/snowflake_smoke.py; do not edit.
"""


def literal(text):
    body = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{body}'"


def text():
    parts = [HEAD, start()]
    parts += [section(kind) for kind in ["xml", "json", "ndjson", "parquet"]]
    parts.append(verdict())
    return "\n".join(parts)


def start():
    return (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n"
        f"USE SCHEMA {SCHEMA};\n"
        "CREATE OR REPLACE TEMPORARY STAGE smoke;\n"
        "CREATE OR REPLACE TEMPORARY TABLE verdicts (kind VARCHAR, field VARCHAR, expected VARCHAR, got VARCHAR);\n"
    )


def section(kind):
    """A table of this format's own, loaded from one file by the printed statements."""
    words = ["--format", kind, "--table", f"smoke_{kind}", "--stage", "smoke"]
    script = sql.script(*words)
    statements = [
        f"-- {kind}: an empty table (a table remembers what it has loaded), the file, the printed statements.",
        f"DROP TABLE IF EXISTS smoke_{kind};",
        file(kind),
        sql.find(script, "CREATE FILE FORMAT") + ";",
        sql.find(script, "CREATE TABLE") + ";",
        one_file(sql.find(script, "COPY INTO"), kind) + ";",
        sql.find(script, "CREATE OR REPLACE VIEW") + ";",
        *compare(kind),
    ]
    return "\n".join(statements) + "\n"


def one_file(copy, kind):
    """The PATTERN narrowed to this file, and an error told at once instead of a file skipped."""
    copy = sql.once(copy, "ON_ERROR = SKIP_FILE", "ON_ERROR = ABORT_STATEMENT")
    return sql.once(copy, "PATTERN = '.*", "PATTERN = '.*smoke")


def file(kind):
    event = events.event_json(events.TRAP)
    if kind == "parquet":
        return parquet(events.parquet_row(event))
    body = {
        "xml": f'<?xml version="1.0" encoding="UTF-8"?>\n<EVENTS>\n{events.TRAP}</EVENTS>',
        "json": json.dumps([event], ensure_ascii=False),
        "ndjson": json.dumps(event, ensure_ascii=False),
    }[kind]
    return f"COPY INTO @smoke/smoke.{kind} FROM (SELECT {literal(body)})\n{RAW}\nSINGLE = TRUE OVERWRITE = TRUE;"


def parquet(row):
    columns = [f'    {"NULL::VARCHAR" if v is None else literal(v)} AS "{name}"' for name, v in row.items()]
    body = ",\n".join(columns)
    return (
        f"COPY INTO @smoke/smoke.parquet FROM (SELECT\n{body}\n)\n"
        "FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE SINGLE = TRUE OVERWRITE = TRUE;"
    )


def shown(value):
    """A value as the comparison writes it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def as_text(column, value):
    times = {s.lower() for s in events.TIMES}
    if column in times:
        return f"TO_VARCHAR(CONVERT_TIMEZONE('UTC', {column}), 'YYYY-MM-DD HH24:MI:SS')"
    return f"TO_VARCHAR({column})"


def compare(kind):
    """Every vendor field of the view, then what lies outside it."""
    checks = [(c, shown(v), as_text(c, v)) for c, v in events.expected(events.TRAP).items()]
    checks += others(kind)
    rows = [
        f"    SELECT {literal(kind)}, {literal(field)}, {'NULL' if want is None else literal(want)}, {got} "
        f"FROM smoke_{kind}_TYPED"
        for field, want, got in checks
    ]
    count = f"    SELECT '{kind}', 'number of rows', '1', TO_VARCHAR(COUNT(*)) FROM smoke_{kind}_TYPED"
    return ["INSERT INTO verdicts\n" + "\n    UNION ALL\n".join([count, *rows]) + ";"]


def others(kind):
    metadata = [
        ("file_name ends in the file", "true", f"TO_VARCHAR(ENDSWITH(file_name, 'smoke.{kind}'))"),
        ("file_row is a number", "true", "TO_VARCHAR(file_row >= 0)"),
        ("file_modified and loaded_at are set", "true",
         "TO_VARCHAR(file_modified IS NOT NULL AND loaded_at IS NOT NULL)"),
    ]  # fmt: skip
    if kind == "xml":
        return metadata + [
            ("siteNumber keeps its zeros", "007", "XMLGET(event_data, 'siteNumber'):\"$\"::STRING"),
            ("siteNested/door", "01", "XMLGET(XMLGET(event_data, 'siteNested'), 'door'):\"$\"::STRING"),
            ("siteNested@level", "1", "XMLGET(event_data, 'siteNested'):\"@level\"::STRING"),
            ("event_data:name is a position", "12", "event_data:plasectrxEventname::STRING"),
        ]  # fmt: skip
    if kind == "parquet":
        return [*metadata, ("siteNested in _extra", "01", "PARSE_JSON(_extra):siteNested.door::STRING")]
    return metadata + [
        ("siteNumber keeps its zeros", "007", "event_data:siteNumber::STRING"),
        ("siteNested/door", "01", "event_data:siteNested.door::STRING"),
    ]


def verdict():
    return (
        "-- The verdict.\n"
        "SELECT IFF(expected IS NOT DISTINCT FROM got, 'ok', 'DIFFERS') AS verdict, kind, field, expected, got\n"
        "FROM verdicts\n"
        "ORDER BY verdict, kind, field;\n\n"
        f"-- Afterwards: DROP SCHEMA {SCHEMA};\n"
    )


if __name__ == "__main__":
    print(text(), end="")
