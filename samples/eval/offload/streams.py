"""Streams through policies and links: one run each, some side by side, whose raw results are kept."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import clips
import machine
import runs
from models import pair as find_pair
from offload import policies, programs, recording, timing
from offload.recording import Recording

SIDE_BY_SIDE = 4   # streams at a time: each takes a tenth of a core
MODE = "live"
GATHERED = "gathered.jsonl"   # what the cloud is asked, until it was


class Streams:
    """The runs of one evaluation, in a folder."""

    def __init__(self, folder, specs, resume, say):
        self._folder, self._resume, self._say = folder, resume, say
        self.pairs = {role: find_pair(role) for role in ("edge", "cloud")}
        programs_of_it = runs.digest_of(programs.cloud_server(), timing.__file__, recording.__file__)
        self.recording = os.path.join(folder, recording.name_of(self.pairs["cloud"].fingerprint, programs_of_it))
        self._recorded = None   # the recording's digest while streams run
        self.truths = {spec.name: clips.rendered(spec, say) for spec in specs}
        os.makedirs(os.path.join(folder, "runs"), exist_ok=True)

    def questions(self, clip):
        return self.truths[clip].of_kinds(policies.KINDS)

    def record(self):
        """All that the clips' pictures can be asked is in the recording, but for pictures that only the clock brings about. First it is
        gathered; what the cloud says to it, and how long that takes, is asked when nothing else runs. -> how many questions and answers"""
        gathered = os.path.join(self._folder, GATHERED)
        for old in (gathered,) if self._resume else (gathered, self.recording):
            if os.path.exists(old):
                os.remove(old)
        with programs.collector(gathered) as cloud:
            for clip in self.truths:
                for policy in policies.RECORDED:
                    self._say("gathering what the cloud is asked: %s, %s" % (policy.name, clip))
                    self._play(policy, clip, "exact", cloud.url)
        with open(gathered, encoding="utf-8") as file:
            requests = [json.loads(line) for line in file]
        self._say("asking the cloud %d questions, with nothing else running" % len(requests))
        count = timing.measure(self.pairs["cloud"], requests, Recording(self.recording))
        os.remove(gathered)
        return {"gathered": len(requests), "recorded": count}

    def run(self, part, chosen, links):
        """All policies of `chosen` over these links and all clips; cloud-only first, for what others are allowed follows from it."""
        if not os.path.exists(self.recording):
            raise runs.RunFailed("there is no recording of this cloud pair and this saccade-server: measure the part record first")
        self._recorded = Recording(self.recording).digest()
        with programs.real_server(self.pairs["cloud"]) as server, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            todo = [(policy, link, clip) for policy in chosen
                    for link in (links if policy.cloud else (policies.NO_LINK,)) for clip in self.truths]
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
        key = [runs.key_of(policy, truth, questions, MODE, self.pairs), list(link.words), policies.WORKERS, self._recorded, _digest_of_programs()]
        stored = self._stored(policy.name, link.name, clip)
        if self._resume and stored and stored["key"] == key:
            return
        raw = self._watch(policy, link, clip, server)
        raw.update(part=part, policy=policy.name, about=policy.about, link=link.name, clip=clip, key=key, recording=self._recorded,
                   load=machine.load(), machine=machine.describe(), commit=machine.commit())
        path = self._path(policy.name, link.name, clip)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(raw, file)
        os.replace(path + ".new", path)
        self._say("%s, %s, %s: %d answers, %d calls" % (policy.name, link.name, clip, len(raw["answers"]), raw["summary"]["requests"]))

    def _play(self, policy, clip, mode, url):
        """-> {"answers", "summary", "warnings"}. url: the cloud's; "" = none"""
        truth, questions = self.truths[clip], self.questions(clip)
        line = runs.launch_line(policy, truth.clip, self.pairs["edge"], questions, mode, url and url + "/v1")
        settings = {"launch": line, "mode": mode, "questions": [[q.kind, q.text] for q in questions]}
        records = runs.run_child(os.path.join(runs.HERE, "run_pipeline.py"), settings, runs.limit_of(truth, mode))
        result = runs.result_of(records, questions)
        return {"answers": result.answers, "summary": result.summary, "warnings": result.warnings}

    def _watch(self, policy, link, clip, server):
        """-> what _play() finds, and "cloud": the replay's figures"""
        if not link.words:
            return dict(self._play(policy, clip, MODE, ""), cloud=None)
        with programs.replay(self.recording, server, policies.WORKERS) as cloud, programs.link(cloud, link.words) as line:
            found = self._play(policy, clip, MODE, line.url)
        return dict(found, cloud=cloud.figures)


def _digest_of_programs():
    """Changes with what stands between an edge and its recorded cloud."""
    return runs.digest_of(programs.link_emulator(), programs.cloud_server(), programs.REPLAY, recording.__file__)


def read(folder):
    """[raw results of runs] in the folder."""
    found = []
    for name in sorted(os.listdir(os.path.join(folder, "runs"))) if os.path.isdir(os.path.join(folder, "runs")) else ():
        if name.endswith(".json"):
            with open(os.path.join(folder, "runs", name), encoding="utf-8") as file:
                found.append(json.load(file))
    return found
