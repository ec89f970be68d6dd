#!/usr/bin/env python3
"""Lets libxml2, with its default limits, judge what the validator accepted.

Runs the test that writes documents (tests/sieve.rs, `joined_documents_are_written_for_libxml2`) and
parses each with lxml: every joined document must be accepted without an error, namespace errors
included. It also counts, for single events, how often libxml2 accepts what we refused, so that a
validator which refuses everything is seen. Needs lxml. Exit code 1 on the first kind.
"""

import collections
import os
import pathlib
import subprocess
import sys
import tempfile

from lxml import etree


def errors(text: bytes) -> list[str]:
    """What libxml2 has against a document."""
    parser = etree.XMLParser()
    try:
        etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        return [str(error)]
    return [str(e) for e in parser.error_log if e.level >= etree.ErrorLevels.ERROR]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        name = "joined_documents_are_written_for_libxml2"
        command = ["cargo", "test", "--test", "sieve", name, "--", "--exact"]
        subprocess.run(command, check=True, env={**os.environ, "JOINED_DIR": folder})
        counts = collections.Counter()
        wrong = []
        for path in sorted(pathlib.Path(folder).iterdir()):
            kind = path.suffix[1:]
            found = errors(path.read_bytes())
            counts[kind, "refused" if found else "accepted"] += 1
            if found and kind != "refused":
                wrong.append((path.read_text(), found))
        for (ours, theirs), count in sorted(counts.items()):
            print(f"{count} {ours} here, {theirs} by libxml2 {etree.LIBXML_VERSION}")
        for text, found in wrong[:5]:
            print(f"{found[0]}\n    {text[:2000]}", file=sys.stderr)
        enough = counts["xml", "accepted"] > 0 and counts["accepted", "accepted"] > 100
        return 1 if wrong or not enough else 0


if __name__ == "__main__":
    sys.exit(main())
