"""The encoder's section of docs/benchmarks.md, from what was measured."""

import statistics

import tables
from bootstrap import BLOCK_S

ABOUT = """## The encoder, the compressors, and the gate's cost

Written by `samples/eval/saccade-eval --encoder FOLDER --docs`, commit %(commit)s, on %(cpu)s, %(cores)d cores; %(load).1f processes wanted to
run. Only ratios may be compared with another day's.
"""
WHOLE = """### Whole pictures

One picture, %(rounds)d rounds in which libmtmd and the streaming encoder take turns; medians, with the range of the rounds in brackets. *%(shape)s* has
that model's shape and random weights (projector f16, the type that libmtmd is fastest with). *Peak* is the most that oneDNN reached here in any round, on as many threads, in
a product of the tower's largest shape over and over; the encode's share of it counts the operations of its products and its
attention.
"""
PARTS = """Where the streaming encoder's time goes, in percent of all threads' time: *products* with dequantisation and activation, *attention* with its softmax,
*rows* are norms and quantisation, *ends* the patch embedding and the projection to tokens.
"""
ATTENTION = """`attention_bench`, one core, %(repeated)d repetitions, medians with their standard deviation: all queries of a picture to all its positions, one layer.
*Softmax* is the share that the exponentials take by themselves.
"""
CLIPS = """### What changed in a clip

%(shape)s, %(rate)g pictures a second, the gate's own refresh maps. *Asked for* is the share of patches that the gate wants, *encoded* the
share that is encoded with surroundings and whole encodes now and then. Ratios are encode times of the same kept pictures: by libmtmd, and by
the streaming encoder as a whole, over those of the streaming encoder; *loose* is `whole-after=0 whole-every=0 surroundings=1`. Whole encodes
were timed in turns, at every eighth kept picture (*n*). *Empty* are labelled stretches in which nothing is in the picture: libmtmd's time for all
their pictures over ours.
"""
CAMERAS = """### Several cameras

Pictures of several cameras, in each of which so many patches changed, int8: the time of one after the other over that of all together, the rows of
all in each product. Medians of %(rounds)d rounds in which both take turns, with the range of the rounds in brackets.
"""
ANSWERS = """### What partial encodes do to answers

The clips and questions of the suite `full`, exact, the same gate. *Right* is over time, as if thinking took none. *Same* is the share of answers
to the same question about the same picture that are those of the configuration named. Intervals are 95 %% bootstrap intervals over
blocks of %(block)g s of stream.
"""
DRIFT = """### Ten minutes

A street for ten minutes, questions of every day, the same gate: the share of answers that are those of `saccade-whole` (%%), in stretches of two minutes.
`saccade-never-whole` encodes the first picture as a whole and no other (`whole-every=0 whole-after=0`).
"""
COMPRESSORS = """### What compressed tokens still tell

Scenes of the test split, one picture each, through real pipelines; a part of each picture's tokens is kept (%%). *Right* over all questions, and as a
share of what the pair answers rightly with all tokens; *glance* and *look* as in the suite `models`. `grid`, `random` and `downscale` are controls. Without any question: *error* is the squared
distance of all tokens to the nearest kept one over that to their mean, *covered* the share of them with a kept one at a cosine of 0.90 or more.
"""
MERGING = """### Merging inside

`merge-inside`: so many patches (%%) go on in another's row after a quarter of the layers. The time of whole encodes without merging over that with it,
int8, %(rounds)d rounds in turns, medians; and what the pairs still answer rightly, over the same scenes.
"""
CLOSER = """### A closer look

The same scenes with `detail=crop`: after the whole picture comes, as another picture, the part that the gate points at. These pairs have learned that a
second picture is a later moment, and it misleads them; a model that has learned to read a picture and its parts is another matter.
"""
COMPRESS = """`compress_bench`, one core, a quarter is kept, %(repeated)d repetitions, medians with their standard deviation: milliseconds for 64 tokens of 576 floats and
for 1,024 of 1,152.
"""
GATE = """### The gate

`gate_bench`, one core, %(repeated)d repetitions, medians with the standard deviation of the repetitions: the fused pass over the luma, and everything up to the
report. *p95* is what 95 of 100 pictures stay below.
"""


def _spread(values):
    return "%.0f (%.0f–%.0f)" % (statistics.median(values), min(values), max(values))


def _ratio(found, kind):
    return statistics.median(a / b for a, b in zip(found["libmtmd_ms"], found[kind + "_ms"]))


def _share_of_peak(found, kind):
    return 1000 * found["gigaops"] / statistics.median(found[kind + "_ms"]) / found[kind + "_peak"]


def _whole_table(whole):
    header = ["model", "threads", "libmtmd, ms", "fp32, ms", "times faster", "of the peak, %", "int8, ms", "times faster", "of the peak, %"]
    rows = [["`%s`" % name, "%d" % f["threads"], _spread(f["libmtmd_ms"])] +
            [cell for kind in ("fp32", "int8")
             for cell in (_spread(f[kind + "_ms"]), "%.2f" % _ratio(f, kind), "%.0f" % (100 * _share_of_peak(f, kind)))]
            for name, f in whole.items()]
    return tables.markdown(header, rows)


def _parts_table(whole):
    rows = []
    for name, found in whole.items():
        for kind in ("fp32", "int8"):
            costs = found[kind + "_costs"]
            rows.append(["`%s`, %s" % (name, kind)] +
                        ["%.0f" % (100 * costs[part] / sum(costs.values())) for part in ("products", "attention", "rows", "ends")])
    return tables.markdown(["model", "products", "attention", "rows", "ends"], rows)


def _attention_table(found):
    rows = []
    for name, of in _by_run(found).items():
        kind, positions, heads, width = name.split("/")[1:5]
        median, spread = of["median"], of["stddev"]
        rows.append(["%s positions, %s heads of %s" % (positions, heads, width), kind,
                     "%.2f ± %.2f" % (median["cpu_time"], spread["cpu_time"]), "%.0f" % median["gigaops/s"],
                     "%.0f" % (100 * median["softmax"])])
    return tables.markdown(["attention", "precision", "ms", "billion operations a second", "softmax, %"], rows)


def _clips_table(clips):
    header = ["clip", "pictures", "kept", "asked for, %", "encoded, %", "libmtmd / ours", "whole / ours", "loose: libmtmd / ours",
              "whole / ours", "n", "empty: kept of pictures", "libmtmd / ours"]
    rows = [["`%s`" % c["clip"], "%d" % c["pictures"], "%d" % c["kept"], "%.1f" % (100 * c["asked"]), "%.1f" % (100 * c["share"]),
             "%.1f" % c["libmtmd"], "%.2f" % c["whole"], "%.1f" % c["loose_libmtmd"], "%.2f" % c["loose_whole"],
             "%d" % c["references"], "%d of %d" % (c["empty_kept"], c["empty_pictures"]) if c["empty_pictures"] else "–",
             "%.0f" % c["empty_libmtmd"] if c["empty_libmtmd"] else "–"] for c in clips]
    return tables.markdown(header, rows)


def _cameras_table(cameras):
    counts = sorted({f["cameras"] for found in cameras.values() for f in found})
    rows = []
    for name, found in cameras.items():
        for patches in sorted({f["patches"] for f in found}):
            by = {f["cameras"]: [a / b for a, b in zip(f["in_turn_ms"], f["together_ms"])] for f in found if f["patches"] == patches}
            rows.append(["`%s`" % name, "%d" % patches] +
                        ["%.2f (%.2f–%.2f)" % (statistics.median(by[n]), min(by[n]), max(by[n])) for n in counts])
    return tables.markdown(["model", "patches of each"] + ["%d cameras" % n for n in counts], rows)


def _answers_table(answers):
    rows = [["`%s`" % a["name"], a["pair"], tables.percent(a["accuracy"]),
             "%s, as `%s`" % (tables.percent(a["same"]), a["reference"]) if a["same"] else "–"] for a in answers]
    return tables.markdown(["configuration", "pair", "right, %", "same, %"], rows)


def _drift_table(drift):
    minutes = ["minutes %d, %d" % (2 * i + 1, 2 * i + 2) for i in range(len(drift[0]["same"]))]
    return tables.markdown(["configuration", "pair"] + minutes,
                           [["`%s`" % d["name"], d["pair"]] + [tables.percent(s) for s in d["same"]] for d in drift])


def _compressors_table(found):
    full = {f["pair"]: f["right"]["all"]["value"] for f in found if f["name"].startswith("none")}
    rows = [["`%s`" % f["name"], f["pair"], tables.percent(f["right"]["all"]), "%.1f" % (100 * f["right"]["all"]["value"] / full[f["pair"]]),
             tables.percent(f["right"]["by_grade"].get("glance")), tables.percent(f["right"]["by_grade"].get("look")),
             "%.2f" % f["lost"]["error"] if f["lost"] else "–", "%.0f" % (100 * f["lost"]["coverage"]) if f["lost"] else "–"] for f in found]
    return tables.markdown(["method and share", "pair", "right, %", "of full, %", "glance, %", "look, %", "error", "covered, %"], rows)


def _merging_table(merging, times):
    speed = {name: {share: statistics.median(a / b for a, b in zip(of["0"], of[share])) for share in of} for name, of in times.items()}
    right = {(f["pair"], f["name"].rpartition("-")[2]): tables.percent(f["right"]["all"]) for f in merging}
    shares = sorted({share for of in times.values() for share in of}, key=float)
    rows = [["`%s`" % name] + [cell for share in shares for cell in ("%.2f" % of[share], right.get((name.rpartition("-")[2], share), "–"))]
            for name, of in speed.items()]
    return tables.markdown(["model"] + [cell for share in shares for cell in (share + " %: times faster", "right, %")], rows)


def _closer_table(found):
    return tables.markdown(["`detail`", "pair", "right, %", "glance, %", "look, %"],
                           [["`%s`" % f["name"], f["pair"], tables.percent(f["right"]["all"]), tables.percent(f["right"]["by_grade"].get("glance")),
                             tables.percent(f["right"]["by_grade"].get("look"))] for f in found])


def _by_run(found):
    """{run: {median, stddev}} of Google Benchmark's repetitions."""
    by = {}
    for entry in found:
        if entry.get("aggregate_name") in ("median", "stddev"):
            by.setdefault(entry["run_name"], {})[entry["aggregate_name"]] = entry
    return by


def _compress_table(found):
    times = {}
    for name, of in _by_run(found).items():
        method, side = name.split("/")[:2]
        times.setdefault(method, {})[side] = "%.3f ± %.3f" % (of["median"]["cpu_time"], of["stddev"]["cpu_time"])
    return tables.markdown(["method", "64 x 576", "1,024 x 1,152"], [["`%s`" % m, t["8"], t["32"]] for m, t in times.items()])


def _gate_table(found):
    rows = []
    for name, of in _by_run(found).items():
        kind, height, side = name.split("/")[:3]
        median, spread = of["median"], of["stddev"]
        p95 = "%.2f" % (median["p95_us"] / 1000) if "p95_us" in median else "–"
        rows.append(["fused pass" if kind == "fused_pass" else "full report", height, "%s x %s" % (side, side),
                     "%.3f ± %.3f" % (median["cpu_time"] / 1000, spread["cpu_time"] / 1000), p95,
                     "%.0f" % median["frames/s"]])
    return tables.markdown(["what", "picture's height", "patches", "ms a picture", "p95, ms", "pictures a second"], rows)


def section(measured):
    facts = dict(measured["machine"], block=BLOCK_S, **{k: measured[k] for k in ("commit", "load", "rounds", "repeated", "shape", "rate")})
    return "\n".join([
        ABOUT % facts, WHOLE % facts, _whole_table(measured["whole"]), "", PARTS, _parts_table(measured["whole"]), "",
        ATTENTION % facts, _attention_table(measured["attention"]), "",
        CLIPS % facts, _clips_table(measured["clips"]), "", CAMERAS % facts, _cameras_table(measured["cameras"]), "", ANSWERS % facts, _answers_table(measured["answers"]), "",
        DRIFT % facts, _drift_table(measured["drift"]), "",
        COMPRESSORS % facts, _compressors_table(measured["compressors"]), "", COMPRESS % facts, _compress_table(measured["compress"]), "",
        MERGING % facts, _merging_table(measured["merging"], measured["merging_times"]), "",
        CLOSER % facts, _closer_table(measured["closer"]), "",
        GATE % facts, _gate_table(measured["gate"]), ""])
