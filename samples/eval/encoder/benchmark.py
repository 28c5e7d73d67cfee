"""saccade-eval --encoder: what encoding costs, whole and in part, what it does to the answers, and what the gate costs. Writes
the report, and the encoder's part of docs/benchmarks.md."""

import dataclasses
import json
import os
import statistics
import subprocess

import benchmarks
import bootstrap
import clips
import machine
from configurations import ANSWER, COMPRESS, CONFIGURATIONS, END, GATE, SOURCE, Configuration
from encoder import page
from errors import INCOMPLETE, EvalError
from evaluate import Evaluation, Plan
from figures import OUTSIDE_MEAN, figures_of
from gate import footage_figures
from models import pair
from runs import plugin_folder
from suites import EVERYDAY, SUITES, TEST_SEED, ClipSpec, Suite

SHAPE = "smolvlm-256m"
ROUNDS = 10
REPEATED = 5   # of the small benchmarks
RATE = 2   # pictures a second of the clips
STATIC = ("vtest", "one-by-one-person-detection", "car-detection")
CARRIED = ("handheld-bag", "sam2_01_dog")
VARIANTS = ("saccade", "saccade-whole", "saccade-libmtmd")
METHODS = ("grid", "random", "downscale", "merge", "cluster", "coverage", "dpp", "divprune", "salience")
KEEPS = (0.25, 0.1)
MERGED = (0, 0.25, 0.5)
LONG = ClipSpec("street", TEST_SEED, 600)   # over which drift would show
LONG_PART_S = 120
WHOLE_AFTER = (0, 2, 4)   # beside the default
REFERENCE = {"saccade-whole": "saccade-libmtmd", "saccade-libmtmd": None}   # whose answers are compared with whose; else saccade-whole's


def _bench(name, *words):
    """What the benchmark printed, as JSON."""
    program = os.path.join(os.path.dirname(plugin_folder()), "tests", "bench", name)
    if not os.path.exists(program):
        raise EvalError("there is no %s; build it first: cmake --build build/release --target %s" % (program, name))
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise EvalError("%s failed: %s" % (name, done.stderr.strip()[-300:]))
    return json.loads(done.stdout)


def _shape_files(folder):
    files = [os.path.join(folder, "%s-%s.gguf" % (SHAPE, part)) for part in ("text", "mmproj")]
    for path in files:
        if not os.path.exists(path):
            raise EvalError("there is no %s. Make it: SACCADE_LLAMA_SOURCE=a llama.cpp source tree python3 samples/training/"
                            "random_model.py %s --type q8_0 --projector-type f16 --out %s" % (path, SHAPE, folder))
    return files


def _whole(files_of, say):
    found = {}
    for name, files in files_of.items():
        say("encoding whole pictures with %s" % name)
        found[name] = _bench("encode_bench", "whole", *files, str(ROUNDS))
    return found


def _clip(item, files):
    found = _bench("encode_bench", "clip", *files, str(item.clip), str(RATE))
    libmtmd, whole = statistics.median(found["libmtmd_ms"]), statistics.median(found["whole_ms"])
    kept = len(found["ms"])
    empty = footage_figures.empty_stretches(item.labels) if item.name in STATIC else []
    inside = [ms for at, ms in zip(found["at"], found["ms"]) if any(a <= at < b for a, b in empty)]
    return {"clip": item.name, "pictures": found["pictures"], "kept": kept, "references": len(found["libmtmd_ms"]),
            "asked": found["asked"] / kept, "share": sum(found["share"]) / kept,
            "libmtmd": kept * libmtmd / sum(found["ms"]), "whole": kept * whole / sum(found["ms"]),
            "loose_libmtmd": kept * libmtmd / sum(found["loose_ms"]), "loose_whole": kept * whole / sum(found["loose_ms"]),
            "empty_pictures": sum(int((b - a) * RATE) for a, b in empty), "empty_kept": len(inside),
            "empty_libmtmd": sum(int((b - a) * RATE) for a, b in empty) * libmtmd / sum(inside) if inside else None}


def _same_answers(name, row, reference, start=0.0, end=float("inf")):
    """Share of the answers to the same question about the same picture, of this stretch, that are the same."""
    items = []
    for run in row.runs:
        theirs = reference.run_of(run.clip, run.repetition)
        told = {(a["content"], a["kind"]): a["text"] for a in theirs.score.answers} if theirs else {}
        grades = {q.kind: q.grade for q in run.score.questions}
        for answer in run.score.answers:
            key = (answer["content"], answer["kind"])
            if start <= key[0] < end and key in told and grades.get(answer["kind"]) not in OUTSIDE_MEAN:
                items.append((bootstrap.block_of(run.clip, answer["content"]), float(answer["text"] == told[key]), 1))
    return bootstrap.share(name, items)


def _rows(suite, variants, role, out, say, jobs):
    """A Row per configuration, with this pair, over the suite's clips; none is missing."""
    truths = {"exact": [(spec.name, clips.rendered(spec, say)) for spec in suite.exact]}
    plan = Plan(suite, ("exact",), {"exact": [dataclasses.replace(v, pair=role) for v in variants]}, truths, out)
    plan.resume, plan.jobs, plan.say = True, jobs, say
    rows = Evaluation(plan).rows("exact")
    for row in rows:
        if row.missing:
            raise EvalError("%s is missing: %s" % (row.name, row.missing[0]["reason"]))
    return rows


def _right(rows, role):
    return [{"name": row.name, "pair": role, "right": figures_of(row, None, "exact")["accuracy_answers"]} for row in rows]


def _with(configuration, name, properties):
    """The same with more properties of tokencompressor."""
    return dataclasses.replace(configuration, name=name, launch=configuration.launch.replace(COMPRESS, COMPRESS + properties + " "))


def _answers(role, out, say, jobs):
    """What partial encodes do to the answers of this pair, on the clips of the full suite."""
    full, default = SUITES["full"], CONFIGURATIONS["saccade"]
    variants = [CONFIGURATIONS[name] for name in VARIANTS]
    variants += [_with(default, "saccade-whole-after-%d" % n, "whole-after=%d" % n) for n in WHOLE_AFTER]
    suite = Suite("encoder", "whole encodes and partial ones", exact=full.exact, kinds=full.kinds)
    rows = {row.name: row for row in _rows(suite, variants, role, os.path.join(out, role), say, jobs)}
    found = []
    for name, row in rows.items():
        reference = rows.get(REFERENCE.get(name, "saccade-whole"))
        found.append({"name": name, "pair": role, "accuracy": figures_of(row, None, "exact")["accuracy_untimed"]["all"],
                      "reference": reference.name if reference else None,
                      "same": _same_answers("%s/%s/same" % (role, name), row, reference) if reference else None})
    return found


def _drift(role, out, say, jobs):
    """Whether the answers of partial encodes move away from those of whole ones as the minutes go by, and with every whole
    encode after the first turned off."""
    default = CONFIGURATIONS["saccade"]
    variants = [CONFIGURATIONS["saccade-whole"], default, _with(default, "saccade-never-whole", "whole-every=0 whole-after=0")]
    suite = Suite("drift", "ten minutes", exact=(LONG,), kinds=EVERYDAY)
    reference, *rows = _rows(suite, variants, role, os.path.join(out, role + "-drift"), say, jobs)
    return [{"name": row.name, "pair": role,
             "same": [_same_answers("%s/%s/%d" % (role, row.name, start), row, reference, start, start + LONG_PART_S)
                      for start in range(0, LONG.seconds, LONG_PART_S)]} for row in rows]


def _each_picture(name, launch):
    return Configuration(name, "", launch=SOURCE + launch + "answer-on=frame " + END)


def _compressed(method, keep):
    return _each_picture("%s-%g" % (method, 100 * keep), COMPRESS + "method=%s keep=%g ! " % (method, keep) + ANSWER)


def _merging(role, out, say, jobs):
    """What merging inside the encoder does to the answers, over the same pictures as _compressors()."""
    variants = [_each_picture("merge-inside-%g" % (100 * share), COMPRESS + "merge-inside=%g ! " % share + ANSWER) for share in MERGED]
    return _right(_rows(SUITES["models"], variants, role, os.path.join(out, role + "-merged"), say, jobs), role)


def _compressors(role, out, say, jobs):
    """What is still right when a part of each picture's tokens is kept: scenes of the test split, one picture each. And what
    shows of the loss without a question, over the same pictures."""
    suite = SUITES["models"]
    variants = [_compressed("none", 1)] + [_compressed(m, keep) for keep in KEEPS for m in METHODS]
    found = _right(_rows(suite, variants, role, os.path.join(out, role + "-tokens"), say, jobs), role)
    words = [pair(role).model, pair(role).mmproj, str(clips.rendered(suite.exact[0], say).clip)]
    lost = {keep: _bench("encode_bench", "tokens", *words, str(keep)) for keep in KEEPS}
    unlabelled = {_compressed(m, keep).name: lost[keep][m] for keep in KEEPS for m in METHODS}
    return [dict(f, lost=unlabelled.get(f["name"])) for f in found]


def _closer(role, out, say, jobs):
    """What a closer look at the hottest part does to the answers of a pair that never learned to read one."""
    variants = [_each_picture(detail, GATE + ANSWER + "detail=%s " % detail) for detail in ("overview", "crop")]
    return _right(_rows(SUITES["models"], variants, role, os.path.join(out, role + "-closer"), say, jobs), role)


def run(folder, out, docs, jobs, say):
    """-> exit status"""
    shape = _shape_files(folder)
    os.makedirs(out, exist_ok=True)
    files = {SHAPE: shape, **{"saccade-" + role: [pair(role).model, pair(role).mmproj] for role in ("edge", "cloud")}}
    there, absent = footage_figures.found(STATIC + CARRIED)
    measured = {"commit": machine.commit(), "machine": machine.describe(), "load": machine.load(), "shape": SHAPE,
                "rounds": ROUNDS, "repeated": REPEATED, "rate": RATE, "whole": _whole(files, say), "clips": []}
    for item in there:
        say("encoding what changes in %s" % item.name)
        measured["clips"].append(_clip(item, shape))
    say("encoding for several cameras")
    measured["cameras"] = {name: _bench("encode_bench", "cameras", *of, str(ROUNDS)) for name, of in files.items()}
    measured["answers"] = [found for role in ("edge", "cloud") for found in _answers(role, out, say, jobs)]
    measured["drift"] = [found for role in ("edge", "cloud") for found in _drift(role, out, say, jobs)]
    measured["compressors"] = [found for role in ("edge", "cloud") for found in _compressors(role, out, say, jobs)]
    measured["merging"] = [found for role in ("edge", "cloud") for found in _merging(role, out, say, jobs)]
    measured["merging_times"] = {name: _bench("encode_bench", "merging", *of, str(ROUNDS)) for name, of in files.items()}
    measured["closer"] = [found for role in ("edge", "cloud") for found in _closer(role, out, say, jobs)]
    say("timing attention, the compressors and the gate")
    measured["attention"] = _bench("attention_bench", "--benchmark_format=json", "--benchmark_repetitions=%d" % REPEATED)["benchmarks"]
    measured["compress"] = _bench("compress_bench", "--benchmark_format=json", "--benchmark_repetitions=%d" % REPEATED)["benchmarks"]
    measured["gate"] = _bench("gate_bench", "--benchmark_format=json", "--benchmark_repetitions=%d" % REPEATED)["benchmarks"]
    text = page.section(measured)
    with open(os.path.join(out, "report.json"), "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
    with open(os.path.join(out, "report.md"), "w", encoding="utf-8") as file:
        file.write(text)
    if docs:
        benchmarks.write_encoder(text)
    say("the report is %s" % os.path.relpath(os.path.join(out, "report.md")))
    if absent:
        say("missing, and in no figure: %s (docs/eval.md says where they are looked for)" % ", ".join(absent))
    return INCOMPLETE if absent else 0
