"""Streams through policies and links: one run each, two at a time, whose raw results are kept."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import clips
import machine
import runs
from models import pair as find_pair
from offload import policies, programs

SIDE_BY_SIDE = 3   # streams at a time: each takes a tenth of a core
MODE = "live"
RECORDING = "recording.jsonl"


class Streams:
    """The runs of one evaluation, in a folder."""

    def __init__(self, folder, specs, resume, say):
        self._folder, self._resume, self._say = folder, resume, say
        self._recording = os.path.join(folder, RECORDING)
        self.pairs = {role: find_pair(role) for role in ("edge", "cloud")}
        self.truths = {spec.name: clips.rendered(spec, say) for spec in specs}
        os.makedirs(os.path.join(folder, "runs"), exist_ok=True)

    def questions(self, clip):
        return self.truths[clip].of_kinds(policies.KINDS)

    def record(self):
        """All that the clips' pictures can be asked is in the recording, but for pictures that only the clock brings about."""
        with programs.real_server(self.pairs["cloud"]) as server:
            for clip in self.truths:
                for policy in policies.RECORDED:
                    self._say("recording what the cloud says: %s, %s" % (policy.name, clip))
                    self._watch(policy, policies.LINKS[0], clip, server, "exact")

    def run(self, part, chosen, links):
        """All policies of `chosen` over these links and all clips; cloud-only first, for what others are allowed follows from it."""
        with programs.real_server(self.pairs["cloud"]) as server, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            todo = [(policy, link, clip) for policy in chosen
                    for link in (links if policy.configuration.cloud else (policies.NO_LINK,)) for clip in self.truths]
            random.Random(len(todo)).shuffle(todo)   # no policy has one stretch of time for itself
            first = [one for one in todo if one[0].name == policies.CLOUD.name]
            for stage in (first, [one for one in todo if one not in first]):
                for done in [pool.submit(self._kept, part, *one, server) for one in stage]:
                    done.result()

    def _path(self, name, link, clip):
        return os.path.join(self._folder, "runs", "%s-%s-%s.json" % (link, name, clip))

    def _stored(self, name, link, clip):
        try:
            with open(self._path(name, link, clip), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def _allowed(self, policy, link, clip):
        """The policy, with a budget that follows from what cloud-only was seen to send."""
        if policy.name != policies.BUDGET:
            return policy
        seen = self._stored(policies.CLOUD.name, link.name, clip)
        if not seen:
            raise runs.RunFailed("what a budget is a share of is not known: measure the policy cloud first")
        per_hour = seen["summary"]["bytes_sent"] / self.truths[clip].duration * 3600
        return policies.within(policies.BUDGET_SHARE * per_hour)

    def _kept(self, part, policy, link, clip, server):
        policy = self._allowed(policy, link, clip)
        truth, questions = self.truths[clip], self.questions(clip)
        key = [runs.key_of(policy.configuration, truth, questions, MODE, self.pairs), list(link.words), policies.WORKERS]
        stored = self._stored(policy.name, link.name, clip)
        if self._resume and stored and stored["key"] == key:
            return
        load = machine.load()
        raw = self._watch(policy, link, clip, server, MODE)
        raw.update(part=part, policy=policy.name, about=policy.configuration.about, alone=policy.cloud_alone, link=link.name, clip=clip,
                   key=key, load_before=load, load=machine.load(), machine=machine.describe(), commit=machine.commit())
        path = self._path(policy.name, link.name, clip)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(raw, file)
        os.replace(path + ".new", path)
        self._say("%s, %s, %s: %d answers, %d calls" % (policy.name, link.name, clip, len(raw["answers"]), raw["summary"]["requests"]))

    def _watch(self, policy, link, clip, server, mode):
        """-> {"answers", "summary", "warnings", "cloud": the replay's figures, "line": the link's}"""
        truth, questions = self.truths[clip], self.questions(clip)
        found = {"cloud": None, "line": None}

        def watch(url):
            line = runs.launch_line(policy.configuration, truth.clip, self.pairs["edge"], questions, mode, url)
            settings = {"launch": line, "mode": mode, "questions": [[q.kind, q.text] for q in questions]}
            records = runs.run_child(os.path.join(runs.HERE, "run_pipeline.py"), settings, runs.limit_of(truth, mode))
            result = runs.result_of(records, questions)
            found.update(answers=result.answers, summary=result.summary, warnings=result.warnings)

        if not link.words:
            watch("")
            return found
        with programs.replay(self._recording, server, policies.WORKERS) as cloud:
            with programs.link(cloud, link.words) as line:
                watch(line.url + "/v1")
        return dict(found, cloud=cloud.figures, line=line.figures)


def read(folder):
    """[raw results of runs] in the folder."""
    found = []
    for name in sorted(os.listdir(os.path.join(folder, "runs"))) if os.path.isdir(os.path.join(folder, "runs")) else ():
        if name.endswith(".json"):
            with open(os.path.join(folder, "runs", name), encoding="utf-8") as file:
                found.append(json.load(file))
    return found
