"""Events, read by lxml and written in every form that Snowflake meets; nothing here comes from the program.

The mapping to JSON and Parquet follows the documentation (docs/snowflake.md), the shape of an XML
VARIANT follows Snowflake's. The kinds of the fields are said a second time on purpose: the Rust list is
what the tests judge.
"""

import datetime
import gzip
import json
import pathlib

import pyarrow
import pyarrow.parquet
from lxml import etree

HERE = pathlib.Path(__file__).parent
TRAP = (HERE / "snowflake_trap.xml").read_text(encoding="utf-8")
XML_BLANKS = " \t\r\n"

TIMES = {"Recdate", "Paneldate", "RecdateUTC", "PaneldateUTC", "Lastacc", "Expiredat", "Activdat", "Issuedat"}
OR_NEVER = {"Lastacc", "Expiredat", "Activdat", "Issuedat"}
NUMBERS = {"Pri", "Pointaddress", "Evtypeaddress", "Sourcetype", "Issuelevel", "FacilityCode"}
FLAGS = {"HasCamera", "HasNotes", "HasSoftTriggerSet", "ShowVideo", "IsAlarm"}
ORDER = [
    "GatewayDN", "cn", "Recdate", "Paneldate", "RecdateUTC", "PaneldateUTC", "Lastacc", "Evtypename",
    "BackgroundColor", "ForegroundColor", "AckBackgroundColor", "AckForegroundColor", "Eventname",
    "Panelname", "Sourcename", "Sourcelocation", "Sourcealtname", "Pointaddress", "PointDN",
    "Evtypeaddress", "SourceDN", "Sourcetype", "Operatorname", "Pri", "Msg", "IdentityDN", "Cardno",
    "Embossedno", "Lname", "Fname", "Mi", "Issuelevel", "FacilityCode", "Expiredat", "Activdat",
    "Issuedat", "HasCamera", "HasNotes", "HasSoftTriggerSet", "ShowVideo", "Seqno", "IsAlarm",
]  # fmt: skip


def element(short):
    return short if short == "cn" else "plasectrx" + short


def parse(xml):
    return etree.fromstring(xml.encode("utf-8"))


def trimmed(node):
    return "".join(node.itertext()).strip(XML_BLANKS)


def to_json(node):
    """A text, or an object where there are attributes or children."""
    children = [c for c in node if isinstance(c.tag, str)]
    if not children and not node.attrib:
        return trimmed(node)
    out = {"@" + name: value for name, value in node.attrib.items()}
    out.update(members(children))
    if not children and trimmed(node):
        out["$"] = trimmed(node)
    return out


def members(children):
    out = {}
    for child in children:
        value = to_json(child)
        if child.tag not in out:
            out[child.tag] = value
        elif isinstance(out[child.tag], list):
            out[child.tag].append(value)
        else:
            out[child.tag] = [out[child.tag], value]
    return out


def event_json(xml):
    return members(list(parse(xml)))


def variant(node):
    """An element as Snowflake documents it inside a VARIANT."""
    children = [c for c in node if isinstance(c.tag, str)]
    out = {"@": node.tag}
    out.update({"@" + name: value for name, value in node.attrib.items()})
    shapes = [variant(c) for c in children]
    out["$"] = trimmed(node) if not shapes else shapes[0] if len(shapes) == 1 else shapes
    for position, child in enumerate(children):
        out.setdefault(child.tag, position)
    return out


def event_variant(xml):
    return variant(parse(xml))


def plain(value):
    return value if isinstance(value, str) else None


def parquet_row(event):
    """Plain fields (the first of repeated ones) as columns, the rest as JSON in `_extra`."""
    row = {element(short): None for short in ORDER}
    extra = {}
    for name, value in event.items():
        first = value[0] if isinstance(value, list) else value
        if isinstance(first, str):
            row[name] = first or None
        if not isinstance(value, str):
            extra[name] = value
    row["_extra"] = json.dumps(extra, ensure_ascii=False) if extra else None
    return row


def write_parquet(path, events, compression="zstd"):
    rows = [parquet_row(e) for e in events]
    names = list(dict.fromkeys(name for row in rows for name in row))
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    table = pyarrow.Table.from_pylist([{n: row.get(n) for n in names} for row in rows], schema=schema)
    pyarrow.parquet.write_table(table, path, compression=compression, data_page_version="1.0")


def write_text(path, text):
    """Compressed as the name says."""
    data = text.encode("utf-8")
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = pyarrow.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)


def read_xml(path):
    """The root of a document, compressed as the name says."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        with pyarrow.input_stream(pyarrow.BufferReader(data), compression="zstd") as stream:
            data = stream.read()
    return etree.fromstring(data)


def write_ndjson(path, events):
    write_text(path, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in events))


def write_json(path, events):
    write_text(path, json.dumps(events, ensure_ascii=False, indent=1))


def expected(xml):
    """The typed view's vendor columns for one event, from lxml alone."""
    first = {}
    for child in parse(xml):
        first.setdefault(child.tag, trimmed(child))
    return {short.lower(): typed(short, first.get(element(short)) or None) for short in ORDER}


def typed(short, text):
    if text is None:
        return None
    if short in TIMES:
        return None if short in OR_NEVER and text == "19700101000000Z" else instant(text)
    if short in NUMBERS:
        return int(text) if text.lstrip("-").isdigit() else None
    if short in FLAGS:
        return {"0": False, "1": True}.get(text)
    return text


def instant(text):
    try:
        return datetime.datetime.strptime(text.replace("Z", "+0000"), "%Y%m%d%H%M%S%z")
    except ValueError:
        return None


def event(**values):
    """A small event of vendor fields, by their short names."""
    fields = "".join(f"<{element(k)}>{v}</{element(k)}>" for k, v in values.items())
    return f"<EVENT>{fields}</EVENT>"
