#!/usr/bin/env python3
"""Proves with readers that are not ours that every format holds the same events.

    formats.py DIR

DIR holds objects made from one segment (`cargo run --example encode_samples -- DIR`). lxml parses the
XML; the mapping of docs is then applied a second time, here, to what lxml saw; duckdb reads every
JSON, NDJSON and Parquet object, plain, gzip and zstd. Rows and values must be equal, text for text.
Needs from PyPI: lxml, duckdb, zstandard.
"""

import gzip
import json
import pathlib
import sys

import duckdb
import lxml.etree
import zstandard

SPACE = " \t\r\n"
EXTRA = "_extra"


def unpack(path):
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(data).read()
    return data


def written_name(name, element):
    """`{urn:site}zone` as it was written: `site:zone`."""
    if not name.startswith("{"):
        return name
    uri, local = name[1:].split("}")
    prefix = next(p for p, u in element.nsmap.items() if u == uri and (p or "{" not in name))
    return f"{prefix}:{local}" if prefix else local


def element_name(element):
    local = lxml.etree.QName(element).localname
    return f"{element.prefix}:{local}" if element.prefix else local


def declarations(element):
    parent = element.getparent()
    outer = parent.nsmap if parent is not None else {}
    return {
        ("@xmlns:" + prefix if prefix else "@xmlns"): uri
        for prefix, uri in element.nsmap.items()
        if outer.get(prefix) != uri
    }


def mapped(element, top=False):
    children = [c for c in element if isinstance(c.tag, str)]
    attributes = declarations(element)
    attributes.update({"@" + written_name(k, element): v for k, v in element.attrib.items()})
    text = "".join([element.text or ""] + [c.tail or "" for c in element]).strip(SPACE)
    if not (top or children or attributes):
        return text
    lists = {}
    for child in children:
        lists.setdefault(element_name(child), []).append(mapped(child))
    result = dict(attributes)
    result.update({name: v[0] if len(v) == 1 else v for name, v in lists.items()})
    if text:
        result["$"] = text
    return result


def as_lists(event):
    """A list per field without empty texts: what Parquet can tell."""
    lists = {}
    for name, value in event.items():
        values = [v for v in (value if isinstance(value, list) else [value]) if v != "" or name[0] == "@"]
        if values:
            lists[name] = values
    return lists


def from_row(row):
    event = {name: [text] for name, text in row.items() if name != EXTRA and text is not None}
    for name, value in json.loads(row.get(EXTRA) or "{}").items():
        event.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    return as_lists(event)


def check(condition, path, message):
    if not condition:
        sys.exit(f"{path}: {message}")


def same(path, found, expected):
    check(len(found) == len(expected), path, f"{len(found)} events, expected {len(expected)}")
    for number, (one, other) in enumerate(zip(found, expected)):
        check(one == other, path, f"event {number} differs:\n  found    {one}\n  expected {other}")


def main(folder):
    paths = sorted(p for p in folder.iterdir() if p.suffix != ".sealed")
    sealed = next(folder.glob("*.sealed")).read_bytes()
    parser = lxml.etree.XMLParser(resolve_entities=False)  # libxml2's default limits
    expected = [mapped(e, top=True) for e in lxml.etree.fromstring(sealed, parser)]
    print(f"{len(expected)} events in the sealed segment")
    trap = expected[0]
    check(trap["plasectrxCardno"] == "000123" and trap["plasectrxEmbossedno"] == "12E5", folder, "no trap event")
    duck = duckdb.connect()
    seen = set()
    for path in paths:
        kind = path.name.removesuffix(".gz").removesuffix(".zst").rsplit(".", 1)[1]
        seen.add((kind, path.suffix if path.suffix in (".gz", ".zst") else path.name.split("-")[0]))
        if kind == "xml":
            found = [mapped(e, top=True) for e in lxml.etree.fromstring(unpack(path), parser)]
            same(path, found, expected)
        elif kind in ("json", "ndjson"):
            layout = "array" if kind == "json" else "newline_delimited"
            rows = duck.execute(
                f"SELECT json FROM read_json_objects(?, format='{layout}', maximum_object_size=100000000)", [str(path)]
            ).fetchall()
            objects = [json.loads(text, object_pairs_hook=list) for (text,) in rows]
            check(all(len(dict(o)) == len(o) for o in objects), path, "a key is there twice")
            same(path, [json.loads(text) for (text,) in rows], expected)
            plain = json.loads(unpack(path)) if kind == "json" else [json.loads(l) for l in unpack(path).splitlines()]
            same(path, plain, expected)
            numbers = duck.execute(
                "SELECT plasectrxCardno FROM read_json(?, columns={plasectrxCardno:'VARCHAR'}, "
                f"format='{layout}', maximum_object_size=100000000) LIMIT 1", [str(path)]).fetchone()
            check(numbers == ("000123",), path, f"a card number became {numbers}")
        elif kind == "parquet":
            query = duck.execute("SELECT * FROM read_parquet(?)", [str(path)])
            names = [column[0] for column in query.description]
            check({str(c[1]) for c in query.description} <= {"VARCHAR", "STRING"}, path, "a column is not text")
            check(len({n.casefold() for n in names}) == len(names), path, "two columns differ only by case")
            rows = [dict(zip(names, row)) for row in query.fetchall()]
            check(all(v != "" for row in rows for v in row.values()), path, "an empty text that is not NULL")
            same(path, [from_row(row) for row in rows], [as_lists(e) for e in expected])
            groups = duck.execute(
                "SELECT count(DISTINCT row_group_id), string_agg(DISTINCT compression), string_agg(DISTINCT encodings) "
                "FROM parquet_metadata(?)", [str(path)]).fetchone()
            check(groups[0] > 1, path, "one row group only: the sample is too small to prove anything")
            print(f"  {path.name}: {len(names)} columns, {groups[0]} row groups, {groups[1]}, {groups[2]}")
        else:
            check(False, path, "an unknown format")
        print(f"  {path.name}: {path.stat().st_size} bytes, the same {len(expected)} events")
    check(len(seen) >= 12, folder, f"only {sorted(seen)}")
    print("every format holds the same events")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
