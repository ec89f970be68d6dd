"""Judges the SQL that `xml-stream-aggregator snowflake` prints, without a Snowflake account.

    cargo build --example snowflake_script && python3 tests/python/snowflake_sql.py

sqlglot parses every statement in every combination of options; fakesnow runs table, COPY and view for
NDJSON, JSON and Parquet after the reduction of `snowflake_script.py`; DuckDB runs the XML view against the
documented shape of an XML VARIANT. Not proven here: Snowflake's own XML parser, access, pipes, metadata
columns, PATTERN and ON_ERROR. docs/snowflake-smoke.sql is for those.

Needs sqlglot, fakesnow 0.12.1 (with snowflake-connector-python<5), duckdb, lxml, pyarrow.
UPDATE_SNAPSHOTS=1 writes tests/snapshots/snowflake-reduction.diff and docs/snowflake-smoke.sql anew.
"""

import datetime
import difflib
import itertools
import json
import logging
import os
import pathlib
import re
import tempfile
import unittest

import fakesnow
import snowflake.connector
import snowflake_events as events
import snowflake_script as sql
import snowflake_smoke
import sqlglot
from sqlglot import exp

logging.getLogger("sqlglot").setLevel(logging.ERROR)

SNAPSHOT = sql.ROOT / "tests/snapshots/snowflake-reduction.diff"
SMOKE = sql.ROOT / "docs/snowflake-smoke.sql"
FORMATS = ["xml", "json", "ndjson", "parquet"]

FILE_FORMAT_OPTIONS = {
    "XML": {"COMPRESSION", "STRIP_OUTER_ELEMENT", "DISABLE_AUTO_CONVERT", "PRESERVE_SPACE"},
    "JSON": {"COMPRESSION", "STRIP_OUTER_ARRAY"},
    "PARQUET": {"COMPRESSION", "USE_VECTORIZED_SCANNER"},
}
COPY_OPTIONS = {
    "XML": {"FILE_FORMAT", "PATTERN", "ON_ERROR"},
    "JSON": {"FILE_FORMAT", "PATTERN", "ON_ERROR"},
    "PARQUET": {"FILE_FORMAT", "PATTERN", "ON_ERROR", "MATCH_BY_COLUMN_NAME", "INCLUDE_METADATA"},
}
STAGE_OPTIONS = {"URL", "STORAGE_INTEGRATION"}
INTEGRATION_OPTIONS = {
    "s3": {"STORAGE_AWS_ROLE_ARN", "STORAGE_AWS_EXTERNAL_ID"},
    "gcs": set(),
    "azure": {"AZURE_TENANT_ID"},
}
# What sqlglot keeps as unread text. The options in these are checked by name below.
OPAQUE = (
    "CREATE PIPE IF NOT EXISTS ", "SHOW PIPES LIKE ", "DROP PIPE IF EXISTS ",
    "ALTER STORAGE INTEGRATION ", "ALTER FILE FORMAT ", "ALTER STAGE ",
)  # fmt: skip
NAMES = [
    [],
    ["--database", "my db", "--schema", 'a"b', "--warehouse", "wh", "--role", "order", "--admin-role", "sec.admin",
     "--table", "it's", "--view", "Typed View", "--stage", "stage 1", "--file-format", "f'1", "--pipe-name", "p 1",
     "--integration", "int 1", "--external-id", "ours-1", "--aws-role-arn", "arn:aws:iam::123456789012:role/x"],
]  # fmt: skip


def file_type(kind):
    return "JSON" if kind == "ndjson" else kind.upper()


def combinations():
    """Every combination of options that changes the script."""
    ways = [[], ["--pipe"], ["--drop"], ["--drop", "--drop-data"]]
    switches = [[a, b] for a in (None, "--date-folders") for b in (None, "--manifest")]
    stores, compressions = ["s3", "gcs", "azure"], ["none", "gzip", "zstd"]
    for kind, c, store, way, switch, names in itertools.product(
        FORMATS, compressions, stores, ways, switches, NAMES
    ):
        words = ["--format", kind, "--compression", c, "--store", store, *way, *filter(None, switch), *names]
        yield kind, store, words


def option_names(text):
    """The words before a `=`, outside literals, quoted names and inner parentheses."""
    text = re.sub(r"'(?:[^'\\]|''|\\.)*'", "''", text)
    text = re.sub(r'"(?:[^"]|"")*"', "q", text)
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\([^()]*\)", "", text)
    return re.findall(r"(\w+)\s*=", text)


class EveryStatement(unittest.TestCase):
    """sqlglot reads what we print, and we print no option that the file type does not have."""

    @classmethod
    def setUpClass(cls):
        cls.all = list(combinations())
        cls.texts = sql.scripts([words for _, _, words in cls.all])

    def each(self):
        seen = set()
        for (kind, store, words), text in zip(self.all, self.texts, strict=True):
            for statement in sql.statements(text):
                if (kind, store, statement) not in seen:
                    seen.add((kind, store, statement))
                    yield kind, store, words, statement

    def test_every_statement_in_every_combination_is_read_by_sqlglot(self):
        count = 0
        for _, _, words, statement in self.each():
            with self.subTest(words=words, statement=statement[:60]):
                tree = sqlglot.parse_one(statement, dialect="snowflake")
                if isinstance(tree, exp.Command):
                    self.assertTrue(statement.startswith(OPAQUE), statement)
                count += 1
        self.assertGreater(count, 400)
        self.assertEqual(len(self.all), 4 * 3 * 3 * 4 * 4 * 2)

    def test_the_copy_inside_a_pipe_is_the_copy_that_stands_alone(self):
        for kind in FORMATS:
            pipe = sql.find(sql.script("--format", kind, "--pipe"), "CREATE PIPE")
            inner = pipe[pipe.index("\nAS\n") + 4 :]
            self.assertEqual(inner, sql.find(sql.script("--format", kind), "COPY INTO"))
            self.assertIsInstance(sqlglot.parse_one(inner, dialect="snowflake"), exp.Copy)

    def test_only_allowed_options_are_written(self):
        checked = set()
        for kind, store, words, statement in self.each():
            allowed = self.allowed(statement, kind, store)
            if allowed is None:
                continue
            with self.subTest(words=words, statement=statement):
                self.assertLessEqual(set(option_names(statement)), allowed)
                self.assertTrue(option_names(statement))
            checked.add((" ".join(statement.split()[:2]), file_type(kind), store))
        self.assertEqual(len(checked), 8 * 3 * 3 - 0)

    @staticmethod
    def allowed(statement, kind, store):
        if statement.startswith(("CREATE FILE FORMAT", "ALTER FILE FORMAT")):
            manifest = "MANIFEST" in statement
            return FILE_FORMAT_OPTIONS["JSON" if manifest else file_type(kind)] | {"TYPE"}
        if statement.startswith("COPY INTO"):
            return COPY_OPTIONS[file_type(kind)]
        if statement.startswith("CREATE PIPE"):
            return COPY_OPTIONS[file_type(kind)] | {"AUTO_INGEST"} | ({"INTEGRATION"} if store != "s3" else set())
        if statement.startswith(("CREATE STAGE", "ALTER STAGE")):
            return STAGE_OPTIONS
        if statement.startswith(("CREATE STORAGE", "ALTER STORAGE")):
            base = {"TYPE", "STORAGE_PROVIDER", "ENABLED", "STORAGE_ALLOWED_LOCATIONS"}
            return base | INTEGRATION_OPTIONS[store]
        return None

    def test_policies_are_json(self):
        for which in ["--aws-policy", "--aws-policy=trust", "--aws-policy=permissions"]:
            self.assertTrue(json.loads(sql.script(which)))


WRITERS = {
    "ndjson": events.write_ndjson,
    "json": events.write_json,
    "parquet": events.write_parquet,
}
BARE = "CREATE TABLE bare (event_data VARIANT)"
# By position, as a child's key in the VARIANT says; Snowflake's own is built in.
XMLGET = """CREATE MACRO xmlget(v, n) AS CASE
    WHEN json_type(v, '$."$"') = 'ARRAY' THEN (v->'$."$"')->CAST(v->>('$."' || n || '"') AS INT)
    WHEN v->>'$."$"."@"' = n THEN v->'$."$"' END"""


class Account:
    """A fakesnow account with what one script makes in it, loaded from a folder of its own."""

    def __init__(self, kind):
        self.kind = kind
        self.text = sql.script("--format", kind)
        self.table = f"{kind.upper()}_EVENTS"

    def __enter__(self):
        self.patch = fakesnow.patch()
        self.patch.__enter__()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.connection = snowflake.connector.connect(database="XML_EVENTS", schema="ACM")
        self.cursor = self.connection.cursor()
        return self

    def __exit__(self, *failure):
        self.temporary.cleanup()
        self.patch.__exit__(*failure)

    def run(self, statement):
        self.cursor.execute(statement)
        return self.cursor.fetchall()

    def load(self):
        """Runs the generated statements, reduced, over the folder; the number of rows."""
        self.run(sql.find(self.text, "CREATE TABLE"))
        self.run(sql.find(self.text, "CREATE FILE FORMAT"))
        stage = sql.reduced_stage(sql.find(self.text, "CREATE STAGE"))
        self.run(sql.once(stage, sql.LOCAL, f"file://{self.folder}/"))
        self.run(BARE)
        self.run(sql.reduced_copy(sql.find(self.text, "COPY INTO"), "bare"))
        if self.kind != "parquet":
            self.from_bare()
        self.make_view()
        return self.run(f"SELECT COUNT(*) FROM {self.table}")[0][0]

    def load_variants(self, xmls):
        """XML: the documented shape of the VARIANT, loaded as JSON."""
        self.run(sql.find(self.text, "CREATE TABLE"))
        self.run(BARE)
        lines = "".join(json.dumps(events.event_variant(x)) + "\n" for x in xmls)
        (self.folder / "a.ndjson").write_text(lines, encoding="utf-8")
        self.run(f"CREATE STAGE shapes URL = 'file://{self.folder}/'")
        self.run("COPY INTO bare FROM @shapes FILE_FORMAT = (TYPE = JSON)")
        self.from_bare()
        self.connection._duck_conn.execute(XMLGET)
        self.make_view()

    def from_bare(self):
        self.run(
            f"INSERT INTO {self.table} SELECT event_data, 'xml-events/20260101_000000.x', "
            "ROW_NUMBER() OVER (ORDER BY event_data::STRING), NULL, NULL FROM bare"
        )

    def make_view(self):
        columns = [events.element(s) for s in events.ORDER] + ["_extra"]
        self.run(sql.reduced_view(sql.find(self.text, "CREATE OR REPLACE VIEW"), columns))

    def rows(self, where=""):
        self.cursor.execute(f"SELECT * FROM {self.table}_TYPED {where}")
        names = [d.name.lower() for d in self.cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self.cursor.fetchall()]


def vendor(row):
    """A view's row without the columns about the file, times in UTC."""
    wanted = [s.lower() for s in events.ORDER]
    return {n: row[n].astimezone(datetime.UTC) if hasattr(row[n], "astimezone") else row[n] for n in wanted}


DOUBLES = [
    events.event(GatewayDN="g1", cn="a", Eventname="grant"),
    events.event(GatewayDN="g1", cn="a", Eventname="grant"),  # came twice: shows once
    events.event(GatewayDN="g2", cn="a", Eventname="grant"),  # another appliance
    events.event(GatewayDN="g1", cn="a", Eventname="note"),  # a block about the same alarm
    events.event(GatewayDN="g1", Eventname="grant"),  # no cn: nothing tells these two apart
    events.event(GatewayDN="g1", Eventname="grant"),
]


class OnAnEmulator(unittest.TestCase):
    """Table, COPY and view run, and the trap event is the same at the far end."""

    def check(self, account):
        """The trap event is as lxml reads it, and of the doubles one is not shown."""
        rows = account.rows()
        trap = [r for r in rows if r["cn"] == "00012E5"]
        self.assertEqual(len(trap), 1)
        self.assertEqual(vendor(trap[0]), events.expected(events.TRAP))
        self.assertEqual(len(rows), 1 + len(DOUBLES) - 1)
        return trap[0]

    def load(self, account, name, *compression):
        data = [events.event_json(x) for x in [events.TRAP, *DOUBLES]]
        WRITERS[account.kind](account.folder / name, data, *compression)
        self.assertEqual(account.load(), len(data))
        return self.check(account)

    def test_ndjson_plain_gzip_and_zstd(self):
        for name in ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"]:
            with self.subTest(name=name), Account("ndjson") as account:
                row = self.load(account, name)
                self.assertEqual(json.loads(row["event_data"]), events.event_json(events.TRAP))

    def test_json_plain_gzip_and_zstd(self):
        for name in ["a.json", "a.json.gz", "a.json.zst"]:
            with self.subTest(name=name), Account("json") as account:
                row = self.load(account, name)
                self.assertEqual(json.loads(row["event_data"]), events.event_json(events.TRAP))

    def test_parquet_zstd_and_gzip(self):
        for compression in ["zstd", "gzip"]:
            with self.subTest(compression=compression), Account("parquet") as account:
                row = self.load(account, "a.parquet", compression)
                self.assertEqual(json.loads(row["_extra"])["siteNested"]["door"], "01")

    def test_xml_in_the_documented_shape(self):
        with Account("xml") as account:
            account.load_variants([events.TRAP, *DOUBLES])
            self.check(account)
            known = "SELECT XMLGET(event_data, 'siteNumber'):\"$\"::STRING FROM bare WHERE XMLGET(event_data, 'cn'):\"$\"::STRING = '00012E5'"
            self.assertEqual(account.run(known), [("007",)])
            position = "SELECT event_data:plasectrxEventname::INT FROM bare WHERE XMLGET(event_data, 'cn'):\"$\"::STRING = '00012E5'"
            self.assertEqual(account.run(position), [(12,)])

    def test_the_smoke_script_expects_what_the_view_gives(self):
        for kind in FORMATS:
            with self.subTest(kind=kind), Account(kind) as account:
                if kind == "xml":
                    account.load_variants([events.TRAP])
                else:
                    WRITERS[kind](account.folder / f"a.{kind}", [events.event_json(events.TRAP)])
                    account.load()
                account.run("CREATE TABLE verdicts (kind VARCHAR, field VARCHAR, expected VARCHAR, got VARCHAR)")
                for statement in snowflake_smoke.compare(kind):
                    account.run(statement.replace(f"smoke_{kind}_TYPED", f"{account.table}_TYPED").rstrip(";"))
                differs = account.run("SELECT field FROM verdicts WHERE expected IS DISTINCT FROM got")
                told = account.run("SELECT COUNT(*) FROM verdicts")[0][0]
                self.assertGreater(told, len(events.ORDER))
                # Columns about the file are not filled here.
                self.assertEqual([f for (f,) in differs if not f.startswith("file_")], [])

    def test_files_of_the_programs_own_load_as_those_written_here(self):
        """SNOWFLAKE_SAMPLES: a folder with trap.{ndjson,json,parquet}[.gz|.zst] made from the trap event."""
        samples = os.environ.get("SNOWFLAKE_SAMPLES")
        if not samples:
            self.skipTest("SNOWFLAKE_SAMPLES is not set")
        found = sorted(p for p in pathlib.Path(samples).iterdir() if p.name.split(".")[1] in WRITERS)
        self.assertTrue(found)
        for path in found:
            with self.subTest(file=path.name), Account(path.name.split(".")[1]) as account:
                (account.folder / path.name).write_bytes(path.read_bytes())
                self.assertEqual(account.load(), 1)
                row = account.rows()[0]
                self.assertEqual(vendor(row), events.expected(events.TRAP))
                if "event_data" in row:
                    self.assertEqual(json.loads(row["event_data"]), events.event_json(events.TRAP))
                else:
                    self.assertEqual(json.loads(row["_extra"])["siteNested"], {"@level": "1", "door": "01", "floor": "1e3"})

    def test_xml_files_of_the_programs_own_hold_the_trap_event(self):
        samples = os.environ.get("SNOWFLAKE_SAMPLES")
        if not samples:
            self.skipTest("SNOWFLAKE_SAMPLES is not set")
        found = sorted(p for p in pathlib.Path(samples).iterdir() if p.name.split(".")[1] == "xml")
        self.assertTrue(found)
        for path in found:
            with self.subTest(file=path.name):
                root = events.read_xml(path)
                self.assertEqual([child.tag for child in root], ["EVENT"])
                self.assertEqual(events.variant(root[0]), events.event_variant(events.TRAP))

    def test_the_ready_made_queries_find_what_they_are_for(self):
        def stamp(hours):
            return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)).strftime("%Y%m%d%H%M%SZ")

        def seen(panel, hours, alarm="0", card="1"):
            return events.event(
                GatewayDN="g", cn=f"{panel}{hours}", PaneldateUTC=stamp(hours), Panelname=panel, Sourcename="door",
                Eventname="grant", Embossedno=card, IsAlarm=alarm,
            )  # fmt: skip

        xmls = [seen("lively", 1, "1"), seen("lively", 30, "1"), seen("silent", 48), seen("gone", 24 * 60),
                seen("lively", 2, card="00012345"), seen("lively", 3, card="12345")]  # fmt: skip
        with Account("ndjson") as account:
            events.write_ndjson(account.folder / "a.ndjson", [events.event_json(x) for x in xmls])
            account.load()
            alarms = account.run(sql.find(account.text, "SELECT paneldateutc, eventname"))
            self.assertEqual([r[2] for r in alarms], ["lively"])
            doors = account.run(sql.find(account.text, "SELECT NVL(sourcealtname"))
            self.assertEqual([(r[0], r[3]) for r in doors], [("door", 1)])
            silent = account.run(sql.find(account.text, "SELECT gatewaydn, panelname"))
            self.assertEqual([(r[1], r[3]) for r in silent], [("silent", 48)])
            totals = account.run(sql.find(account.text, "SELECT COUNT(*) AS rows_loaded"))
            self.assertEqual(totals[0][:3], (6, 1, 6))


class Reconciliation(unittest.TestCase):
    """The queries that compare store and table, with a table in the place of what the emulator lacks."""

    def loaded(self, account):
        """Two objects in the table, `a` with two rows and `b` with one."""
        account.run(sql.find(account.text, "CREATE TABLE"))
        for name in ["a", "a", "b"]:
            account.run(f"INSERT INTO {account.table} (file_name) VALUES ('xml-events/2026/01/31/{name}.xml')")

    def test_an_object_without_rows_is_named(self):
        with Account("xml") as account:
            self.loaded(account)
            account.run("CREATE TABLE listed (\"name\" VARCHAR, \"size\" NUMBER, \"last_modified\" VARCHAR)")
            for name in "abc":
                account.run(f"INSERT INTO listed VALUES ('s3://bucket/xml-events/2026/01/31/{name}.xml', 1, 'x')")
            query = sql.once(
                sql.find(account.text, 'SELECT l."name" AS object'), "TABLE(RESULT_SCAN(LAST_QUERY_ID()))", "listed"
            )
            self.assertEqual(account.run(query), [("s3://bucket/xml-events/2026/01/31/c.xml", 1, "x")])

    def test_an_object_with_another_number_of_rows_than_its_manifest_says_is_named(self):
        with Account("xml") as account:
            self.loaded(account)
            account.run("CREATE TABLE manifests (m VARIANT)")
            for name, count in [("a", 2), ("b", 2), ("c", 1)]:
                told = json.dumps({"object": f"xml-events/2026/01/31/{name}.xml", "event_count": count})
                account.run(f"INSERT INTO manifests SELECT PARSE_JSON('{told}')")
            query = sql.find(sql.script("--manifest"), "WITH told")
            source = sql.between(query, "@XML_EVENTS_STAGE_MANIFESTS", "\n)")
            query = sql.once(query, source, "manifests").replace("$1:", "m:")
            found = [(object.rsplit("/")[-1], told, rows) for object, told, rows in account.run(query)]
            self.assertEqual(found, [("b.xml", 2, 1), ("c.xml", 1, 0)])


class Documentation(unittest.TestCase):
    def test_the_queries_of_the_guide_are_read_by_sqlglot(self):
        guide = (sql.ROOT / "docs/snowflake.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^ *```sql\n(.*?)^ *```", guide, re.MULTILINE | re.DOTALL)
        whole = [b for b in blocks if "…" not in b]
        self.assertGreaterEqual(len(whole), 2)
        for statement in itertools.chain.from_iterable(map(sql.statements, whole)):
            self.assertIsInstance(sqlglot.parse_one(statement, dialect="snowflake"), exp.Select)


class Snapshots(unittest.TestCase):
    """What only changes when somebody looks at the change."""

    def compare(self, path, text):
        if os.environ.get("UPDATE_SNAPSHOTS"):
            path.write_text(text, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), text, f"{path}: look, then run with UPDATE_SNAPSHOTS=1")

    def test_the_reduction_removes_what_the_snapshot_says_and_nothing_else(self):
        out = []
        for kind in ["ndjson", "json", "parquet"]:
            text = sql.script("--format", kind)
            columns = [events.element(s) for s in events.ORDER] + ["_extra"]
            view = sql.find(text, "CREATE OR REPLACE VIEW")
            pairs = [
                (stage := sql.find(text, "CREATE STAGE"), sql.reduced_stage(stage)),
                (copy := sql.find(text, "COPY INTO"), sql.reduced_copy(copy, "bare")),
                (view, sql.reduced_view(view, columns)),
            ]
            for full, reduced in pairs:
                out += difflib.unified_diff(
                    full.splitlines(), reduced.splitlines(), f"{kind}: printed", f"{kind}: run", n=0, lineterm=""
                )
        self.compare(SNAPSHOT, "\n".join(out) + "\n")

    def test_the_smoke_script_holds_the_statements_that_we_print_and_the_trap_event(self):
        self.compare(SMOKE, snowflake_smoke.text())

    def test_every_statement_of_the_smoke_script_is_read_by_sqlglot(self):
        found = sql.statements(SMOKE.read_text(encoding="utf-8"))
        self.assertGreater(len(found), 20)
        for statement in found:
            with self.subTest(statement=statement[:60]):
                tree = sqlglot.parse_one(statement, dialect="snowflake")
                self.assertNotIsInstance(tree, exp.Command)


if __name__ == "__main__":
    unittest.main()
