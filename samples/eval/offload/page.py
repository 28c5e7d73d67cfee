"""What offloading was measured to cost and to be worth, as Markdown: the part of docs/benchmarks.md, and that of docs/offload.md."""

import statistics

import bootstrap
import numpy
import tables
from offload import figures, policies, speculation

ABOUT = """## Offloading: edge and cloud

Written by `samples/eval/saccade-eval --offload FOLDER --docs`, on %(machine)s, commit %(commits)s. While it was
measured, %(load)s processes wanted to run. The edge has the edge pair. The cloud is a recording of `saccade-server` with the
cloud pair (%(recorded)d answers), which takes no core from the edge: it sleeps as long as each answer took (median %(service).0f ms;
%(prefill).0f ms and %(token).2f ms per token fit best), %(workers)d answers at a time, and with `cloud` that was %(busy).0f %% of its time. Of %(requests)d requests
%(unknown)d were not in the recording and were asked of the real server. The link is `link_emulator`. Intervals are 95 %%
bootstrap intervals over blocks of %(block)g s of stream.
"""
STREAMS = """### Policies

Clips %(clips)s, by the clock, two pictures a second at most, %(kinds)d questions
(%(names)s); %(side)d streams ran side by side, in mixed order. *Right* is the share of
checks at which the answer that stood was true: *settled*, if a draft that the cloud is asked about (`edge-draft`) is not shown
and the last answer stands until the cloud's comes; *shown*, if every draft is shown at once; *untimed*, as if nothing took
any time. *Beyond cloud* is that less what `cloud` had at the same moments, in points. Requests and bytes are those of `cloud`; *in vain* are
uploads that a good draft called off. *First* and *final* are from the picture to the first and to the last answer about it.
CPU is that of the edge's process, a minute of stream; with `cloud` it includes drafts that nobody looks at.
"""
SWEEP = """### What msao weighs

The same for other settings of `msao`; its defaults are `error-weight=2 cloud-error=0.1`.
"""
SPECULATION = """### Checking drafts

Descriptions of %(least)d tokens and more, by a real `saccade-server` over the link of 20 ms, which did nothing else. *A token at a
time* is `--guesses 0`; without a draft the server guesses from its last answer to the question. Ratios are of the same picture in
the same round, with their quartiles: above 1 is sooner. Drafts of `cloud` are its own words, the best that there can be.
*Same* are answers in the same words as a token at a time.
"""
ROUTER = """### What a decision costs

`router_bench`, microseconds of one core. *Plan* is before the draft, *decide* after it.
"""
NEAR = 0.005                              # of accuracy, below cloud-only's
MOST_REQUESTS, MOST_BYTES = 0.30, 0.15    # of cloud-only's, to the nearest per cent
# Of router_bench.
POLICY_NAMES = ("edge", "cloud", "threshold", "msao", "budget")
OTHER_NAMES = {"observation": "a hundred answers and calls learnt", "log_line": "a line of the log"}


def _points(figure):
    return "%+.1f (%+.1f to %+.1f)" % tuple(100 * figure[key] for key in ("value", "low", "high")) if figure else tables.DASH


def _milliseconds(figures, key):
    return "%.0f" % (1000 * figures[key]["value"]) if figures else tables.DASH


def _ratio(row):
    return "%.2f" % row["cpu_ratio"]["value"] if row["cpu_ratio"] else tables.DASH


def _row(name, row):
    right = [cell for standing in figures.STANDING for cell in (tables.percent(row["right"][standing]), _points(row["difference"][standing]))]
    return ["`%s`" % name, *right, tables.percent(row["requests"]), tables.percent(row["bytes"]), "%.0f" % row["kilobytes"],
            _milliseconds(row["first_s"], "p50"), _milliseconds(row["first_s"], "p95"), _milliseconds(row["final_s"], "p50"),
            _milliseconds(row["final_s"], "p95"), "%.2f" % row["cpu_s"]["value"], _ratio(row),
            str(row["calls"]), str(row["in_vain"]), str(row["unanswered"]), _accepted(row["acceptance"]), "%d, %d" % (row["runs"], len(row["waits"]))]


def _accepted(acceptance):
    if not acceptance["predictions"]:
        return "none verified"
    return "%d of %d in %d" % (acceptance["accepted"], acceptance["tokens"], acceptance["predictions"])


HEADER = ["policy", *(cell for standing in figures.STANDING for cell in ("right, " + standing, "beyond cloud")),
          "requests, %", "bytes, %", "kB a minute", "first p50, ms", "first p95, ms", "final p50, ms", "final p95, ms", "CPU, s", "CPU, by `edge`", "calls", "in vain", "failed", "drafts accepted", "runs, answers"]


def policies_table(rows):
    return tables.markdown(HEADER, [_row(name, row) for name, row in rows.items()])


def _near(rows, standing):
    """Names of the policies that are about as right as cloud-only, for a part of what it sends."""
    return [name for name, row in rows.items() if row["difference"][standing] and row["difference"][standing]["value"] >= -NEAR and
            round(row["requests"]["value"], 2) <= MOST_REQUESTS and round(row["bytes"]["value"], 2) <= MOST_BYTES]


def _verdict(rows):
    said = ["%s, %s" % (standing, ", ".join("`%s`" % name for name in _near(rows, standing)) or "none") for standing in figures.STANDING]
    return "At most %g points below `cloud`, at no more than %.0f %% of its requests and %.0f %% of its bytes: %s.\n" % (
        100 * NEAR, 100 * MOST_REQUESTS, 100 * MOST_BYTES, "; ".join(said))


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


def facts(found):
    """What the head of the part says, of all raw results that there are."""
    every = found["streams"] + [found[part] for part in ("speculation", "router") if found.get(part)]
    clouds = [raw["cloud"] for raw in found["streams"] if raw["cloud"]]
    seconds = [entry["seconds"] for entry in found["recording"]]
    alone = [raw for raw in found["streams"] if raw["policy"] == policies.CLOUD.name]
    busy = [raw["cloud"]["busy_s"] / policies.WORKERS / raw["summary"]["wall_s"] for raw in alone]
    machine = every[0]["machine"] if every else {"cpu": "no machine", "cores": 0}
    loads = [raw["load"] for raw in every] or [0]
    model = found["model"]
    return {"machine": "%(cpu)s, %(cores)d cores" % machine, "commits": ", ".join(dict.fromkeys(raw["commit"] for raw in every)),
            "load": "%.1f to %.1f" % (min(loads), max(loads)), "recorded": len(seconds),
            "service": 1000 * statistics.median(seconds) if seconds else 0,
            "prefill": 1000 * model.prefill, "token": 1000 * model.per_token, "workers": policies.WORKERS, "busy": 100 * max(busy, default=0),
            "unknown": sum(cloud["unknown"] for cloud in clouds), "requests": sum(cloud["requests"] for cloud in clouds), "block": bootstrap.BLOCK_S,
            "clips": ", ".join(sorted({raw["clip"] for raw in found["streams"]})), "kinds": len(policies.KINDS),
            "names": ", ".join("`%s`" % kind for kind in policies.KINDS), "side": found["side_by_side"], "least": speculation.LEAST_TOKENS}


def _split(rows, names):
    return {name: rows[name] for name in names if name in rows}


def _of_streams(head, rows_of, names, about):
    """A table and a verdict per link; empty where no two of the policies were measured."""
    tables_of = {link: _split(rows_of[link.name], names) for link in policies.LINKS if link.name in rows_of}
    tables_of = {link: rows for link, rows in tables_of.items() if len(rows) > 1}
    if not tables_of:
        return []
    parts = [head]
    for link, rows in tables_of.items():
        parts.append("%s:\n\n%s\n\n%s" % (link.about, policies_table(rows), _verdict(rows)))
    return parts + [_meanings(dict.fromkeys(name for rows in tables_of.values() for name in rows), about) + "\n"]


def section(found, rows_of):
    """The part of docs/benchmarks.md. found: raw results; rows_of: {link: {policy: row}}."""
    told, missing, parts = facts(found), [], []
    about = {raw["policy"]: raw["about"] for raw in found["streams"]}
    for part, head, chosen in (("policies", STREAMS, policies.POLICIES), ("sweep", SWEEP, (policies.DEFAULT, *policies.SWEEP))):
        names = [policy.name for policy in chosen]
        written = _of_streams(head % told, rows_of, names, about)
        parts += written
        missing += [] if written else [part]
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
what, and with what intervals. *Right* is the share of moments at which the answer that stood was true: *settled*, if a draft that
the cloud is asked about (`edge-draft`) is not shown meanwhile, or *shown* at once. Requests and bytes are those of `cloud`, which
sends two pictures a second with every question; times are in milliseconds, from a picture to the last answer about it.
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
                  _milliseconds(row["final_s"], "p50"), _milliseconds(row["final_s"], "p95"), _ratio(row)] for name, row in rows.items()]
        parts.append("### %s\n" % link.about)
        header = ["policy", "settled, %", "points beyond `cloud`", "shown, %", "requests, %", "bytes, %", "p50", "p95", "CPU, by `edge`"]
        parts.append(tables.markdown(header, lines) + "\n")
        parts.append(_verdict(rows_of[link.name]))
        for title, name in zip(("Accuracy against bytes", "Latency"), drawn[link.name]):
            parts.append("![%s, %s](images/offload/%s)\n" % (title, link.about, name))
    return "\n".join(parts)
