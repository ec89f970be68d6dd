#!/usr/bin/env python3
"""Has the program itself write the trap event, once in every format and compression.

    trap_files.py PROGRAM FOLDER

One process for each form, in the way of production: the event comes over a socket, SIGTERM seals and
delivers it into a local folder. The files are called trap.{xml,json,ndjson,parquet}[.gz|.zst];
Parquet with gzip inside is trap-gzip.parquet. `snowflake_sql.py` reads them (SNOWFLAKE_SAMPLES).
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import snowflake_events as events

PATIENCE = 60  # seconds


def main(program: str, folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for form in ["xml", "json", "ndjson", "parquet"]:
        for compression in ["none", "gzip", "zstd"]:
            with tempfile.TemporaryDirectory() as scratch:
                written = write(program, pathlib.Path(scratch), form, compression)
                shutil.copy(written, folder / name(written, compression))
    print("written by the program:", *sorted(path.name for path in folder.iterdir()))


def name(written: pathlib.Path, compression: str) -> str:
    _, extensions = written.name.split(".", 1)
    return f"trap-gzip.{extensions}" if (extensions, compression) == ("parquet", "gzip") else f"trap.{extensions}"


def write(program: str, scratch: pathlib.Path, form: str, compression: str) -> pathlib.Path:
    port = free_port()
    settings = {
        "PORT": str(port), "BIND_HOST": "127.0.0.1", "ADMIN_ADDR": "127.0.0.1:0", "DATA_DIR": str(scratch / "data"),
        "DESTINATION": str(scratch / "out"), "OUTPUT_FORMAT": form, "COMPRESSION": compression,
        "SHUTDOWN_TIMEOUT": f"{PATIENCE}s",
    }  # fmt: skip
    with open(scratch / "log", "w+b") as log:
        process = subprocess.Popen([program], env={"HOME": str(scratch), **settings}, cwd=scratch, stderr=log)
        try:
            send(port, process)
            process.terminate()
            code = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        files = list((scratch / "out").glob("*"))
        if code != 0 or len(files) != 1:
            sys.exit(f"{form}, {compression}: exit code {code}, files {files}\n{log.read().decode()}")
    return files[0]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def send(port: int, process: subprocess.Popen) -> None:
    """Sends the event and waits until it was read to the end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
            break
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                return  # the exit code and the log tell
            time.sleep(0.02)
    with connection:
        connection.sendall(events.TRAP.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]))
