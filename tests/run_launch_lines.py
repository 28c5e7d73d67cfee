#!/usr/bin/env python3
"""Runs every gst-launch-1.0 line of README.md and docs/ and every pipelines/*.launch as a user would, from the
repository's root, and fails when one of them does, or leaves GStreamer objects behind.

A file of pipelines/ is run by `gst-launch-1.0 $(cat FILE)`, a line of a page (in a block fenced as sh) by bash.
What a test machine has not is replaced by stand-ins, written as  `these words` → `those words`
  - for a .launch file in its row of the table of pipelines/README.md;
  - for a block of a page in a comment right before the block:  <!-- test: `…` → `…`, `…` → `…` -->
In those words {tmp} is a new empty folder and {cloud} the URL of a small server that speaks as an OpenAI-compatible one.
Windows and loudspeakers (autovideosink, autoaudiosink) are always replaced by fakesink.

  run_launch_lines.py [--list] [WORD...]      only lines whose place (file:line) contains one of the words"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from source_files import ROOT

# What GStreamer objects are left when a line has ended is told by its own tracer.
LEAKS = {"GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1"}
LEAKED = re.compile(r"object-alive, type-name=\(string\)(?!%).*")
LIMIT_S = 240  # generous: the longest line answers a one-minute clip on a slow machine
STAND_IN = re.compile(r"`([^`]+)` *→ *`([^`]*)`")
EVERYWHERE = [("autovideosink", "fakesink"), ("autoaudiosink", "fakesink")]


class Cloud(BaseHTTPRequestHandler):
    """Answers every chat completion with the same words, and every other question with an empty list."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"id": "1", "object": "chat.completion", "model": "test", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]})

    def do_GET(self):
        self.answer({"object": "list", "data": []})

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def launch_files():
    """(place, shell line, stand-ins) of each pipelines/*.launch"""
    notes = ROOT / "pipelines" / "README.md"
    rows = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    for path in sorted((ROOT / "pipelines").glob("*.launch")):
        row = next((row for row in rows if row.startswith("|") and path.name in row.split("|")[1]), None)
        if row is None:
            sys.exit(f"pipelines/README.md has no row about {path.name}")
        yield f"pipelines/{path.name}", path.read_text(encoding="utf-8"), STAND_IN.findall(row)


def page_lines():
    """(place, shell line, stand-ins) of each gst-launch-1.0 line of the pages"""
    pages = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if page.exists()]
    for page in pages:
        fenced, stand_ins, command, start = False, [], "", 0
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("```"):
                fenced, stand_ins = line.strip() == "```sh", [] if fenced else stand_ins
            elif not fenced and line.strip():
                stand_ins = STAND_IN.findall(line) if line.startswith("<!-- test:") else []
            elif fenced and (command or line.lstrip("$ ").startswith("gst-launch-1.0")):
                start = start if command else number
                command += line.lstrip("$ ") if not command else "\n" + line
                if not line.rstrip().endswith("\\"):
                    if "$(cat pipelines/" not in command:  # those files are run by themselves
                        yield f"{page.relative_to(ROOT)}:{start}", command, stand_ins
                    command = ""


def with_stand_ins(place, text, stand_ins, names):
    for these, those in EVERYWHERE:
        text = re.sub(rf"\b{these}\b(?! *→)", those, text)
    for these, those in stand_ins:
        if these not in text:
            sys.exit(f"{place}: the stand-in for `{these}` stands for nothing, these words are not in the line")
        text = text.replace(these, those.format(**names))
    return text


def run(place, text, names):
    if place.startswith("pipelines/"):
        written = f"{names['tmp']}/line.launch"
        with open(written, "w", encoding="utf-8") as file:
            file.write(text)
        text = f"gst-launch-1.0 $(cat {written})"
    started = time.monotonic()
    # The tracer has a file of its own: fdsink writes to the start of what is its standard output.
    with tempfile.TemporaryFile("w+") as output, tempfile.NamedTemporaryFile("r") as traced:
        process = subprocess.Popen(["bash", "-c", text], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env=dict(os.environ, GST_DEBUG_FILE=traced.name, **LEAKS))
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = f"none, it ran longer than {LIMIT_S} s"
        output.seek(0)
        said = output.read()
        trace = traced.read()
    leaked = LEAKED.findall(trace) if "object-alive" in trace else ["GStreamer's leaks tracer said nothing: is it there?"]
    print(f"{place}: exit status {status}, {time.monotonic() - started:.1f} s", flush=True)
    if status != 0 or leaked:
        print(text, *(leaked or [said[-4000:]]), sep="\n", flush=True)
    return status == 0 and not leaked


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    lines = [line for line in [*launch_files(), *page_lines()] if not words or any(word in line[0] for word in words)]
    if "--list" in sys.argv[1:]:
        return print("\n".join(f"{place}: {text.strip()}" for place, text, _ in lines))
    if not lines:
        sys.exit("there is no launch line to run; README.md, docs/ and pipelines/ should have some")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = 0
    for place, text, stand_ins in lines:
        with tempfile.TemporaryDirectory() as folder:
            names = {"tmp": folder, "cloud": f"http://127.0.0.1:{server.server_port}/v1"}
            failed += not run(place, with_stand_ins(place, text, stand_ins, names), names)
    if failed:
        sys.exit(f"{failed} of {len(lines)} launch lines fail")
    print(f"{len(lines)} launch lines run")


if __name__ == "__main__":
    main()
