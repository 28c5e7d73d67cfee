"""docs/benchmarks.md and its plots, from reports. Nothing in it is typed: whatever it says, a run has measured.

The page has a part about streams (--suite), one about the gate (--gate), one about the encoder (--encoder), one about sessions
(--sessions), one about what becomes of a window's pictures (--suite policies) and one about offloading (--offload), which has a part of
docs/offload.md as well. Each command writes its own and leaves the others as they are."""

import json
import os

import costs
import machine
import plots
import report as reports
from bootstrap import BLOCK_S
from models import PROJECT

PAGE = os.path.join(PROJECT, "docs", "benchmarks.md")
IMAGES = os.path.join(PROJECT, "docs", "images", "benchmarks")
OFFLOAD_PAGE = os.path.join(PROJECT, "docs", "offload.md")
OFFLOAD_IMAGES = os.path.join(PROJECT, "docs", "images", "offload")
MEASURED = "measured"   # the part of that page that is nobody's hand's

TITLE = """# Benchmarks

Written by the commands that its parts name, and by nobody's hand: run them to have this page about your machine.
[eval.md](eval.md) says how to measure a model and a clip of your own.
"""
PARTS = ("streams", "gate", "encoder", "sessions", "policies", "offload")   # in this order
BEGIN, END = "<!-- part %s -->", "<!-- end of %s -->"

HEAD = """## %(title)s

Written by `samples/eval/saccade-eval --suite %(suite)s --docs`.

- Machine: %(cpu)s, %(cores)d cores, %(memory_gb)d GB of memory, %(system)s.
- Commit: %(commit)s. Stage costs of virtual time: %(costs)s.
- Load of the machine when the page was written: %(load).1f processes wanted to run. Live figures are of this machine in
  that state, and only their ratios, which were taken in turns, may be compared with another day's.
- Models: %(models)s.

Every interval in brackets is a 95 %% bootstrap interval over blocks of %(block)g s of stream. n stands in the columns
*checks* (moments that were scored, ten a second and question), *changes* (of the world), *answers* and *runs*.
"""

HOW_TO_READ = {
    "accuracy-exact": "Up is more often right, left is less work. A configuration is worth its cost when none stands above "
                      "it to its left. Bars are 95 % intervals.",
    "accuracy-live": "The same, by the clock: what was dropped and what came late counts as wrong, and the cost is that of "
                     "all processes.",
    "latency-exact": "How many of a configuration's answers are there after so many seconds, if nothing is ever dropped. A "
                     "line far to the right is a configuration that cannot keep up with the stream: its queue grows for as "
                     "long as the clip lasts.",
    "latency-live": "How many of a configuration's answers are there after so many seconds. Pictures that were dropped to "
                    "keep up have no answer and are not in the line; the table of costs counts them.",
    "timeline-exact": "Each question's truth, and below it what stood as the answer meanwhile. The ticks at the bottom are "
                      "the pictures that were encoded: a good gate has them where the truth changes.",
    "timeline-live": "The same by the clock.",
}


def _costs_machine():
    try:
        with open(costs.TABLE, encoding="utf-8") as file:
            return "recorded on %(cpu)s, %(cores)d cores" % json.load(file)["machine"]
    except (OSError, ValueError, KeyError):
        return "none recorded"


def _head(report, title):
    models = "; ".join("%s is %s, %s" % (role, pair["name"], pair["fingerprint"])
                       for role, pair in report["pairs"].items())
    return HEAD % dict(machine.describe(), title=title, suite=report["suite"], commit=machine.commit(), load=machine.load(),
                       costs=_costs_machine(), models=models, block=BLOCK_S)


def _streams(report, drawn, further):
    """further: reports of other suites, whose exact tables stand in the same part."""
    parts = [_head(report, "Streams"), reports.explanation(report)]
    parts += [reports.section(report, mode, "###") for mode in reports.MODES if mode in report]
    for other in further:
        parts.append("### %s: %s\n" % (other["suite"].capitalize(), other["about"]))
        parts.append(reports.section(other, "exact", "####"))
    parts.append("### Plots\n")
    for title, name in drawn:
        how = HOW_TO_READ[os.path.splitext(name)[0]]
        parts.append("#### %s\n\n![%s](images/benchmarks/%s)\n\n%s\n" % (title, title, name, how))
    return "\n".join(parts)


def _parts_of(page):
    """{part: text} of those that the page has."""
    found = {}
    for part in PARTS:
        begin, end = page.find(BEGIN % part), page.find(END % part)
        if 0 <= begin < end:
            found[part] = page[begin + len(BEGIN % part):end].strip("\n")
    return found


def with_part(page, part, text):
    """The page with this part anew."""
    found = dict(_parts_of(page), **{part: text.strip("\n")})
    parts = ["%s\n\n%s\n\n%s\n" % (BEGIN % name, found[name], END % name) for name in PARTS if name in found]
    return "\n".join([TITLE] + parts)


def _write_part(part, text):
    page = ""
    if os.path.exists(PAGE):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
    page = with_part(page, part, text)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)
    for name in os.listdir(IMAGES):
        if "images/benchmarks/%s)" % name not in page:   # of an earlier page, or the other format
            os.remove(os.path.join(IMAGES, name))


def is_part(suite):
    """Whether the suite has a part of the page for itself, by its own name."""
    return suite in PARTS


def write_suite(report):
    """Of a suite that is_part()."""
    title = "%s: %s" % (report["suite"].capitalize(), report["about"])
    os.makedirs(IMAGES, exist_ok=True)
    _write_part(report["suite"], "\n".join([_head(report, title), reports.section(report, "exact", "###")]))


def write(report, results, further=()):
    os.makedirs(IMAGES, exist_ok=True)
    _write_part("streams", _streams(report, plots.draw_all(IMAGES, report, results), further))


def write_encoder(text):
    _write_part("encoder", text)


def write_sessions(text):
    _write_part("sessions", text)


def write_gate(section, draw):
    """section: the part's text, of the names of plots; draw: makes them in a folder and says their names."""
    os.makedirs(IMAGES, exist_ok=True)
    _write_part("gate", section(draw(IMAGES)))


def with_measured(page, text):
    """The page about offloading with its measured part anew; at its end, where it had none."""
    begin, end = BEGIN % MEASURED, END % MEASURED
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return "%s\n\n%s\n\n%s\n\n%s\n%s" % (before.rstrip("\n"), begin, text.strip("\n"), end, after.lstrip("\n"))


def write_offload(section, summary):
    """section: the part of docs/benchmarks.md; summary: draws plots into a folder and says the part of docs/offload.md."""
    os.makedirs(OFFLOAD_IMAGES, exist_ok=True)
    _write_part("offload", section)
    text = summary(OFFLOAD_IMAGES)
    with open(OFFLOAD_PAGE, encoding="utf-8") as file:
        page = file.read()
    with open(OFFLOAD_PAGE, "w", encoding="utf-8") as file:
        file.write(with_measured(page, text))
    for name in os.listdir(OFFLOAD_IMAGES):
        if "images/offload/%s)" % name not in text:   # the other format
            os.remove(os.path.join(OFFLOAD_IMAGES, name))
