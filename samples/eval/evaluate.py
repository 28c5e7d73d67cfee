"""Runs a suite: every clip through every configuration, the configurations taking turns, and one row for each."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import clips
import costs as stage_costs
import runs
from errors import RunFailed
from figures import REFERENCE, Row, ScoredRun, figures_of
from models import PROJECT, ROLES, pair as find_pair
from score import ClipScore
from virtual_time import StageCosts, emit, mark_encodes


@dataclass
class Plan:
    """What is to be run, and how."""
    suite: object
    modes: tuple
    configurations: dict           # {mode: [Configuration]}
    truths: dict                   # {mode: [(name, Truth)]}
    out: str
    any_case: bool = False
    resume: bool = False
    jobs: int = 1                  # exact runs at a time: their times are virtual, so that neighbours do no harm
    say: object = print

    def configurations_of(self, mode):
        """The reference first, so that the others have something to be compared with."""
        return sorted(self.configurations[mode], key=lambda c: c.name != REFERENCE)


def found_pairs():
    """({role: Pair}, {role: why there is none})"""
    pairs, absent = {}, {}
    for role in ROLES:
        try:
            pairs[role] = find_pair(role)
        except RunFailed as error:
            absent[role] = str(error)
    return pairs, absent


def without_paths(sentence):
    """A reason as it may stand in a published report: files of this machine by their last names."""
    return sentence.replace(PROJECT + os.sep, "").replace(os.path.expanduser("~"), "~")


class Evaluation:
    def __init__(self, plan):
        self.plan = plan
        self.pairs, self.absent = found_pairs()
        self.costs = stage_costs.read_tables(stage_costs.TABLE, os.path.join(plan.out, "costs.json"))
        self.notes = []

    def _note(self, sentence):
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)

    def prepare_costs(self):
        """Exact runs of a user's own pair need a table of its costs: it is recorded once, beside the report."""
        for role, pair in self.pairs.items():
            entry, note = stage_costs.costs_of(pair, self.costs)
            if entry is None and "exact" in self.plan.modes and role == "edge":
                truth = self.plan.truths["exact"][0][1]
                recorded = {pair.fingerprint: stage_costs.record(pair, truth, list(truth.questions), self.plan.say)}
                path = os.path.join(self.plan.out, "costs.json")
                stage_costs.write_table(path, recorded)
                self.costs = stage_costs.read_tables(stage_costs.TABLE, path)
            else:
                self._note(note)

    def _costs(self, configuration):
        """(local, server) StageCosts of a configuration's runs. RunFailed without a table."""
        def of(role):
            entry, _ = stage_costs.costs_of(self.pairs[role], self.costs)
            if entry is None:
                raise RunFailed("no stage costs are recorded for %s; saccade-eval --record-costs does"
                                % self.pairs[role].name)
            return entry
        if configuration.server:
            return StageCosts(), of(configuration.pair)["server"]
        return of(configuration.pair)["local"], of("cloud")["server"] if configuration.cloud else StageCosts()

    def _raw_run(self, configuration, name, truth, mode, repetition):
        """The RunResult, of this run or, with --resume, of an earlier one of the same inputs."""
        questions = runs.asked(configuration, truth, self._kinds(truth))
        pairs = {role: self.pairs[role] for role in runs.needed_roles(configuration) | {"edge"} if role in self.pairs}
        key = runs.key_of(configuration, truth, questions, mode, pairs)
        path = os.path.join(self.plan.out, "runs", "%s-%s-%s-%d.json" % (mode, name, configuration.name, repetition))
        if self.plan.resume and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                stored = json.load(file)
            if stored.get("key") == key:
                return runs.RunResult(stored["answers"], stored["summary"], stored["warnings"]), questions
        result = runs.run(configuration, truth, questions, mode, pairs)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"key": key, "answers": result.answers, "summary": result.summary,
                       "warnings": result.warnings}, file)
        os.replace(path + ".new", path)
        return result, questions

    def _kinds(self, truth):
        return self.plan.suite.kinds if self.plan.suite else tuple(truth.questions)

    def _run(self, configuration, name, truth, mode, repetition):
        for role in sorted(runs.needed_roles(configuration)):
            if role in self.absent:
                raise RunFailed(self.absent[role])
        costs = self._costs(configuration) if mode == "exact" else None
        result, questions = self._raw_run(configuration, name, truth, mode, repetition)
        mark_encodes(result.answers)
        frame_s = 0.0
        if costs:
            emit(result.answers, *costs)
            frame_s = (costs[1] if configuration.server else costs[0]).frame_ms / 1000
        score = ClipScore(name, truth, questions, result.answers, self.plan.any_case)
        return ScoredRun(name, repetition, score, result.summary, frame_s), result.warnings

    def rows(self, mode):
        """A Row per configuration. Timing is compared, so each turn runs every configuration once."""
        rows = {c.name: Row(c) for c in self.plan.configurations_of(mode)}
        turns = self.plan.suite.repetitions if self.plan.suite and mode == "live" else 1
        todo = [(repetition, name, truth, row) for repetition in range(turns)
                for name, truth in self.plan.truths[mode] for row in rows.values()]
        pool = ThreadPoolExecutor(self.plan.jobs if mode == "exact" else 1)
        try:
            attempts = [pool.submit(self._attempt, row.configuration, name, truth, mode, repetition)
                        for repetition, name, truth, row in todo]
            for done, ((repetition, name, truth, row), attempt) in enumerate(zip(todo, attempts), 1):
                run, warnings, missing, took = attempt.result()
                what = "[%d/%d] %s over %s, %s" % (done, len(todo), row.name, name, mode)
                row.not_asked = sorted({*row.not_asked, *runs.not_asked(row.configuration, truth, self._kinds(truth))})
                row.warnings += warnings
                if missing:
                    row.missing.append({"clip": name, "repetition": repetition, "reason": without_paths(missing)})
                    self.plan.say("%s: MISSING: %s" % (what, missing))
                else:
                    row.runs.append(run)
                    self.plan.say("%s: %d answers, %.1f s" % (what, len(run.score.answers), took))
        finally:
            pool.shutdown(cancel_futures=True)   # after an interruption no further run begins
        return list(rows.values())

    def _attempt(self, *what):
        """-> ScoredRun or None, warnings, why there is none, seconds."""
        began = time.monotonic()
        try:
            run, warnings = self._run(*what)
            return run, warnings, "", time.monotonic() - began
        except RunFailed as error:
            return None, [], str(error), 0.0

    def run(self):
        """{mode: {"rows": [Row], "figures": {name: figures or None}}}"""
        if "exact" in self.plan.modes:
            self.prepare_costs()
        results = {}
        for mode in self.plan.modes:
            rows = self.rows(mode)
            reference = next((row for row in rows if row.name == REFERENCE), None)
            results[mode] = {"rows": rows, "figures": {row.name: figures_of(row, reference, mode) for row in rows}}
        return results

    def inputs(self):
        """What the exact part follows from."""
        return {"pairs": {role: {"name": pair.name, "fingerprint": pair.fingerprint}
                          for role, pair in sorted(self.pairs.items())},
                "clips": {mode: {name: clips.fingerprint(truth) for name, truth in of}
                          for mode, of in self.plan.truths.items()}}
