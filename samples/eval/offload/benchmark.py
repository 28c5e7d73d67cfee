"""saccade-eval --offload: what asking a cloud costs and is worth, by policy and link; what checking a draft saves; what a decision
takes. Raw results stay in a folder; the report and the pages are made of all that are there."""

import json
import os
import subprocess
from dataclasses import dataclass, replace

import benchmarks
import clips
import machine
from errors import INCOMPLETE, USAGE, EvalError
from models import ROLES
from models import pair as find_pair
from offload import drawing, figures, page, policies, programs, speculation, streams
from offload.recording import Recording
from runs import RunFailed

ROUTER_LIMIT_S = 300


@dataclass(frozen=True)
class Extent:
    """What is measured."""
    clips: tuple = policies.CLIPS
    compared: tuple = policies.POLICIES
    links: tuple = policies.LINKS
    sweep: tuple = policies.SWEEP
    descriptions: speculation.Counts = speculation.Counts()


QUICK = Extent((replace(policies.CLIPS[0], seconds=10),),
               tuple(p for p in policies.POLICIES if p.name in ("edge", "cloud", "msao", "msao-hold-100", "budget")),
               policies.LINKS[:1], policies.SWEEP[:1], speculation.QUICK)


class Benchmark:
    def __init__(self, folder, options, say):
        self._folder, self._resume, self._say = folder, options.resume, say
        self._extent = QUICK if options.quick else Extent()
        os.makedirs(folder, exist_ok=True)

    def _streams(self):
        return streams.Streams(self._folder, self._extent.clips, self._resume, self._say)

    def record(self):
        found = self._streams().record()
        if found["recorded"]:   # else nothing was missing, and the load of then is that of the recording
            self._keep("record", lambda: found)

    def policies(self):
        self._streams().run("policies", self._extent.compared, self._extent.links)

    def sweep(self):
        self._streams().run("sweep", self._extent.sweep, self._extent.links)

    def speculation(self):
        truth = clips.rendered(self._extent.clips[0], self._say)
        pairs = {role: find_pair(role) for role in ROLES}
        self._keep("speculation", lambda: speculation.measure(pairs, truth.clip, truth.questions[speculation.KIND].text, self._extent.descriptions))

    def router(self):
        command = [programs.built("tests", "bench", "router_bench"), "--benchmark_format=json"]

        def measure():
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ROUTER_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                raise EvalError("router_bench did not end within %d s and was stopped" % ROUTER_LIMIT_S) from error
            if done.returncode:
                raise EvalError("router_bench failed: %s" % done.stderr.strip()[-300:])
            return json.loads(done.stdout)["benchmarks"]
        self._keep("router", measure)

    def _path(self, part):
        return os.path.join(self._folder, part + ".json")

    def _keep(self, part, measure):
        raw = {"part": part, "found": measure(), "load": machine.load(), "machine": machine.describe(), "commit": machine.commit()}
        with open(self._path(part), "w", encoding="utf-8") as file:
            json.dump(raw, file)

    def _read(self, part):
        if not os.path.exists(self._path(part)):
            return None
        with open(self._path(part), encoding="utf-8") as file:
            return json.load(file)

    def found(self):
        """(all raw results, {link: {policy: row}}). Runs beside another recording than that which is there are none."""
        recording = Recording(self._streams().recording)
        digest = recording.digest()
        truths = {spec.name: clips.rendered(spec, self._say) for spec in self._extent.clips}
        raws = [raw for raw in streams.read(self._folder) if raw["clip"] in truths and raw.get("recording") == digest]
        found = {part: self._read(part) for part in ("record", "speculation", "router")}
        found.update(streams=raws, recording=recording.entries(), model=recording.time_model(), side_by_side=streams.SIDE_BY_SIDE)
        return found, figures.rows(raws, truths, policies.KINDS)


PARTS = ("record", "policies", "sweep", "speculation", "router")


def run(folder, options, say):
    """-> exit status"""
    parts = options.parts.split(",") if options.parts else PARTS
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise EvalError("--offload has no part %s; there are %s" % (unknown[0], ", ".join(PARTS)), USAGE)
    benchmark, complete = Benchmark(folder, options, say), True
    for part in parts:
        say("part %s" % part)
        try:
            getattr(benchmark, part)()
        except RunFailed as error:
            say("%s is left out: %s" % (part, str(error).rstrip(".")))
            complete = False
    found, rows_of = benchmark.found()
    section = page.section(found, rows_of)
    drawn = drawing.draw(folder, _plotted(rows_of))
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write(section + "\n" + page.summary(rows_of, drawn))
    say("the report is %s" % os.path.relpath(os.path.join(folder, "report.md")))
    if options.docs:
        benchmarks.write_offload(section, lambda images: page.summary(rows_of, drawing.draw(images, _plotted(rows_of))))
    return 0 if complete else INCOMPLETE


def _plotted(rows_of):
    """The policies, without what msao was tried with."""
    names = [policy.name for policy in policies.POLICIES]
    rows = {link: {name: of[name] for name in names if name in of} for link, of in rows_of.items()}
    return {link: of for link, of in rows.items() if policies.CLOUD.name in of}
