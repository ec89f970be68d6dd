#!/usr/bin/env python3
"""The documentation check sees what it is there to see: a copy of the documentation is broken in one
place at a time, and the check of the copy must end with an error that names the fault.

The copy has the real program and the real store, so that its commands run as in the original.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = "docs/quick-start.md"

# What is broken where, what is asked for, and what the check must say.
FAULTS = [
    ("a link to no file", "README.md", "(docs/quick-start.md)", "(docs/slow-start.md)", ["links"], "leads nowhere"),
    ("an anchor of no heading", "docs/metrics.md", "#alerts", "#alarms", ["links"], "no heading with this anchor"),
    ("a path of no file", "ARCHITECTURE.md", "`tests/suite/arrows.rs`", "`tests/suite/bows.rs`", ["links"], "is not in the repository"),
    ("a drill that is not there", "README.md", "[`the_store_refuses_with_403`]", "[`the_store_refuses_with_402`]", ["links"], "has no test 'the_store_refuses_with_402'"),
    ("an exit code without heading", "docs/runbook.md", "### Exit code 3", "### Ends", ["runbook"], "no heading 'Exit code 3'"),
    ("an ERROR without heading", "src/spool/keep.rs", '"a sync failed;', '"a sink failed;', ["runbook"], "'a sink failed'"),
    ("a command that fails", QUICK, "nc -q 1 127.0.0.1 8080", "nc -q 1 127.0.0.1 8079", ["run", QUICK], "ended with 1"),
    ("an output that does not come", QUICK, "<cn>1</cn><plasectrxEventname>Local grant</plasectrxEventname></EVENT>\n</EVENTS>",
     "<cn>2</cn></EVENT>\n</EVENTS>", ["run", QUICK], "is not in what the command wrote"),
    ("a program that does not start", QUICK, "--rotation-interval 5s", "--rotation-interval often", ["run", QUICK], "never wrote"),
    ("a patch that does not fit", "docs/changes/rotate-every-minute.patch", '"3600"', '"3601"', ["run", "CONTRIBUTING.md"], "patch does not apply"),
    ("a command nobody runs", "docs/operations.md", "# Operations\n", "# Operations\n\n    xml-stream-aggregator check\n", ["run", "none"], "indented command"),
    ("a command in an unmarked fence", "docs/operations.md", "# Operations\n", "# Operations\n\n```\ncargo tset\n```\n", ["run", "none"], "not marked `sh`"),
]


def copy(folder):
    """What the check reads, as a repository of its own; what it builds is there already."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "target").symlink_to(ROOT / "target")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)


def check(folder, arguments):
    # The copy's program is the original's: only the documentation differs.
    environment = {**os.environ, "DOCS_BUILT": "1"}
    done = subprocess.run([sys.executable, ".ci/docs.py", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    build = ["cargo", "build", "--locked", "--quiet", "--bin", "xml-stream-aggregator", "--example", "store"]
    subprocess.run(build, cwd=ROOT, check=True)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="docs-test-") as name:
        folder = Path(name)
        copy(folder)
        for what, file, good, bad, arguments, expected in FAULTS:
            text = (ROOT / file).read_text()
            if good not in text:
                sys.exit(f"{file} has no '{good}' to break: say in {__file__} what to break instead")
            (folder / file).write_text(text.replace(good, bad, 1))
            code, said = check(folder, arguments)
            (folder / file).write_text(text)
            seen = code != 0 and expected in said
            missed += not seen
            print(f"{'✓' if seen else '✗'} {what}" + ("" if seen else f": exit code {code}, no '{expected}' in:\n{said}"), flush=True)
    sys.exit(1 if missed else 0)


main()
