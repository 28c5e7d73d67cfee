"""The sessions' section of docs/benchmarks.md, from the raw results that lie in a folder."""

import statistics

import numpy
import tables
from bootstrap import BLOCK_S, block_of, share

RATE = 2     # pictures a second, as session_bench reads clips
ENDS = 100   # evictions, of which all answers are compared

ABOUT = """## Sessions: windows that slide, several cameras, long runs

Written by `samples/eval/saccade-eval --sessions FOLDER --docs`, on %(machine)s, commit %(commits)s. Each part's raw results
are a file; while they were measured, %(load)s processes wanted to run. By the clock, only ratios may be compared with another
day's, and only those of single threads say much on a machine that others use; *processor* is the time of all threads of a
process, which neighbours change least. All figures but those of several cameras are of one thread. Spreads in brackets are
the range of rounds in which all rows of a table took turns, unless they say otherwise.
"""
PREFILL = """### What an answer reads

A new picture for each answer, and the last ones of the window with it. *everything* was shown them as if they were new, as a
server without a cache would; the others are sessions with `kv-policy` and `prompt-position` as named. *Fewer* is the prompt's
tokens over those that were read; *ms* is the time until the first word, *a word* that of each other one, and *less*
everything's time over the time until the first word; *processor* is that of whole answers, of 8 words at most.
"""
SERVER = """### Beside llama-server

The same pictures and windows, the same question, one thread each, in turns: what an answer takes with the encoding of its new
picture, by `llama-server` with its prompt cache (over HTTP; *own* is what it says itself of encoding, reading and writing)
and by a session. *Same* are answers in the same words. Medians; ratios of the same picture, with their quartiles.
`llama-server` reads each picture of these pairs as one tile and an overview, which is about half of its time. Of most models
it makes so many tiles that there is nothing to compare; they are not in the table.
"""
CAMERAS = """### Several cameras

%(cameras)s cameras in one process, against as many processes with one each, each with the best of one thread, two, and what the engine chooses (0).
*decode*: answers about a picture that was read, of so many tokens at most; *whole*: each picture is encoded as a whole, and asked about; *part*: a
tenth of its patches changed. Rates are tokens a second for decode and answers a second for the others; ratios are of the same
round. *Cores* is how many were kept busy. *Memory* is the sum of proportional set sizes, in MB.
"""
AGREEMENT = """### Whether sliding changes answers

A session with `kv-policy=slide` through so many evictions of the oldest picture, and for each compared window a new session
with a cache of its own that sees nothing else: the share of answers in the same words (%%), for all compared evictions, the
first %(ends)d and the last %(ends)d, and for the question with the least. Rendered street, %(rate)d pictures a second,
%(questions)d questions. *Read* is the share of its prompts that the sliding session read, *anew* how often it read
everything. *Confidence* is the new session's, of answers that were the same and of those that were not. Intervals are 95 %%
bootstrap intervals over blocks of %(block)g s of stream.
"""
VARIANTS = """The same for other options, against a session with the defaults (rereading, f16, the question after the pictures):
"""
ENDURANCE = """### Long runs

Answers to %(questions)d questions in turn with a window of 4 that slides: resident memory, and the line through all but the
first tenth (least squares).
"""
STOP = """### Stops

From the stop to the return of `ask()`, at moments drawn evenly from an answer (of 256 tokens at most) or from the reading of
a window of 8 pictures, and from their first 250 ms at most, in milliseconds; *others* are sessions that always have something
to read or to write.
"""
GUESSES = """### Guesses

Pictures in turns with `guesses` = 0, each shown twice: an answer that is the same as the last to this question, and one that
is not. Medians by the clock, from the first word on; ratios of the same picture, with their quartiles. *Processor* is a
ratio, too, and that of everything behind the picture. *As without* are answers in the words of `guesses` = 0: a pair of
random weights is so unsure that it matters in how many rows a product is computed. *Draft* rows are with `draft-model`, which
guesses where the last answer does not.
"""
JOINING = """### Coming and going

A session is made, answers once about a picture and goes, so many times: nobody beside it, so that a cache is made each time,
or another session that stays. Milliseconds, medians and the 99th percentile; resident memory in MB after the tenth and at the
end.
"""
ELEMENT = """### The element beside the engine

The same pictures, at the encoder's size, through `localmllm answer-on=frame` and by calls of the engine that it wraps, in
turns: processor time of an answer, everything included. Ratios of the same round, with their quartiles.
"""


def _range(values, digits=2):
    return "%.*f (%.*f–%.*f)" % (digits, statistics.median(values), digits, min(values), digits, max(values))


def _quartiles(values, digits=2):
    if not values:
        return tables.DASH
    return "%.*f (%.*f–%.*f)" % tuple(part for q in (50, 25, 75) for part in (digits, numpy.percentile(values, q)))


def _middle(values, digits=1):
    return "%.*f" % (digits, statistics.median(values)) if values else tables.DASH


# --- tables -------------------------------------------------------------------------------------------------

def _prefill(found):
    rows = []
    for pair, stretches in found:
        ways = list(dict.fromkeys(s["way"] for s in stretches))
        for window in dict.fromkeys(s["window"] for s in stretches):
            of = {way: [s for s in stretches if s["window"] == window and s["way"] == way] for way in ways}
            for way in ways:
                read = [r for s in of[way] for r in s["read"]]
                fewer = of["everything"][0]["prompt"] / statistics.mean(read)
                less = {key: [statistics.mean(a[key]) / statistics.mean(b[key]) for a, b in zip(of["everything"], of[way])]
                        for key in ("clock_ms", "processor_ms")}
                rows.append(["`%s`" % pair, "%d" % window, way, "%.0f of %d" % (statistics.mean(read), of[way][0]["prompt"]), "%.1f" % fewer,
                             _middle([ms for s in of[way] for ms in s["clock_ms"]]), _middle([ms for s in of[way] for ms in s["word_ms"]], 2),
                             _range(less["clock_ms"]), _range(less["processor_ms"]),
                             "%d in %d" % (len(read), len(of[way]))])
    return tables.markdown(["pair", "window", "session", "tokens read", "fewer", "ms", "a word, ms", "less", "less, processor", "answers, rounds"], rows)


def _server(found):
    rows = []
    for pair, windows in found:
        for of in windows:
            answers = of["answers"]
            server = [a["server"] for a in answers]
            for policy in ("reread", "slide"):
                ours = [a[policy] for a in answers]
                rows.append(["`%s`" % pair, "%d" % of["window"], policy, _middle([a["ms"] for a in ours]), _middle([s["ms"] for s in server]),
                             _middle([s["own_ms"] for s in server]), _quartiles([s["ms"] / a["ms"] for s, a in zip(server, ours)]),
                             "%.2f" % (sum(s["processor_ms"] for s in server) / sum(a["processor_ms"] for a in ours)),
                             "%.0f of %.0f" % (statistics.mean(a["read"] for a in ours), ours[0]["prompt"]),
                             "%.0f" % statistics.mean(s["read"] or 0 for s in server),
                             "%.0f" % (100 * statistics.mean(a["text"] == s["text"] for s, a in zip(server, ours))), "%d" % len(ours)])
    return tables.markdown(["pair", "window", "session", "ours, ms", "theirs, ms", "own, ms", "theirs / ours", "processor", "ours reads", "theirs reads",
                            "same, %", "answers"], rows)


def _rates(entries, work):
    """{arrangement: ([rate by the clock], [rate by processor time], [MB], [cores used])}, round by round."""
    key, rates = "tokens" if work.startswith("decode") else "answers", {}
    for entry in entries:
        clock, processor, memory, cores = rates.setdefault(entry["how"], ([], [], [], []))
        clock.append(entry[key] / entry["seconds"])
        processor.append(entry[key] / entry["processor_seconds"])
        memory.append(entry["mb"])
        cores.append(entry["processor_seconds"] / entry["seconds"])
    return rates


def _cameras(found):
    rows = []
    for pair, works in found:
        for work, of in works.items():
            rates = _rates(of["measured"], work)
            threads = {entry["how"]: entry["threads"] for entry in of["measured"]}
            one, several, alone = rates["one process"], rates["processes"], rates["one camera"]
            memory = [statistics.median(r[2]) for r in (alone, one, several)]
            used = ["%d, %.1f" % (threads[how], statistics.median(rates[how][3])) for how in ("one process", "processes")]
            rows.append(["`%s`" % pair, work, used[0], _middle(one[0]), used[1], _middle(several[0]),
                         _range([a / b for a, b in zip(one[0], several[0])]), _range([a / b for a, b in zip(one[1], several[1])]),
                         "%.0f" % memory[0], "%.0f, %.2f" % (memory[1], memory[1] / memory[0]), "%.0f" % memory[2], "%d" % len(one[0])])
    return tables.markdown(["pair", "work", "threads, cores", "one process", "threads, cores", "processes", "ratio", "ratio, processor", "memory: one camera",
                            "one process, ratio", "processes", "rounds"], rows)


def _same(name, at, same):
    """The share of equal answers, of [[0 or 1 per question] per place]."""
    return share(name, [(block_of("clip", i / RATE), float(one), 1) for i, of in zip(at, same) for one in of])


def _agreement(found):
    rows = []
    for pair, windows in found:
        for window, of in windows.items():
            at, same = of["evictions"], of["same"]
            last = [i for i in range(len(at)) if at[i] > at[-1] - ENDS]
            by_kind = {kind: statistics.mean(ones) for kind, ones in zip(of["kinds"], zip(*same))}
            least = min(by_kind, key=by_kind.get)
            flat = [(one, c) for ones, cs in zip(same, of["confidences"]) for one, c in zip(ones, cs)]
            name = "%s/%s" % (pair, window)
            rows.append(["`%s`" % pair, window, "%d" % at[-1], tables.percent(_same(name, at, same)),
                         tables.percent(_same(name + "/first", at[:ENDS], same[:ENDS])),
                         tables.percent(_same(name + "/last", [at[i] for i in last], [same[i] for i in last])),
                         "`%s` %.1f" % (least, 100 * by_kind[least]), "%d" % len(flat),
                         "%.0f" % (100 * of["read"] / of["prompt"]), "%d" % of["reread"],
                         "%s, %s" % (_middle([c for one, c in flat if one], 2), _middle([c for one, c in flat if not one], 2))])
    return tables.markdown(["pair", "window", "evictions", "same, %", "first", "last", "least", "answers", "read, %", "anew", "confidence"], rows)


def _variants(found):
    rows = []
    for pair, windows in found:
        for window, of in windows.items():
            for variant, same in of.items():
                if isinstance(same, str):
                    rows.append(["`%s`" % pair, window, variant, same, tables.DASH])
                else:
                    figure = _same("%s/%s/%s" % (pair, window, variant), range(len(same)), same)
                    rows.append(["`%s`" % pair, window, variant, tables.percent(figure), "%d" % figure["n"]])
    return tables.markdown(["pair", "window", "option", "same, %", "answers"], rows)


def _endurance(found):
    rows = []
    for pair, of in found:
        at, memory = numpy.array(of["answers"]), numpy.array(of["rss_mb"])
        later = at > at[-1] / 10
        slope = numpy.polyfit(at[later], memory[later], 1)[0]
        first = int(numpy.argmax(at >= at[-1] / 10))
        rows.append(["`%s`" % pair, "%d" % at[-1], "%.2f (after %d)" % (memory[first], at[first]), "%.2f" % memory[-1], "%.2f" % memory[later].max(),
                     "%+.2f" % (slope * (at[-1] - at[first])), "%.1f" % (of["ms"] / at[-1])])
    return tables.markdown(["pair", "answers", "MB at first", "MB at the end", "most, MB", "growth by the line, MB", "ms an answer"], rows)


def _stop(found):
    rows = []
    for pair, stops in found:
        for of in stops:
            ms = of["ms"]
            rows.append(["`%s`" % pair, of["in"], "%d" % of["others"], "%d" % len(ms)] +
                        (["%.1f" % numpy.percentile(ms, q) for q in (50, 99, 100)] if ms else [tables.DASH] * 3) +
                        ["%d" % of["finished"], "%.0f" % of["lasts_ms"]])
    return tables.markdown(["pair", "stopped in", "others", "stops", "p50", "p99", "most", "came too late", "lasts, ms"], rows)


def _guesses(found):
    rows = []
    for pair, asked in found:
        plain = {entry["round"]: entry for entry in asked if entry["guesses"] == 0}
        for same in (1, 0):
            for guesses, draft in sorted({(e["guesses"], e.get("draft", 0)) for e in asked}):
                of = [e for e in asked if (e["guesses"], e.get("draft", 0)) == (guesses, draft) and e["same"] == same]
                ratios = {key: [plain[e["round"]][key] / e[key] for e in of if e[key] > 0] for key in ("clock_ms", "processor_ms")}
                guessed = sum(e["guessed"] for e in of)
                rows.append(["`%s`" % pair, "same" if same else "another", "%d%s" % (guesses, ", draft" if draft else ""),
                             _middle([e["clock_ms"] for e in of]), _quartiles(ratios["clock_ms"]), _quartiles(ratios["processor_ms"]),
                             "%.0f of %.0f" % (sum(e["right"] for e in of), guessed) if guessed else tables.DASH,
                             "%.0f" % statistics.mean(e["tokens"] for e in of) if of else tables.DASH,
                             "%.0f" % (100 * statistics.mean(e["as_without"] for e in of)) if of else tables.DASH, "%d" % len(of)])
    return tables.markdown(["pair", "answer", "`guesses`", "ms", "times faster", "processor", "right of guessed", "tokens", "as without, %",
                            "answers"], rows)


def _joining(found):
    rows = []
    for pair, of_pair in found:
        for of in of_pair:
            times = ["%s, %.2f" % (_middle(of[key], 2), numpy.percentile(of[key], 99)) for key in ("join_ms", "answer_ms", "leave_ms")]
            memory = of["rss_mb"]
            rows.append(["`%s`" % pair, of["beside"], "%d" % len(memory), *times, "%.1f" % memory[min(9, len(memory) - 1)], "%.1f" % memory[-1]])
    return tables.markdown(["pair", "beside", "times", "made, ms", "answer, ms", "gone, ms", "MB at first", "MB at the end"], rows)


def _element(found):
    rows = []
    for pair, of in found:
        ratios = [element / engine for element, engine in zip(of["element_ms"], of["engine_ms"])]
        rows.append(["`%s`" % pair, _middle([ms / of["answers"] for ms in of["engine_ms"]], 2), _middle([ms / of["answers"] for ms in of["element_ms"]], 2),
                     _quartiles(ratios, 3), "%.0f of %.0f" % (of["same"], of["answers"]), "%d" % len(ratios)])
    return tables.markdown(["pair", "engine, ms", "element, ms", "element / engine", "same", "rounds"], rows)


TABLES = (("prefill", PREFILL, _prefill), ("server", SERVER, _server), ("cameras", CAMERAS, _cameras), ("agreement", AGREEMENT, _agreement),
          ("variants", VARIANTS, _variants), ("endurance", ENDURANCE, _endurance), ("stop", STOP, _stop), ("guesses", GUESSES, _guesses),
          ("joining", JOINING, _joining), ("element", ELEMENT, _element))


def _facts(results):
    machines = dict.fromkeys("%(cpu)s, %(cores)d cores" % raw["machine"] for raw in results)
    loads = [raw["load"] for raw in results]
    asked = [len(of["same"][0]) for raw in results if raw["part"] == "agreement" for of in raw["found"].values()]
    cameras = [entry["cameras"] for raw in results if raw["part"] == "cameras" for of in raw["found"].values()
               for entry in of["tried"] if entry["how"] == "one process" and "cameras" in entry]
    return {"machine": " and ".join(machines), "commits": " and ".join(dict.fromkeys(raw["commit"] for raw in results)),
            "load": "%.1f to %.1f" % (min(loads), max(loads)) if loads else "no", "block": BLOCK_S, "rate": RATE, "ends": ENDS,
            "questions": max(asked, default=0), "cameras": max(cameras, default=0)}


def section(results):
    """results: of a part and a pair each."""
    facts, parts, missing = _facts(results), [], []
    for part, about, table in TABLES:
        found = [(raw["pair"], raw["found"]) for raw in results if raw["part"] == part]
        if found:
            parts += [about % facts, table(found), ""]
        else:
            missing.append(part)
    if missing:
        parts.append("**Missing:** %s; `--parts` measures them.\n" % ", ".join(missing))
    return "\n".join([ABOUT % facts] + parts)
