"""Our scripts, cut into statements, and reduced to what an emulator can run.

The reduction is documented here and nowhere else; `snowflake_sql.py` compares exactly what it removes with
`tests/snapshots/snowflake-reduction.diff`.
"""

import json
import os
import pathlib
import subprocess

from sqlglot.dialects.snowflake import Snowflake
from sqlglot.tokens import TokenType

ROOT = pathlib.Path(__file__).parents[2]
LOCAL = "file:///local/"
METADATA = ["file_name", "file_row", "file_modified", "loaded_at"]


def program():
    """The example that prints scripts; SNOWFLAKE_SCRIPT names another place for it."""
    return os.environ.get("SNOWFLAKE_SCRIPT", str(ROOT / "target/debug/examples/snowflake_script"))


def scripts(argument_lists):
    """One script for each list of arguments."""
    lines = "".join(json.dumps(words) + "\n" for words in argument_lists)
    done = subprocess.run([program(), "--batch"], input=lines, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def script(*words):
    return scripts([list(words)])[0]


def statements(text):
    """The statements as written, without their semicolons and the comments in front of them."""
    out, start, end = [], None, None
    for token in Snowflake().tokenize(text):
        if token.token_type == TokenType.SEMICOLON:
            out += [text[start : end + 1]] if start is not None else []
            start = None
        else:
            start = token.start if start is None else start
            end = token.end
    if start is not None:
        raise ValueError("the last statement has no semicolon: " + text[start:][:80])
    return out


def find(text, *beginning):
    """The one statement that begins like this."""
    found = [s for s in statements(text) if s.startswith(beginning)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} statements begin with {beginning}")
    return found[0]


def once(text, old, new):
    """Replaces what must be there exactly once."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is there {text.count(old)} times, not once")
    return text.replace(old, new)


def between(text, first, last):
    """The part of the text from `first` up to `last`."""
    start = text.index(first)
    return text[start : text.index(last, start)]


def reduced_stage(create_stage):
    """A local folder instead of the bucket and its integration."""
    url = between(create_stage, " URL = ", " STORAGE_INTEGRATION")
    integration = create_stage[create_stage.index(" STORAGE_INTEGRATION") :]
    return once(once(create_stage, url, f" URL = '{LOCAL}'"), integration, "")


def reduced_copy(copy, bare_table):
    """No PATTERN, ON_ERROR or metadata: the bare VARIANT form, or MATCH_BY_COLUMN_NAME."""
    copy = once(copy, copy[copy.index("\nPATTERN = ") :], "")
    if "MATCH_BY_COLUMN_NAME" in copy:
        return once(copy, between(copy, "INCLUDE_METADATA", "FILE_FORMAT"), "")
    head = copy[: copy.index("\nFROM (")]
    source = between(copy, "FROM (", "\nFILE_FORMAT")
    stage = source[source.index("@") :].split()[0]
    return once(once(copy, head, f"COPY INTO {bare_table}"), source, f"FROM {stage}")


def reduced_view(view, columns):
    """DuckDB takes no star inside HASH: the columns by name."""
    if "HASH(* EXCLUDE" not in view:
        return view
    star = "* EXCLUDE (" + ", ".join(METADATA) + ")"
    return once(view, star, ", ".join(columns))
