"""The report of a suite: report.json, which the exact part of is the same to the last byte whenever the inputs are, and
report.md, the same for people. What was measured by the clock beside an exact run goes to measured.json."""

import json
import os
import re
from collections import Counter

import runs
import tables
from evaluate import without_paths
from figures import OUTSIDE_MEAN
from truth import GRADES
from verdicts import JUDGES

MOST_WARNINGS = 2   # of a row, in report.md
FORMAT = 1   # of report.json; counts up when a field changes its meaning


def _launch(configuration, example):
    """What a user would type, with the names of files and the first question in their places."""
    if not configuration.launch:
        server = configuration.server
        return "llama-server, %s%s at %g pictures a second" % (
            {"frame": "one picture a question", "chunk": "chunks of ", "last-n": "the last "}[server["layout"]],
            "" if server["layout"] == "frame" else str(server["n"]), server["fps"])
    line = configuration.launch
    drain_s = runs.DRAIN_S["live"]
    for name, value in (("clip", "CLIP"), ("model", "TEXT.gguf"), ("mmproj", "MMPROJ.gguf"), ("prompt", '"%s"' % example),
                        ("live", "false"), ("cloud", "http://127.0.0.1:8080/v1"), ("drain_s", str(drain_s)),
                        ("drain_ns", str(drain_s * 10**9))):
        line = line.replace("{%s}" % name, value)
    return line


def _row(row, example):
    configuration = row.configuration
    return {"name": row.name, "about": configuration.about, "pair": configuration.pair, "cloud": configuration.cloud,
            "window": configuration.window, "launch": _launch(configuration, example), "runs": len(row.runs),
            "not_asked": row.not_asked, "missing": row.missing,
            "warnings": _counted(row.warnings)}


def _counted(warnings):
    """Each warning once, with how often it came; the port of a run's own server is nobody's business."""
    counts = Counter(re.sub(r"(127\.0\.0\.1):\d+", r"\1", without_paths(warning)) for warning in warnings)
    return ["%s (%d times)" % (warning, n) if n > 1 else warning for warning, n in sorted(counts.items())]


def _example(plan):
    for mode in plan.modes:
        for _, truth in plan.truths[mode]:
            kinds = plan.suite.kinds if plan.suite else tuple(truth.questions)
            return truth.of_kinds(kinds)[0].text
    return "Is there a car?"


def report_of(plan, evaluation, results):
    """The whole report as a JSON object."""
    example, inputs = _example(plan), evaluation.inputs()
    report = {"format": FORMAT, "suite": plan.suite.name if plan.suite else "own clips",
              "about": plan.suite.about if plan.suite else "clips of a user's own",
              "pairs": inputs["pairs"], "notes": sorted(evaluation.notes)}
    for mode, result in results.items():
        report[mode] = {"clips": inputs["clips"][mode], "rows": [_row(row, example) for row in result["rows"]],
                        "figures": result["figures"]}
    if "exact" in results and plan.suite and plan.suite.judged:
        report["exact"]["verdicts"] = JUDGES[plan.suite.judged](results["exact"]["figures"])
    return report


def is_complete(report):
    return not any(row["missing"] for mode in ("exact", "live") if mode in report for row in report[mode]["rows"])


def failed_verdicts(report):
    return [v for v in report.get("exact", {}).get("verdicts", ()) if not v["holds"]]


def _measured(results):
    """Wall-clock figures of the exact runs: of interest, never judged, and different each time."""
    keys = ("wall_s", "cpu_s", "cpu_parts", "peak_rss_bytes", "frames")
    return {row.name: [{"clip": run.clip, **{key: run.summary[key] for key in keys}} for run in row.runs]
            for row in results["exact"]["rows"]}


EXPLANATION = """A figure is followed by its 95 %% interval, which comes from drawing blocks of several seconds of stream again and
again. *Right over time* is the share of the time in which the answer that stands is the truth, every question ten times
a second; an answer stands from when it came out until a newer one does. The mean is over the grades %s.
*As `everything`* compares what is said about the same moment. *Stale* is how long an answer stayed wrong after the world
changed; a change that no answer ever met counts as missed, and as stale for as long as it lasted.
"""
MODES = {
    "exact": "Every picture that a configuration wants is answered, none is dropped; times and work are those of the\n"
             "recorded table of stage costs (one thread per model), so that the figures are the same on every machine.",
    "live": "The clip is played by the clock and pictures are dropped as each configuration does; measured on this\n"
            "machine with whatever else it did. Costs are of all processes that the user would run; a pipeline is run by a\n"
            "small Python program, which is in its costs. Ratios are to the run of `everything` of the same turn, with the\n"
            "least and the most of all turns."}


def explanation(report):
    """What the words of the tables mean, and notes of this run."""
    mean = ", ".join(grade for grade in GRADES if grade not in OUTSIDE_MEAN)
    return "\n".join([EXPLANATION % mean] + ["Note: %s.\n" % note for note in report["notes"]])


def markdown_of(report, plots=()):
    parts = ["# %s: %s\n" % (report["suite"], report["about"]), explanation(report)]
    parts += [section(report, mode) for mode in MODES if mode in report]
    for title, path in plots:
        parts.append("## %s\n\n![%s](%s)\n" % (title, title, path))
    return "\n".join(parts)


def section(report, mode, level="##"):
    """Tables of one mode."""
    part = report[mode]
    sub = level + "#"
    lines = ["%s %s\n\n%s\n\nClips: %s.\n" % (level, mode.capitalize(), MODES[mode], ", ".join(part["clips"]))]
    missing = tables.missing_list(part)
    if missing:
        lines.append("**Missing, and in no figure:**\n\n%s\n" % missing)
    if part.get("verdicts"):
        lines.append("%s Verdicts\n\n%s\n" % (sub, tables.verdict_list(part["verdicts"])))
    if any(part["figures"].values()):
        lines += ["%s Answers, in per cent\n\n%s\n" % (sub, tables.answers_table(part)),
                  "%s Time\n\n%s\n" % (sub, tables.time_table(part)),
                  "%s Cost, per minute of stream\n\n%s\n" % (sub, tables.cost_table(part, mode == "exact")),
                  "%s Right over time, by question, in per cent\n\n%s\n" % (sub, tables.kinds_table(part, "accuracy")),
                  "%s Right when given, by question, in per cent\n\n%s\n" % (sub, tables.kinds_table(part, "accuracy_answers"))]
    lines.append("%s Configurations\n\n%s\n" % (sub, tables.markdown(
        ["configuration", "what it is", "as a user would run it"],
        [["`%s`" % row["name"], row["about"], "`%s`" % row["launch"].replace("|", "\\|")] for row in part["rows"]])))
    warnings = ["- `%s`: %s" % (row["name"], "; ".join(row["warnings"][:MOST_WARNINGS])) for row in part["rows"] if row["warnings"]]
    if warnings:
        lines.append("%s Warnings of the runs\n\nThe first of each; report.json has all.\n\n%s\n" % (sub, "\n".join(warnings)))
    return "\n".join(lines)


def write(out, report, results):
    """report.json, and measured.json beside it. -> path of report.json"""
    path = os.path.join(out, "report.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1, sort_keys=True)
        file.write("\n")
    if "exact" in results:
        with open(os.path.join(out, "measured.json"), "w", encoding="utf-8") as file:
            json.dump(_measured(results), file, indent=1)
            file.write("\n")
    return path


