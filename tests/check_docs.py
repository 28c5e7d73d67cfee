#!/usr/bin/env python3
"""Fails when docs/elements/*.md or README.md says something else about an element than gst-inspect-1.0.

A page has a table `| property | type | default | … |`: every property of the element is in it, no other, each
with its true default. Signals are named on the page. README's table `| element | … |` names every element."""
import re
import subprocess
import sys

from source_files import ROOT

# Properties that GStreamer's base classes bring: a page may name them and need not.
INHERITED = {"name", "parent", "qos", "async", "blocksize", "enable-last-sample", "last-sample", "max-bitrate",
             "max-lateness", "processing-deadline", "render-delay", "stats", "sync", "throttle-time", "ts-offset"}
NONE = {"", "-", "–", "none", "null"}


def inspect(what):
    run = subprocess.run(["gst-inspect-1.0", "--no-colors", what], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"gst-inspect-1.0 knows no {what}: is GST_PLUGIN_PATH the folder of libgstsaccade.so?\n{run.stderr}")
    return run.stdout


def section(text, title):
    """The indented lines below a title."""
    found = re.search(rf"^{title}:\n((?:[ \t].*\n|\n)*)", text, re.MULTILINE)
    return found.group(1) if found else ""


def properties_of(text):
    """{property: default as gst-inspect prints it, or "" where it has none}"""
    properties = {}
    for name, description in re.findall(r"^  ([a-z][\w-]*) *: (.*(?:\n {6,}.*)*)", section(text, "Element Properties"),
                                        re.MULTILINE):
        default = re.search(r"Default:[ \t]*(.*)", description)
        properties[name] = default.group(1).strip() if default else ""
    return properties


def signals_of(text):
    return re.findall(r'^  "([\w-]+)"', section(text, "Element Signals") + section(text, "Element Actions"), re.MULTILINE)


def table(markdown, first_header):
    """{first cell: all cells} of each table row below a header row that starts with first_header."""
    rows, inside = {}, False
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0].lower() == first_header:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            rows[cells[0].strip("`*[] ").split("]")[0].strip("`")] = cells
    return rows


def same_default(written, true):
    """Is what a person wrote in the table the default that gst-inspect prints?"""
    written = written.replace("\\", "").strip("` ").strip('"')
    enum = re.match(r'-?\d+, "(.*)"', true) or re.match(r'0x[0-9a-f]+, "(.*)"', true)
    true = enum.group(1) if enum else true.strip('"')
    if written.lower() in NONE and true.lower() in NONE | {"(null)"}:
        return True
    try:
        return abs(float(written.split()[0].replace(",", "")) - float(true)) <= 1e-6 * max(1.0, abs(float(true)))
    except (ValueError, IndexError):
        return written.lower() == true.lower()


def complaints_about(element):
    page = ROOT / "docs" / "elements" / f"{element}.md"
    if not page.exists():
        return [f"docs/elements/{element}.md is missing"]
    text, markdown = inspect(element), page.read_text(encoding="utf-8")
    true, written = properties_of(text), table(markdown, "property")
    where, found = page.relative_to(ROOT), []
    for name in sorted(set(true) - set(written) - INHERITED):
        found.append(f"{where}: the property {name} (default {true[name] or 'none'}) is missing")
    for name in sorted(set(written) - set(true)):
        found.append(f"{where}: {element} has no property {name}")
    for name in sorted(set(written) & set(true)):
        default = written[name][2] if len(written[name]) > 2 else ""
        if not same_default(default, true[name]):
            found.append(f"{where}: the default of {name} is {true[name] or 'none'}, not {default}")
    found += [f"{where}: the signal {name} is not named" for name in signals_of(text) if f"`{name}`" not in markdown]
    return found


def main():
    elements = set(re.findall(r"^  ([a-z]\w*): ", inspect("saccade"), re.MULTILINE))
    found = [complaint for element in sorted(elements) for complaint in complaints_about(element)]
    found += [f"docs/elements/{page.name}: there is no such element"
              for page in sorted((ROOT / "docs" / "elements").glob("*.md")) if page.stem not in elements]
    readme = ROOT / "README.md"
    named = set(table(readme.read_text(encoding="utf-8"), "element")) if readme.exists() else set()
    if named != elements:
        found.append(f"README.md's element table names {sorted(named)}, the plugin has {sorted(elements)}")
    if found:
        sys.exit("\n".join(found))
    print(f"the pages of {len(elements)} elements say what gst-inspect-1.0 says")


if __name__ == "__main__":
    main()
