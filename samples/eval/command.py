"""The command line of saccade-eval: what to run, from words; and what is said about it."""

import argparse
import os
import sys

import benchmarks
import clips
import configurations
import costs
import plots
import report as reports
import suites
from errors import BROKEN, FAILED_VERDICT, INCOMPLETE, USAGE, EvalError, RunFailed
from evaluate import Evaluation, Plan
from models import PROJECT
from runs import plugin_folder
from truth import read_truth

COST_CLIP = suites.ClipSpec("street", suites.TEST_SEED, 20)   # stage costs are recorded on it
OWN_CONFIGURATIONS = ("everything", "saccade")                # of --clip, unless others are named


class Words(argparse.ArgumentParser):
    """A wrong command line is an EvalError like everything else."""

    def error(self, message):
        raise EvalError("%s; --help lists the options" % message, USAGE)


def parse(words, about):
    parser = Words(prog="saccade-eval", description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", help="one of: " + ", ".join(suites.SUITES))
    parser.add_argument("--clip", action="append", metavar="JSON",
                        help="the timeline of a clip of your own; may be given several times")
    parser.add_argument("--configurations", metavar="A,B", help="instead of the suite's own; --list has them all")
    parser.add_argument("--mode", choices=("exact", "live"), help="only this mode of the suite (default: what it has)")
    parser.add_argument("--out", metavar="DIR", help="where the report goes (default: build/eval/SUITE)")
    parser.add_argument("--resume", action="store_true", help="take runs of the same inputs from an interrupted call")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="exact runs at a time (default: the machine's cores); live runs are always alone")
    parser.add_argument("--any-case", action="store_true", help='"Yes." is "yes": for models that speak in sentences')
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and its plots from this report")
    parser.add_argument("--encoder", metavar="FOLDER", help="what encoding costs, whole and in part; FOLDER holds the files of "
                        "random_model.py smolvlm-256m; --docs writes its part")
    parser.add_argument("--sessions", metavar="FOLDER", help="what sessions and their scheduler cost, and whether they answer alike; FOLDER is "
                        "where raw results go; --docs writes its part")
    parser.add_argument("--offload", metavar="FOLDER", help="what asking a cloud costs and is worth, by policy and link; FOLDER is where raw results "
                        "go, and --resume takes those streams from it that are of the same inputs; --docs writes its parts")
    parser.add_argument("--pairs", default="edge,cloud", metavar="A,B", help="of --sessions: edge, cloud, or a folder with two GGUF files")
    parser.add_argument("--parts", metavar="A,B", help="of --sessions and --offload: measure these, and take the others from FOLDER")
    parser.add_argument("--quick", action="store_true", help="of --sessions and --offload: see whether everything runs; the figures mean nothing")
    parser.add_argument("--gate", action="store_true", help="what the gate chooses, against plain ways; --docs writes its part")
    parser.add_argument("--record-costs", action="store_true", help="measure the stage costs that virtual time needs")
    parser.add_argument("--list", action="store_true", help="list suites and configurations")
    return parser.parse_args(words)


def listing():
    lines = ["suites:"]
    lines += ["  %-18s %s" % (suite.name, suite.about) for suite in suites.SUITES.values()]
    lines += ["", "configurations (* needs llama-server):"]
    lines += ["  %-17s%s %s" % (c.name, "*" if c.needs_server else " ", c.about)
              for c in configurations.CONFIGURATIONS.values()]
    return "\n".join(lines)


def say(sentence):
    print("saccade-eval: " + sentence, file=sys.stderr, flush=True)


def _own_plan(options, chosen):
    truths = [(os.path.splitext(os.path.basename(path))[0], read_truth(path)) for path in options.clip]
    modes = (options.mode,) if options.mode else ("exact", "live")
    out = options.out or os.path.join(PROJECT, "build", "eval", "own")
    chosen = chosen or configurations.find(OWN_CONFIGURATIONS)
    return Plan(None, modes, {mode: chosen for mode in modes}, {mode: truths for mode in modes}, out)


def _suite_plan(options, chosen):
    suite = suites.find(options.suite)
    modes = tuple(mode for mode in ("exact", "live") if getattr(suite, mode) and options.mode in (None, mode))
    if not modes:
        raise EvalError("the suite %s has no clips for the mode %s" % (suite.name, options.mode), USAGE)
    truths = {mode: [(spec.name, clips.rendered(spec, say)) for spec in getattr(suite, mode)] for mode in modes}
    out = options.out or os.path.join(PROJECT, "build", "eval", suite.name)
    by_mode = {mode: chosen or configurations.find(suite.configurations_of(mode)) for mode in modes}
    return Plan(suite, modes, by_mode, truths, out)


def plan_of(options):
    """What to run. Nothing has been rendered or run when the words are wrong."""
    chosen = configurations.find(options.configurations.split(",")) if options.configurations else None
    if bool(options.suite) == bool(options.clip):
        raise EvalError("name a suite with --suite or a clip of your own with --clip; --list lists the suites", USAGE)
    if options.docs and not options.suite:
        raise EvalError("--docs goes with a --suite, with --gate, with --encoder, with --sessions or with --offload", USAGE)
    if options.suite:
        suites.find(options.suite)
    plugin_folder()
    plan = _suite_plan(options, chosen) if options.suite else _own_plan(options, chosen)
    plan.any_case, plan.resume, plan.jobs, plan.say = options.any_case, options.resume, max(1, options.jobs), say
    return plan


def record_costs(options):
    plugin_folder()
    truth = clips.rendered(COST_CLIP, say)
    path = os.path.join(options.out, "costs.json") if options.out else costs.TABLE
    if options.out:
        os.makedirs(options.out, exist_ok=True)
    costs.record_all(path, truth, suites.EVERYDAY, say)
    say("the table of stage costs is written; figures of exact runs change with it")


def run_gate(options):
    """-> exit status"""
    if options.suite or options.clip:
        raise EvalError("--gate has clips of its own: leave --suite and --clip out", USAGE)
    plugin_folder()
    from gate import benchmark   # pylint: disable=import-outside-toplevel  (only this needs the labels of real footage)
    out = options.out or os.path.join(PROJECT, "build", "eval", "gate")
    return benchmark.run(out, options.docs, max(1, options.jobs), say)


def _check_own_clips(name, options):
    """Of a benchmark that brings its own."""
    if options.suite or options.clip:
        raise EvalError("%s has clips of its own: leave --suite and --clip out" % name, USAGE)
    if options.quick and options.docs:
        raise EvalError("--quick's figures mean nothing: leave --docs out", USAGE)


def run_encoder(options):
    """-> exit status"""
    _check_own_clips("--encoder", options)
    plugin_folder()
    from encoder import benchmark   # pylint: disable=import-outside-toplevel  (only this needs the labels of real footage)
    out = options.out or os.path.join(PROJECT, "build", "eval", "encoder")
    return benchmark.run(options.encoder, out, options.docs, max(1, options.jobs), say)


def run_sessions(options):
    """-> exit status"""
    _check_own_clips("--sessions", options)
    plugin_folder()
    from sessions import benchmark   # pylint: disable=import-outside-toplevel  (only this needs llama-server's client)
    status, section = benchmark.run(options.sessions, options, say)
    if options.docs:
        benchmarks.write_sessions(section)
    return status


def run_offload(options):
    """-> exit status"""
    _check_own_clips("--offload", options)
    plugin_folder()
    from offload import benchmark   # pylint: disable=import-outside-toplevel  (only this needs a link and a replay)
    return benchmark.run(options.offload, options, say)


def run(options):
    """-> exit status"""
    plan = plan_of(options)
    report, results = _evaluated(plan)
    status = _say_result(plan, report)
    if options.docs and benchmarks.is_part(plan.suite.name):
        benchmarks.write_suite(report)
    elif options.docs:
        further = []
        for name in plan.suite.also:
            other = argparse.Namespace(**{**vars(options), "suite": name, "mode": None, "configurations": None,
                                          "out": os.path.join(plan.out, name)})
            their_plan = plan_of(other)
            their_report, _ = _evaluated(their_plan)
            further.append(their_report)
            status = max(status, _say_result(their_plan, their_report))
        benchmarks.write(report, results, further)
    return status


def _evaluated(plan):
    """-> (report, results), which are written to the plan's folder."""
    try:
        os.makedirs(plan.out, exist_ok=True)
    except OSError as error:
        raise EvalError("the report cannot be written to %s: %s" % (plan.out, error.strerror)) from error
    evaluation = Evaluation(plan)
    results = evaluation.run()
    report = reports.report_of(plan, evaluation, results)
    reports.write(plan.out, report, results)
    drawn = plots.draw_all(plan.out, report, results)
    with open(os.path.join(plan.out, "report.md"), "w", encoding="utf-8") as file:
        file.write(reports.markdown_of(report, drawn))
    return report, results


def _say_result(plan, report):
    complete, failed = reports.is_complete(report), reports.failed_verdicts(report)
    for verdict in report.get("exact", {}).get("verdicts", ()):
        value = "not measured" if verdict["value"] is None else "%.3f" % verdict["value"]
        holds = "holds" if verdict["holds"] else "FAILS"
        say("%s: %s %s (bound %s)" % (holds, verdict["what"], value, verdict["bound"]))
    say("the report is %s" % os.path.relpath(os.path.join(plan.out, "report.md")))
    if not any(figures for mode in plan.modes for figures in report[mode]["figures"].values()):
        say("no configuration ran; the report says why")
        return BROKEN
    if not complete:
        say("rows are missing; the report says which and why")
        return INCOMPLETE
    return FAILED_VERDICT if failed else 0


def main(words, about):
    try:
        options = parse(words, about)
        if options.list:
            print(listing())
            return 0
        if options.gate:
            return run_gate(options)
        if options.encoder:
            return run_encoder(options)
        if options.sessions:
            return run_sessions(options)
        if options.offload:
            return run_offload(options)
        if options.record_costs:
            record_costs(options)
            return 0
        return run(options)
    except (EvalError, RunFailed) as error:
        say("%s." % str(error).rstrip("."))
        return error.status if isinstance(error, EvalError) else BROKEN
    except BrokenPipeError:   # whoever read the list has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        say("stopped; --resume goes on with the runs that have ended.")
        return 130
