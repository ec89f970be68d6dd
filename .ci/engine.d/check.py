"""What every drill of .ci/engine ends with: the store's files against the listener's own ledger.

Reads the objects as the S3 server keeps them (plain files), with an XML parser that is not ours.
Passes when the spool is empty, every object is a well-formed document, no event is in two places,
and what the ledger counted as received is what lies there: no more, no less.

    check.py status   ADMIN_URL FIELD[.FIELD]         prints one value of /api/status
    check.py balanced ADMIN_URL BUCKET_FOLDER [--exactly N] [--at-least N]
"""

import argparse
import json
import pathlib
import re
import sys
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree

PATIENCE = 90  # seconds for the spool to become empty
NAME = re.compile(r"xml-events/\d{8}_\d{6}(_\d{3})?\.xml")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("status")
    one.add_argument("url")
    one.add_argument("field")
    balanced = commands.add_parser("balanced")
    balanced.add_argument("url")
    balanced.add_argument("bucket", type=pathlib.Path)
    balanced.add_argument("--exactly", type=int)
    balanced.add_argument("--at-least", type=int, default=0)
    asked = parser.parse_args()
    if asked.command == "status":
        print(json.dumps(value(status(asked.url), asked.field)))
    else:
        compare(asked)


def status(url):
    with urllib.request.urlopen(f"{url}/api/status", timeout=5) as answer:
        return json.load(answer)


def value(found, field):
    for name in field.split("."):
        found = found[name]
    return found


def compare(asked):
    ledger = drained(asked.url)
    print(f"  ledger: {json.dumps(ledger)}")
    events, rejected = events_in(asked.bucket), rejected_in(asked.bucket)
    problems = list(differences(ledger, events, rejected, asked))
    for problem in problems:
        print(f"  WRONG: {problem}")
    if problems:
        sys.exit(1)
    print(f"  every one of {ledger['received']} received is in exactly one place")


def drained(url):
    """The ledger once nothing waits on the disk any more."""
    end = time.monotonic() + PATIENCE
    while True:
        said = "no answer"
        try:
            found = status(url)
            said = found["ledger"]
            if said["spooled"] == 0 and said["checked"] and not found["connections"]:
                return said
        except (urllib.error.URLError, OSError) as error:
            said = error
        if time.monotonic() > end:
            sys.exit(f"  WRONG: the spool did not become empty in {PATIENCE} s: {said}")
        time.sleep(0.2)


def events_in(bucket):
    """The row id of each event in each event object."""
    found = []
    objects = visible(bucket / "xml-events")
    for path in objects:
        name = path.relative_to(bucket).as_posix()
        if not NAME.fullmatch(name):
            sys.exit(f"  WRONG: {name} is not the name of an event object")
        root = ElementTree.parse(path).getroot()
        if root.tag != "EVENTS" or not len(root):
            sys.exit(f"  WRONG: {name} is not a document of events")
        found += [event.findtext("cn") for event in root]
    size = sum(path.stat().st_size for path in objects)
    print(f"  event objects: {len(objects)} with {len(found)} events in {size} bytes")
    return found


def rejected_in(bucket):
    """How many rejected pieces the quarantine holds; copies of repaired events do not count."""
    objects, pieces, copies = visible(bucket / "xml-events-quarantine"), 0, 0
    for path in objects:
        if path.suffix != ".ndjson":
            continue  # the probe that asks whether the store refuses a second write
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            copies += bool(record.get("repaired"))
            pieces += not record.get("repaired") and record.get("last") is not False
    print(f"  quarantine objects: {len(objects)} with {pieces} pieces and {copies} copies of repaired events")
    return pieces


def visible(folder):
    """Objects; the server keeps its own notes in files that begin with a dot."""
    files = folder.rglob("*") if folder.exists() else []
    return sorted(f for f in files if f.is_file() and not f.name.startswith("."))


def differences(ledger, events, rejected, asked):
    if not ledger["balanced"]:
        yield "the ledger says that it does not balance"
    if ledger["damaged"]:
        yield f"{ledger['damaged']} were damaged on the disk"
    if len(set(events)) != len(events):
        yield f"{len(events) - len(set(events))} events lie in two places"
    if None in events:
        yield "an event without its row id"
    if len(events) != ledger["delivered"]:
        yield f"{ledger['delivered']} counted as delivered, {len(events)} found"
    if rejected != ledger["quarantined"]:
        yield f"{ledger['quarantined']} counted as quarantined, {rejected} found"
    if len(events) + rejected != ledger["received"]:
        yield f"{ledger['received']} counted as received, {len(events) + rejected} found"
    if ledger["received"] < asked.at_least:
        yield f"{asked.at_least} had been counted as received before, {ledger['received']} are now"
    if asked.exactly is not None and ledger["received"] != asked.exactly:
        yield f"{asked.exactly} were sent, {ledger['received']} counted as received"


if __name__ == "__main__":
    main()
