"""The recorded table of stage costs (costs.json), from which virtual time is made.

Costs are processor time, not wall-clock time: so they hardly depend on what else the machine does while they are
recorded. `saccade-eval --record-costs` measures both pairs anew."""

import json
import os
import statistics
from dataclasses import asdict

import machine
import runs
from configurations import CONFIGURATIONS, RATE, everything_at
from errors import EvalError, RunFailed
from models import pair as find_pair
from virtual_time import StageCosts

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "costs.json")
REPEATS = 3          # of each run
MANY_QUESTIONS = 4   # per picture in the second measurement; the first asks one
DIGITS = 3           # of a millisecond


def read_tables(*paths):
    """{fingerprint: entry} of the tables that exist; later ones win."""
    entries = {}
    for path in paths:
        if not os.path.exists(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)["pairs"]
            entries.update({key: dict(entry, local=StageCosts(**entry["local"]), server=StageCosts(**entry["server"]))
                            for key, entry in found.items()})
        except (ValueError, KeyError, TypeError) as error:
            raise EvalError("cannot read the table of costs %s (%s); saccade-eval --record-costs writes it anew"
                            % (path, error)) from error
    return entries


def costs_of(pair, entries):
    """(entry, note). The costs of the shipped pair before the last training stand in for those of a new one: shapes
    change seldom. None without any."""
    if pair.fingerprint in entries:
        return entries[pair.fingerprint], None
    same_role = [entry for entry in entries.values() if entry["role"] == pair.role and entry["name"] == pair.name]
    if same_role:
        return same_role[-1], "stage costs of %s were recorded with other weights" % pair.name
    return None, "no stage costs are recorded for %s" % pair.name


def _median(values):
    return statistics.median(values) if values else 0.0


def _share(stages, name):
    """How much of the time of this stage and the prefill was this stage's."""
    return _median([s[name] / max(1e-9, s[name] + s["prefill_ms"]) for s in stages])


def _least(configuration, truth, questions, pair, cpu_s):
    """(the result of the cheapest of some runs, its processor time in ms): what else the machine does only adds to it.
    cpu_s: of a run's summary"""
    results = [runs.run(configuration, truth, questions, "exact", {configuration.pair: pair}) for _ in range(REPEATS)]
    cheapest = min(results, key=lambda result: cpu_s(result.summary))
    return cheapest, 1000 * cpu_s(cheapest.summary)


def _local(pair, truth, questions):
    """StageCosts of localmllm, from the program's processor time: several threads work on an answer. With one and with
    many questions per picture, and with fewer pictures of the same frames."""
    often, seldom = (everything_at(rate, "everything at %g" % rate, "") for rate in (RATE, RATE / 4))
    (one, one_ms), (many, many_ms), (few, few_ms) = (
        _least(configuration, truth, asked, pair, lambda summary: summary["cpu_s"])
        for configuration, asked in ((often, questions[:1]), (often, questions), (seldom, questions[:1])))
    ask = max(0.0, (many_ms - one_ms) / max(1, len(many.answers) - len(one.answers)))
    each = max(0.0, (one_ms - few_ms) / max(1, len(one.answers) - len(few.answers)))
    picture = max(0.0, each - ask)
    later = [a for a in many.answers if a["question"] != questions[0].text]
    decode_share = _share([a["stages"] for a in later], "decode_ms")
    encode_share = _share([a["stages"] for a in one.answers], "encode_ms")
    kept = _median([a["tokens"]["kept"] for a in one.answers]) or 1
    generated = _median([a["tokens"]["generated"] or 1 for a in later]) or 1
    frames = max(1, one.summary["frames"]["seen"])
    return StageCosts(
        frame_ms=round(max(0.0, one_ms - each * len(one.answers)) / frames, DIGITS),
        encode_ms=round(picture * encode_share, DIGITS),
        prefill_ms_per_token=round(picture * (1 - encode_share) / kept, DIGITS),
        ask_ms=round(ask * (1 - decode_share), DIGITS),
        decode_ms_per_token=round(ask * decode_share / generated, DIGITS))


def _server(pair, truth, questions):
    """StageCosts of llama-server, from its processor time with one and with many questions per picture."""
    configuration = CONFIGURATIONS["server-2fps" if pair.role == "edge" else "cloud-only"]
    (one, one_ms), (many, many_ms) = (
        _least(configuration, truth, asked, pair, lambda summary: summary["cpu_parts"]["server"])
        for asked in (questions[:1], questions))
    pictures = max(1, len(one.answers))
    ask = max(0.0, (many_ms - one_ms) / pictures / (len(questions) - 1))
    stages = [a["stages"] for k, a in enumerate(many.answers) if k % len(questions)]
    decode_share = _share(stages, "decode_ms")
    generated = _median([a["tokens"]["generated"] for a in many.answers]) or 1
    frames = max(1, one.summary["frames"]["seen"])
    return StageCosts(
        frame_ms=round(1000 * one.summary["cpu_parts"]["client"] / frames, DIGITS),
        encode_ms=round(max(0.0, one_ms / pictures - ask), DIGITS), ask_ms=round(ask * (1 - decode_share), DIGITS),
        decode_ms_per_token=round(ask * decode_share / generated, DIGITS),
        overhead_ms=round(max(0.0, 1000 * (many.summary["cpu_parts"]["client"] - one.summary["cpu_parts"]["client"])
                              / max(1, len(many.answers) - len(one.answers))), DIGITS))


def record(pair, truth, kinds, say):
    """The table's entry of one pair. RunFailed when its pipeline does not run."""
    questions = [q for q in truth.of_kinds(kinds) if q.grade in ("glance", "look")][:MANY_QUESTIONS]
    if len(questions) < 2:
        raise RunFailed("a clip with one question does not tell a picture's cost from a question's")
    say("recording the stage costs of %s" % pair.name)
    local = _local(pair, truth, questions)
    try:
        server = _server(pair, truth, questions)
    except RunFailed as error:
        say("no llama-server for %s (%s); its server costs are those of localmllm" % (pair.name, error))
        server = local
    return {"role": pair.role, "name": pair.name, "local": asdict(local), "server": asdict(server)}


def write_table(path, recorded, keep=None):
    """recorded: {fingerprint: entry}"""
    table = {"about": "milliseconds of one thread's work, recorded by saccade-eval --record-costs",
             "machine": machine.describe(), "pairs": dict(keep or {}, **recorded)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(table, file, indent=1, sort_keys=True)
        file.write("\n")


def record_all(path, truth, kinds, say):
    """Writes the table of every pair that there is."""
    recorded = {}
    for role in ("edge", "cloud"):
        try:
            pair = find_pair(role)
            recorded[pair.fingerprint] = record(pair, truth, kinds, say)
        except RunFailed as error:
            say("the %s pair is left out: %s" % (role, error))
    if not recorded:
        raise EvalError("no pair could be measured, the table of costs stays as it was")
    write_table(path, recorded)
