#!/usr/bin/env python3
"""check_tidy.py BUILD: fails when clang-tidy finds something in engine/, gst-plugins/ or samples/.

A file that was clean is not looked at again, in any clone, until it, a header that it includes, its compile command
or the configuration changes: SACCADE_CACHE/tidy holds an empty file named by the hash of all these. It takes minutes
for all files; SACCADE_CACHE is ~/.cache/saccade, or below XDG_CACHE_HOME, unless it is set."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source_files import ROOT, includes, project_header

CHECKED = tuple(str(ROOT / folder) + os.sep for folder in ("engine", "gst-plugins", "samples"))


def with_headers(path, seen):
    """The file and every header of the project that it includes, directly or not."""
    if path not in seen:
        seen.add(path)
        for _, name in includes(path):
            header = project_header(path, name)
            if header:
                with_headers(header, seen)
    return seen


def fingerprint(entry, build, configuration):
    command = entry["command"].replace(str(build), "BUILD").replace(str(ROOT), "ROOT")  # wherever the clone lies
    digest = hashlib.sha256(configuration + command.encode())
    for path in sorted(with_headers(Path(entry["file"]).resolve(), set())):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    if not shutil.which("clang-tidy"):
        sys.exit("clang-tidy is missing; install Debian's package clang-tidy")
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    configuration = (ROOT / ".clang-tidy").read_bytes() + version
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    stamps = Path(os.environ.get("SACCADE_CACHE") or Path(caches) / "saccade") / "tidy"
    stamps.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in json.loads((build / "compile_commands.json").read_text())
               if entry["file"].startswith(CHECKED)]
    todo = [(entry["file"], stamps / fingerprint(entry, build, configuration)) for entry in entries]
    todo = [(file, stamp) for file, stamp in todo if not stamp.exists()]

    def tidy(file, stamp):
        result = subprocess.run(["clang-tidy", "-p", build, "--quiet", file], cwd=ROOT, capture_output=True, text=True)
        if result.returncode == 0:
            stamp.touch()
            return True
        print(f"{os.path.relpath(file, ROOT)}:\n{result.stdout}{'' if result.stdout else result.stderr}", flush=True)
        return False

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        clean = list(pool.map(lambda job: tidy(*job), todo))
    if not all(clean):
        sys.exit(f"clang-tidy found something in {clean.count(False)} of {len(entries)} files, see above")
    print(f"{len(entries)} files are clean, {len(todo)} of them looked at now")


if __name__ == "__main__":
    main()
