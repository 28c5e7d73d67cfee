"""saccade-eval --gate: measures, writes the report, and the gate's part of docs/benchmarks.md."""

import os

import benchmarks
import machine
from errors import BROKEN, INCOMPLETE
from gate import footage_figures, page, rendered_figures, sound_figures


def run(out, docs, jobs, say):
    """-> exit status"""
    os.makedirs(out, exist_ok=True)
    measured = {"commit": machine.commit(), "footage": footage_figures.measure(say),
                "sound": sound_figures.measure(footage_figures.footage.data_folder(), say),
                "rendered": rendered_figures.measure(out, say, jobs)}
    page.report(out, measured)
    if docs:
        benchmarks.write_gate(lambda drawn: page.section(measured, drawn), lambda folder: page.draw(folder, measured))
    say("the report is %s" % os.path.relpath(os.path.join(out, "report.md")))
    absent = measured["footage"]["absent"] + measured["sound"]["absent"]
    if absent:
        say("missing, and in no figure: %s (docs/eval.md says where they are looked for)" % ", ".join(absent))
    if not measured["footage"]["static"] and not measured["rendered"]["static"]["curves"]:
        return BROKEN
    return INCOMPLETE if absent else 0
