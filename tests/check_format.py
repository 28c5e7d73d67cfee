#!/usr/bin/env python3
"""Fails when a source file is not laid out as .clang-format says; `--fix` lays it out."""
import shutil
import subprocess
import sys

from source_files import ROOT, sources


def main():
    if not shutil.which("clang-format"):
        sys.exit("clang-format is missing; install Debian's package clang-format")
    how = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "-Werror", "--ferror-limit=3"]
    files = sources("engine", "gst-plugins", "samples", "tests")
    if subprocess.run(["clang-format", *how, *files], cwd=ROOT).returncode:
        sys.exit("these places are laid out differently from .clang-format; tests/check_format.py --fix lays them out")
    print(f"{len(files)} files are laid out as .clang-format says")


if __name__ == "__main__":
    main()
