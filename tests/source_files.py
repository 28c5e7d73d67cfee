"""Which files are the project's own sources, for the checks beside this file."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(*folders, suffixes=(".h", ".cpp")):
    """Sorted files below the folders of the repository; the build folder is never one of them."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)


def includes(path):
    """(quote or angle bracket, name) for each include of the file, in order."""
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def project_header(including, name):
    """The project's file that `#include "name"` means in the file `including`, or None."""
    for folder in (including.parent, ROOT / "engine", ROOT / "gst-plugins", ROOT / "samples", ROOT / "tests"):
        if (folder / name).is_file():
            return (folder / name).resolve()
    return None
