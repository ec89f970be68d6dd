#!/usr/bin/env python3
"""Holds the documentation to the truth: links, commands, exit codes and ERROR lines.

    .ci/docs.py                everything
    .ci/docs.py links          every relative link, anchor, path and named test resolves
    .ci/docs.py runbook        every exit code and every ERROR of the source has its heading
    .ci/docs.py run [FILE…]    the commands, taken from the text, do what the text says

How a command is marked, in the info string of its fence (readers do not see it):

    ```sh                      is run, by bash, and must end with exit code 0
    ```sh eventually           is tried again until it does, for a minute at most
    ```sh background="TEXT"    keeps running; the story goes on when it has written TEXT. At the end
                               of the file it gets SIGTERM and must end with exit code 0
    ```sh until="TEXT"         the same, but it gets SIGTERM as soon as it has written TEXT
    ```sh repository           is run in the root of the repository
    ```sh scratch              is run in a copy of the repository, with a git of its own
    ```sh not-run="REASON"     is not run; the reason is printed
    ```env file="NAME"         the block (of any kind) is written to that file before the story goes on
    ```output                  lines that the command before it has written, in this order, among
                               others; … stands for anything

A file is one story: its blocks run in order, in one folder that is empty at first, with the exports
of the blocks before. In the story there are the program (PATH), and an S3 server with the bucket
`site-events`, given as AWS_ENDPOINT_URL and keys, because no test may need an account. Where the
system lets us, all of it runs in a network of its own, where every port is free.

Refused: a command in a fence without `sh`, because nobody would notice that it is never run.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = "xml-stream-aggregator"
COMMAND = re.compile(rf"^\s*(\$ )?([A-Z_]+=\S+ )*({BINARY}|cargo|docker|\.ci/|kubectl|printf|export) ?")
PLACES = re.compile(r"^(src|tests|docs|deploy|examples|benches|fuzz|\.ci|\.github|\.kilocode)/[\w./-]*\w$")
MINUTE, LONG = 60, 1800

problems = []


def problem(where, text):
    problems.append(f"{where}: {text}")
    print(f"✗ {where}: {text}", flush=True)


def name_of(path):
    return str(path.relative_to(ROOT))


def documents():
    """Every Markdown file of the repository, committed or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


# ---- Markdown, as much of it as we write ----

class Fence:
    """A block of code: where, what is said about it, what is in it."""

    def __init__(self, path, line, info):
        self.where = f"{name_of(path)}:{line}"
        self.words = shlex.split(info)
        self.lines = []

    def kind(self):
        return self.words[0] if self.words else ""

    def says(self, name):
        """The value of `name="…"`, True for a bare `name`, else None."""
        for word in self.words[1:]:
            key, equals, value = word.partition("=")
            if key == name:
                return value if equals else True
        return None

    def text(self):
        return "\n".join(self.lines)


def parse(path):
    """The prose, as (line number, text), and the fences of a file."""
    prose, fences, inside = [], [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark = re.match(r"^(\s*)```(.*)$", line)
        if inside is None and mark:
            inside, indent = Fence(path, number, mark[2].strip()), mark[1]
        elif inside is not None and mark:
            fences.append(inside)
            inside = None
        elif inside is not None:
            inside.lines.append(line.removeprefix(indent))
        else:
            prose.append((number, line))
    if inside is not None:
        problem(inside.where, "this fence is never closed")
    return prose, fences


def anchors(path):
    """The anchors of a file's headings, made as GitHub makes them."""
    found, seen = set(), {}
    for _, line in parse(path)[0]:
        heading = re.match(r"^#{1,6} (.*)$", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            times = seen.get(slug, 0)
            seen[slug] = times + 1
            found.add(f"{slug}-{times}" if times else slug)
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


# ---- links ----

def links():
    checked = 0
    for path in documents():
        for number, line in parse(path)[0]:
            where = f"{name_of(path)}:{number}"
            for span in re.findall(r"`([^`]+)`", line):
                if PLACES.match(span) and not (ROOT / span).exists():
                    problem(where, f"`{span}` is not in the repository")
            bare = re.sub(r"`[^`]*`", "", line)
            targets = re.findall(r"\]\(<?([^)>]+)>?\)", bare)
            targets += re.findall(r'(?:src|href)="([^"]+)"', bare)
            for target in targets:
                checked += follow(path, where, target)
            for test, target in re.findall(r"\[`(\w+)`\]\(([^)#]+\.rs)\)", line):
                goal = path.parent / target
                if goal.exists() and not re.search(rf"\bfn {test}\b", goal.read_text()):
                    problem(where, f"{target} has no test '{test}'")
    print(f"links: {checked} resolve or are named above (those into the Internet are not followed)")


def follow(path, where, target):
    """Checks one link; 1 if it is one of ours."""
    if re.match(r"^[a-z]+:", target):
        return 0
    file, _, anchor = target.partition("#")
    goal = (path.parent / file.replace("%20", " ")).resolve() if file else path
    if not goal.exists():
        problem(where, f"the link to {target} leads nowhere")
    elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
        problem(where, f"{target}: the file has no heading with this anchor")
    return 1


# ---- the runbook ----

def runbook():
    path = ROOT / "docs/runbook.md"
    headings = [line.lstrip("# ") for _, line in parse(path)[0] if line.startswith("#")]
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.M)
    if not codes:
        problem("README.md", "has no table of exit codes")
    for code in codes:
        if f"Exit code {code}" not in headings:
            problem("docs/runbook.md", f"no heading 'Exit code {code}'")
    known = path.read_text().partition("## ERROR lines")[2]
    messages = error_messages()
    if len(messages) < 10:
        problem("src", f"only {len(messages)} ERROR messages found: has the way of writing them changed?")
    for where, message in messages:
        if not says(known, message):
            problem(where, f"ERROR '{message}' has no heading in docs/runbook.md")
    print(f"runbook: {len(codes)} exit codes, {len(messages)} ERROR messages")


def says(known, message):
    """Whether a heading, or a code span in the text below one, holds the message."""
    spans = re.findall(r"^### (.*)$", known, re.M) + re.findall(r"`([^`]+)`", " ".join(known.split()))
    return any(message in part for span in spans for part in span.split(", ") + [span])


def error_messages():
    """What each `error!` of the source says, up to the first mark or inserted value."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.rs")):
        if path.name == "tests.rs":
            continue
        text = path.read_text().partition("#[cfg(test)]\nmod tests {")[0]
        for call in re.finditer(r"\berror!\(", text):
            where = f"{name_of(path)}:{text.count(chr(10), 0, call.start()) + 1}"
            rest = re.sub(r'\b\w+ = "(?:[^"\\]|\\.)*"', "", text[call.end() : call.end() + 800], flags=re.S)
            literal = re.search(r'"((?:[^"\\]|\\.)*)"', rest, re.S)
            words = re.sub(r"\\\s*\n\s*", "", literal[1]) if literal else ""
            message = re.split(r"[:;,{]", words)[0].strip()
            if message:
                found.append((where, message))
            else:
                problem(where, "this error! has no constant message")
    return found


# ---- commands ----

def run(names):
    asked = [ROOT / name for name in names]
    build = ["cargo", "build", "--locked", "--quiet", "--bin", BINARY, "--example", "store"]
    if not os.environ.get("DOCS_BUILT"):
        subprocess.run(build, cwd=ROOT, check=True)
    ran = skipped = 0
    # Aside, so that nothing that a story builds takes their place.
    with tempfile.TemporaryDirectory(prefix="docs-bin-") as programs:
        for program in ("target/debug/" + BINARY, "target/debug/examples/store"):
            shutil.copy2(ROOT / program, programs)
        for path in documents():
            ran_here, skipped_here = tell(path, not asked or path in asked, Path(programs))
            ran, skipped = ran + ran_here, skipped + skipped_here
    print(f"commands: {ran} blocks run, {skipped} not run for the reasons above")


def tell(path, wanted, programs):
    fences = parse(path)[1]
    strays(path, fences)
    if not wanted or not any(fence.kind() == "sh" for fence in fences):
        return 0, 0
    with Story(programs) as story:
        return story.tell(fences)


def copy(folder):
    """The files of the repository, committed or about to be, as a repository of their own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)  # with a new time, so that cargo builds it
    us = ["-c", "user.name=docs", "-c", "user.email=docs@localhost"]
    for step in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], [*us, "commit", "--quiet", "--message=as it is"]):
        subprocess.run(["git", *step], cwd=folder, check=True)


def strays(path, fences):
    """Commands where nobody would run them."""
    for fence in fences:
        if fence.kind() in ("", "text", "bash", "shell", "console") and any(map(COMMAND.match, fence.lines)):
            problem(fence.where, "commands in a fence that is not marked `sh`")
    for number, line in parse(path)[0]:
        if line.startswith("    ") and COMMAND.match(line):
            problem(f"{name_of(path)}:{number}", "an indented command: use a fence marked `sh`")


class Story:
    """One file's commands, in one folder."""

    def __init__(self, programs):
        self.programs = programs
        self.folder = tempfile.TemporaryDirectory(prefix="docs-")
        self.here = Path(self.folder.name) / "here"
        self.state = Path(self.folder.name) / "state"
        self.background = []
        self.output = ""

    def __enter__(self):
        self.here.mkdir()
        bucket = Path(self.folder.name) / "buckets/site-events"
        bucket.mkdir(parents=True)
        self.state.write_text("")
        keys = {"AWS_ACCESS_KEY_ID": "AKIADOCS", "AWS_SECRET_ACCESS_KEY": "docs-secret"}
        kept = {name: os.environ[name] for name in ("HOME", "RUSTUP_HOME", "CARGO_HOME", "LANG") if name in os.environ}
        path = f"{self.programs}:{os.environ['PATH']}"
        self.env = {**kept, **keys, "PATH": path, "NO_COLOR": "1", "CARGO_NET_OFFLINE": "true"}
        log = open(Path(self.folder.name) / "store", "w+b")
        self.store = subprocess.Popen([self.programs / "store", bucket.parent], env=self.env, stdout=log, stderr=subprocess.STDOUT)
        self.env["AWS_ENDPOINT_URL"] = self.wait(log.name, "http://", self.store).split()[-1]
        return self

    def __exit__(self, *_):
        for fence, process, log in self.background:
            self.end(fence, process, log)
        self.store.kill()
        self.store.wait()
        self.folder.cleanup()

    def tell(self, fences):
        """Runs the blocks in order; how many ran, how many did not."""
        ran = skipped = 0
        for fence in fences:
            if fence.kind() == "output":
                self.compare(fence)
            if fence.says("file"):
                (self.here / fence.says("file")).write_text(fence.text() + "\n")
            if fence.kind() != "sh":
                continue
            reason = fence.says("not-run")
            if reason:
                print(f"– {fence.where}: not run: {reason}", flush=True)
                skipped += 1
                continue
            ran += 1
            if not self.obey(fence):
                return ran, skipped
            print(f"✓ {fence.where}", flush=True)
        return ran, skipped

    def obey(self, fence):
        ready = fence.says("background") or fence.says("until")
        if ready:
            started = self.begin(fence, ready)
            return self.end(*self.background.pop()) and started if fence.says("until") else started
        deadline = time.monotonic() + MINUTE
        while True:
            code = self.once(fence)
            if code == 0:
                return True
            if not fence.says("eventually") or time.monotonic() > deadline:
                problem(fence.where, f"ended with {code}:\n{fence.text()}\n---\n{self.output}{self.logs()}")
                return False
            time.sleep(0.2)

    def once(self, fence):
        end = f'\nexport -p >"{self.state}"\n'
        limit = LONG if "cargo" in fence.text() else MINUTE * 2
        try:
            done = subprocess.run(self.bash(fence, end), cwd=self.where(fence), env=self.env, timeout=limit,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired as late:
            self.output = (late.stdout or b"").decode(errors="replace")
            return f"no end after {limit} s"
        self.output = done.stdout.decode(errors="replace")
        return done.returncode

    def begin(self, fence, ready):
        log = Path(self.folder.name) / f"log{len(self.background)}"
        with open(log, "wb") as file:
            process = subprocess.Popen(self.bash(fence, ""), cwd=self.where(fence), env=self.env, stdin=subprocess.DEVNULL,
                                       stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        self.background.append((fence, process, log))
        limit = LONG if "cargo" in fence.text() else MINUTE
        self.output = self.wait(log, ready, process, limit)
        if ready not in self.output:
            problem(fence.where, f"never wrote '{ready}':\n{self.output}")
        return ready in self.output

    def end(self, fence, process, log):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            code = process.wait(MINUTE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = "SIGKILL, a minute after SIGTERM"
        if code != 0:
            problem(fence.where, f"ended with {code}:\n{Path(log).read_text(errors='replace')}")
        return code == 0

    def wait(self, log, text, process, limit=MINUTE):
        """What is in the log once `text` is, or when the process or our patience ends."""
        deadline = time.monotonic() + limit
        while True:
            ended = process.poll() is not None
            written = Path(log).read_text(errors="replace")
            if text in written or ended or time.monotonic() > deadline:
                return written
            time.sleep(0.05)

    def bash(self, fence, end):
        begin = f'. "{self.state}"\n'
        if not end:
            # Exports of the blocks before, and still one command, which bash then becomes.
            return ["bash", "-c", f'. "{self.state}"; exec bash -euo pipefail -c "$0"', fence.text()]
        return ["bash", "-euo", "pipefail", "-c", begin + fence.text() + end]

    def where(self, fence):
        if fence.says("scratch"):
            return self.scratch()
        return ROOT if fence.says("repository") else self.here

    def scratch(self):
        """A copy of the repository as it lies here, committed. Its target folder is its own: cargo cannot
        tell two copies of a package apart, and would take what was built from one for the other."""
        folder = Path(self.folder.name) / "scratch"
        if not folder.exists():
            copy(folder)
            self.env["CARGO_TARGET_DIR"] = str(ROOT / "target/scratch")
            take_over_dependencies(ROOT / "target/debug", ROOT / "target/scratch/debug")
        return folder

    def logs(self):
        tails = (Path(log).read_text(errors="replace")[-2000:] for _, _, log in self.background)
        return "".join(f"--- written in the background:\n{tail}" for tail in tails)

    def compare(self, fence):
        rest = self.output
        for line in filter(str.strip, fence.lines):
            pattern = ".*".join(re.escape(part) for part in re.sub(r"\s+", " ", line.strip()).split("…"))
            pattern = pattern.replace(r"\ ", r"\s+")
            hit = re.search(rf"^\s*{pattern}\s*$", rest, re.M)
            if not hit:
                problem(fence.where, f"'{line}' is not in what the command wrote:\n{self.output}")
                return
            rest = rest[hit.end() :]


def take_over_dependencies(built, target):
    """What is built of other packages serves again; ours is not taken over."""
    if target.exists() or not built.exists():
        return
    tests = [path.stem for kind in ("tests", "benches", "examples") for path in (ROOT / kind).iterdir()]
    ours = re.compile(rf"(lib)?(xml[-_]stream[-_]aggregator|{'|'.join(map(re.escape, tests))})-[0-9a-f]{{16}}")
    for part in (".fingerprint", "build", "deps"):
        skip = lambda _, names: [name for name in names if ours.match(name)]
        shutil.copytree(built / part, target / part, ignore=skip, symlinks=True)


def alone():
    """Starts again in a network of its own, where the system has such a thing."""
    if os.environ.get("DOCS_ALONE") or not shutil.which("unshare") or not shutil.which("ip"):
        return
    own = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"']
    if subprocess.run(own + ["true"], capture_output=True).returncode == 0:
        os.environ["DOCS_ALONE"] = "1"
        os.execvp(own[0], own + [sys.executable, __file__, *sys.argv[1:]])
    print("no network of its own here: the ports 8080 and 8081 must be free")


def main():
    what, names = (sys.argv[1] if len(sys.argv) > 1 else "all"), sys.argv[2:]
    if what not in ("all", "links", "runbook", "run"):
        sys.exit(__doc__)
    if what in ("all", "run"):
        alone()
    if what in ("all", "links"):
        links()
    if what in ("all", "runbook"):
        runbook()
    if what in ("all", "run"):
        run(names)
    if problems:
        sys.exit(f"{len(problems)} problems in the documentation:\n  " + "\n  ".join(p.splitlines()[0] for p in problems))


main()
