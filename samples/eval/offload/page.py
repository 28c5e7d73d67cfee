"""What offloading was measured to cost and to be worth, as Markdown: the part of docs/benchmarks.md, and that of docs/offload.md."""

import statistics

import bootstrap
import numpy
import tables
from offload import figures, policies, speculation

ABOUT = """## Offloading: edge and cloud

Written by `samples/eval/saccade-eval --offload FOLDER --docs`, on %(machine)s, commit %(commits)s. After its parts the
machine's load was %(load)s. The edge has the edge pair. The cloud is a recording of `saccade-server` with the cloud pair, which takes
no core from the edge: it sleeps as long as each answer took. %(recorded)d answers were recorded, one after another with nothing else
running (load %(recorded_load)s). *Cold* is what one took of a server with `--picture-cache 0` that had not read the picture before: median
%(cold).0f ms, mean %(cold_cpu).0f ms of processor time. *Warm* is what it took of a server with its default options that had just been asked
something else about the picture: median %(warm).1f ms, mean %(warm_cpu).0f ms of processor time; %(prefill).1f ms and %(token).2f ms per token
fit best. In a run the first question about a picture takes the cold time and all others the warm one, also while the first is still
being answered: a real server may encode a picture twice then, so that this favours whoever asks much at once. The cloud makes
%(workers)d answers at a time; with `cloud` that was at most %(busy).0f %% of its time. Of %(requests)d requests %(unrecorded)d were not in the
recording and were asked of the real server meanwhile. The link is `link_emulator`. Intervals are 95 %% bootstrap intervals over
blocks of %(block)g s of stream.
"""
STREAMS = """### Policies

Clips %(clips)s, by the clock, two pictures a second at most, %(kinds)d questions
(%(names)s); %(side)d streams ran side by side, in mixed order. *Right* is the share of
checks at which the answer that stood was true. *Settled* is what stands if a draft that the cloud is asked about (`edge-draft`) is
never looked at and the last answer stands until the cloud's comes. *Shown* is what a user sees: every answer from the moment at which
the element gives it, drafts included, which `draft-hold` keeps back for a while. *Untimed* is as if nothing took any time.
*Beyond cloud* is that less what `cloud` had at the same moments, in points. Requests and bytes are those of `cloud`; *in vain* are
uploads that a good draft called off. *First* and *final* are from the picture to the first and to the last answer about it; *queued* is
how long a call waited in the cloud for its turn, on average. CPU is that of the edge's process, a minute of stream; `cloud` and
`cloud-gated` have no model there.
"""
SWEEP = """### What msao weighs

The same for other settings of `msao`; its defaults are `error-weight=%(weight)g cloud-error=%(error)g`.
"""
ONE_BOX = """### One box

Processor time of edge and cloud, were both the same machine: the edge's, and for each call what the recorded answer took of the
server, cold or warm as in the run. *Streams* are what one core carries. The clients of `cloud` and `cloud-384` count as none, which
favours these: they read and send the pictures, too. *By cloud* is as many times the streams of `cloud`, with the least and the most over clips.
"""
SPECULATION = """### Checking drafts

Descriptions of %(least)d tokens and more, by a real `saccade-server` over the link of 20 ms, which did nothing else. *A token at a
time* is `--guesses 0`; *the server's own guesses* are from its last answer to the question, which was about the picture before: this
way has a server of its own, as the first has. All have `--parallel 1 --picture-cache 1`, and know no picture from before. Ratios are
of the same picture in the same round, with their quartiles: above 1 is sooner. Drafts of `cloud` are its own words, the best that
there can be.
*Same* are answers in the same words as a token at a time.
"""
ROUTER = """### What a decision costs

`router_bench`, microseconds of one core. *Plan* is before the draft, *decide* after it.
"""
NEAR = 0.005                              # of accuracy, below cloud-only's
MOST_REQUESTS, MOST_BYTES = 0.30, 0.15    # of cloud-only's
# Of router_bench.
POLICY_NAMES = ("edge", "cloud", "threshold", "msao", "budget")
OTHER_NAMES = {"observation": "a hundred answers and calls learnt", "log_line": "a line of the log"}


def _points(figure):
    return "%+.1f (%+.1f to %+.1f)" % tuple(100 * figure[key] for key in ("value", "low", "high")) if figure else tables.DASH


def _milliseconds(figures, key):
    return "%.0f" % (1000 * figures[key]["value"]) if figures else tables.DASH


def _ratio(row):
    return "%.2f" % row["cpu_ratio"]["value"] if row["cpu_ratio"] else tables.DASH


def _queued(row):
    return "%.1f" % (1000 * row["waited_s"]) if row["waited_s"] is not None else tables.DASH


def _row(name, row):
    right = [cell for standing in figures.STANDING for cell in (tables.percent(row["right"][standing]), _points(row["difference"][standing]))]
    return ["`%s`" % name, *right, tables.percent(row["requests"]), tables.percent(row["bytes"]), "%.0f" % row["kilobytes"],
            _milliseconds(row["first_s"], "p50"), _milliseconds(row["first_s"], "p95"), _milliseconds(row["final_s"], "p50"),
            _milliseconds(row["final_s"], "p95"), _queued(row), "%.2f" % row["cpu_s"]["value"], _ratio(row),
            str(row["calls"]), str(row["in_vain"]), str(row["unanswered"]), _accepted(row["acceptance"]), "%d, %d" % (row["runs"], len(row["waits"]))]


def _accepted(acceptance):
    if not acceptance["predictions"]:
        return "none verified"
    return "%d of %d in %d" % (acceptance["accepted"], acceptance["tokens"], acceptance["predictions"])


HEADER = ["policy", *(cell for standing in figures.STANDING for cell in ("right, " + standing, "beyond cloud")),
          "requests, %", "bytes, %", "kB a minute", "first p50, ms", "first p95, ms", "final p50, ms", "final p95, ms",
          "queued, ms", "CPU, s", "CPU, by `edge`", "calls", "in vain", "failed", "drafts accepted", "runs, answers"]


def policies_table(rows):
    return tables.markdown(HEADER, [_row(name, row) for name, row in rows.items()])


def _near(rows, standing):
    """Names of the policies that are about as right as cloud-only, for a part of what it sends."""
    return [name for name, row in rows.items() if row["difference"][standing] and row["difference"][standing]["value"] >= -NEAR and
            row["requests"]["value"] <= MOST_REQUESTS and row["bytes"]["value"] <= MOST_BYTES]


def _verdict(rows):
    said = ["%s, %s" % (standing, ", ".join("`%s`" % name for name in _near(rows, standing)) or "none") for standing in figures.STANDING]
    return "At most %g points below `cloud`, at no more than %.0f %% of its requests and %.0f %% of its bytes: %s.\n" % (
        100 * NEAR, 100 * MOST_REQUESTS, 100 * MOST_BYTES, "; ".join(said))


def one_box_table(rows):
    lines = []
    for name, row in rows.items():
        box = row["one_box"]
        streams = "%.1f" % box["streams"] if box["streams"] else tables.DASH
        lines.append(["`%s`" % name, "%.2f" % box["edge_s"], "%.2f" % box["cloud_s"], streams, _by_cloud(row)])
    return tables.markdown(["policy", "edge, CPU s a minute", "cloud, CPU s a minute", "streams", "by `cloud`"], lines)


def _by_cloud(row):
    ratio = row["one_box"]["by_cloud"]
    return "%.2f (%.2f–%.2f)" % (ratio["value"], ratio["low"], ratio["high"]) if ratio else tables.DASH


def _meanings(names, about):
    return "\n".join("- `%s`: %s." % (name, about[name]) for name in names)


def _quartiles(values):
    return "%.2f (%.2f–%.2f)" % tuple(numpy.percentile(values, q) for q in (50, 25, 75))


def speculation_table(found):
    by = {(x["way"], x["round"], x["picture"]): x for x in found}
    rows = [(tables.DASH, way, speculation.DRAFTS) for way in (speculation.PLAINLY, speculation.GUESSING)]
    rows += [(draft, way, (draft,)) for draft in speculation.DRAFTS for way in speculation.WAYS if way not in (rows[0][1], rows[1][1])]
    lines = []
    for label, way, drafts in rows:
        asked = [x for x in found if x["way"] == way and x["draft"] in drafts]
        plain = [by[speculation.PLAINLY, x["round"], x["picture"]] for x in asked]
        counted = [x for x in asked if "accepted" in x]
        accepted = "%.1f of %.1f" % tuple(statistics.mean(values) for values in ([x["accepted"] for x in counted], [p["tokens"] for p in plain])) \
            if counted else tables.DASH
        same = sum(x["text"] == p["text"] for p, x in zip(plain, asked))
        lines.append([label, way, "%.1f" % (1000 * statistics.median(x["seconds"] for x in asked)),
                      _quartiles([p["seconds"] / x["seconds"] for p, x in zip(plain, asked)]), accepted,
                      "%.2f" % statistics.mean(x["calls"] for x in asked), "%d of %d" % (same, len(asked))])
    return tables.markdown(["draft", "way", "ms, median", "a token at a time / this", "tokens accepted", "calls", "same"], lines)


def router_table(benchmarks):
    lines = []
    for entry in benchmarks:
        what, _, policy = entry["name"].partition("/")
        name = "%s, `%s`" % (what, POLICY_NAMES[int(policy)]) if policy else OTHER_NAMES[what]
        lines.append([name, "%.2f" % entry["cpu_time"], str(entry["iterations"])])
    return tables.markdown(["what", "us", "n"], lines)


def _service(entries, state):
    """What answers took: {state: median of the time, state_cpu: mean of the processor's}, in milliseconds."""
    taken = [entry[state] for entry in entries] or [{"seconds": 0, "cpu_s": 0}]
    return {state: 1000 * statistics.median(t["seconds"] for t in taken), state + "_cpu": 1000 * statistics.mean(t["cpu_s"] for t in taken)}


def facts(found):
    """What the head of the part says, of all raw results that there are."""
    every = found["streams"] + [found[part] for part in ("record", "speculation", "router") if found.get(part)]
    clouds = [raw["cloud"] for raw in found["streams"] if raw["cloud"]]
    timed = [entry for entry in found["recording"] if not entry["at_once"]]
    alone = [raw for raw in found["streams"] if raw["policy"] == policies.CLOUD.name]
    busy = [raw["cloud"]["busy_s"] / policies.WORKERS / raw["summary"]["wall_s"] for raw in alone]
    machine = every[0]["machine"] if every else {"cpu": "no machine", "cores": 0}
    loads = [raw["load"] for raw in every] or [0]
    model = found["model"]
    return {"machine": "%(cpu)s, %(cores)d cores" % machine, "commits": ", ".join(dict.fromkeys(raw["commit"] for raw in every)),
            "load": "%.1f to %.1f" % (min(loads), max(loads)), "recorded": len(timed),
            "recorded_load": "%.1f" % found["record"]["load"] if found.get("record") else "unknown", **_service(timed, "cold"), **_service(timed, "warm"),
            "prefill": 1000 * model.prefill, "token": 1000 * model.per_token, "workers": policies.WORKERS, "busy": 100 * max(busy, default=0),
            "unrecorded": sum(cloud["unrecorded"] for cloud in clouds), "requests": sum(cloud["requests"] for cloud in clouds),
            "block": bootstrap.BLOCK_S, "weight": policies.DEFAULT_WEIGHT, "error": policies.DEFAULT_ERROR,
            "clips": ", ".join(sorted({raw["clip"] for raw in found["streams"]})), "kinds": len(policies.KINDS),
            "names": ", ".join("`%s`" % kind for kind in policies.KINDS), "side": found["side_by_side"], "least": speculation.LEAST_TOKENS}


def _split(rows, names):
    return {name: rows[name] for name in names if name in rows}


def _of_links(rows_of, names):
    """[(what a link is, rows of these policies)] of the links over which two of them were measured."""
    found = [(link.about, _split(rows_of[link.name], names)) for link in policies.LINKS if link.name in rows_of]
    return [(about, rows) for about, rows in found if len(rows) > 1]


def _of_streams(of_links, about):
    """A table and a verdict per link, and what the policies are."""
    parts = ["%s:\n\n%s\n\n%s" % (link, policies_table(rows), _verdict(rows)) for link, rows in of_links]
    return parts + [_meanings(dict.fromkeys(name for _, rows in of_links for name in rows), about) + "\n"]


def section(found, rows_of):
    """The part of docs/benchmarks.md. found: raw results; rows_of: {link: {policy: row}}."""
    told, missing, parts = facts(found), [], []
    about = {raw["policy"]: raw["about"] for raw in found["streams"]}
    compared, swept = (_of_links(rows_of, [policy.name for policy in chosen])
                       for chosen in (policies.POLICIES, (policies.DEFAULT, *policies.SWEEP)))
    for part, head, of_links in (("policies", STREAMS, compared), ("sweep", SWEEP, swept)):
        parts += [head % told, *_of_streams(of_links, about)] if of_links else []
        missing += [] if of_links else [part]
    if compared:
        parts.append("\n".join([ONE_BOX, *("%s:\n\n%s\n" % (link, one_box_table(rows)) for link, rows in compared)]))
    for part, head, table in (("speculation", SPECULATION, speculation_table), ("router", ROUTER, router_table)):
        if found.get(part):
            parts.append("%s\n%s\n" % (head % told, table(found[part]["found"])))
        else:
            missing.append(part)
    if missing:
        parts.append("**Missing:** %s; `--parts` measures them.\n" % ", ".join(missing))
    return "\n".join([ABOUT % told] + parts)


SUMMARY = """## Measured

Written by `samples/eval/saccade-eval --offload FOLDER --docs`; [Benchmarks](benchmarks.md#offloading-edge-and-cloud) says how, on
what, and with what intervals. Figures are shares of moments at which the answer that stood was true. *Settled* is what stands if a
draft that the cloud is asked about is never looked at. *Shown* is what a user sees: every answer from when the element gives it.
*Untimed* is as if nothing took any time.
Requests and bytes are those of `cloud`, which has no model on the edge and sends two pictures a second with every question at once.
Times are in milliseconds, from a picture to the *first* and to the *final* answer about it. *Streams* are what a box carries that
is edge and cloud at once, as many times as with `cloud`, with the least and the most over clips.
"""


def _share(figure):
    return "%.0f" % (100 * figure["value"]) if figure else tables.DASH


def summary(rows_of, drawn):
    """The part of docs/offload.md. drawn: {link: names of plots}."""
    parts = [SUMMARY]
    for link in policies.LINKS:
        if link.name not in drawn:
            continue
        rows = _split(rows_of[link.name], [p.name for p in policies.POLICIES])
        lines = [["`%s`" % name, "%.1f" % (100 * row["right"]["settled"]["value"]), _points(row["difference"]["settled"]),
                  "%.1f" % (100 * row["right"]["shown"]["value"]), _share(row["requests"]), _share(row["bytes"]),
                  *(_milliseconds(row[which], key) for which in ("first_s", "final_s") for key in ("p50", "p95")),
                  _ratio(row), _by_cloud(row)] for name, row in rows.items()]
        parts.append("### %s\n" % link.about)
        header = ["policy", "settled, %", "points beyond `cloud`", "shown, %", "requests, %", "bytes, %", "first p50", "first p95",
                  "final p50", "final p95", "CPU, by `edge`", "streams, by `cloud`"]
        parts.append(tables.markdown(header, lines) + "\n")
        parts.append(_verdict(rows))
        for title, name in zip(("Accuracy against bytes", "Latency"), drawn[link.name]):
            parts.append("![%s, %s](images/offload/%s)\n" % (title, link.about, name))
    return "\n".join(parts)
