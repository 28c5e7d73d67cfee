"""From the runs of one policy over one link: its row, every figure with its 95 % interval."""

import bootstrap
from bootstrap import block_of
from offload.policies import CLOUD, EDGE, ONLY_CLIENTS
from score import ClipScore

STANDING = ("settled", "shown", "untimed")


class Watched:
    """One run, scored."""

    def __init__(self, raw, truth, questions):
        self.raw, self.clip, self.summary, self.minutes = raw, raw["clip"], raw["summary"], truth.duration / 60
        self.answers, self.questions = raw["answers"], questions
        shown = ClipScore(self.clip, truth, questions, self.answers)
        kept = ClipScore(self.clip, truth, questions, [a for a in self.answers if a["source"] != "edge-draft"])
        # What stands when: each answer at once; drafts only where the cloud was not asked; as if nothing took any time.
        self._standing = {"shown": (shown, shown.known), "settled": (kept, kept.known), "untimed": (shown, shown.seen)}

    def moments(self, standing):
        """(block, right, 1) at each check of every question. standing: shown, settled, untimed."""
        score, answers = self._standing[standing]
        return [item for question in self.questions for item in score.over_time(question, answers)]

    def waits(self, which):
        """(block, seconds from the picture to the first (min) or the last (max) answer about it) of each question and picture."""
        out = {}
        for answer in self.answers:
            out.setdefault((answer["kind"], answer["content"]), []).append(answer["emitted"] - answer["content"])
        return [(block_of(self.clip, content), which(waits)) for (_, content), waits in out.items()]

    def calls(self):
        """{block: answers that the cloud gave}"""
        counts = {}
        for answer in self.answers:
            if answer["source"].startswith("cloud"):
                block = block_of(self.clip, answer["content"])
                counts[block] = counts.get(block, 0) + 1
        return counts


def _of_clip(runs, clip):
    return next((run for run in runs if run.clip == clip), None)


def _more(name, runs, reference, standing):
    """Accuracy more than the reference's, moment by moment."""
    items = []
    for run in runs:
        theirs = _of_clip(reference, run.clip)
        if theirs:
            items += [(block, mine - also, 1) for (block, mine, _), (_, also, _) in zip(run.moments(standing), theirs.moments(standing))]
    return bootstrap.share(name, items)


def _of_cloud_only(name, runs, reference, what):
    """A sum of the summaries by that of cloud-only. A block's part is that of its calls."""
    items = []
    for run in runs:
        theirs = _of_clip(reference, run.clip)
        if not theirs:
            continue
        mine, also = run.calls(), theirs.calls()
        for block in sorted({*mine, *also}):
            parts = [r.summary[what] * calls.get(block, 0) / max(1, sum(calls.values())) for r, calls in ((run, mine), (theirs, also))]
            items.append((block, *parts))
    return bootstrap.share(name, items)


def _acceptance(runs):
    """{"predictions", "accepted", "tokens"} of verified drafts."""
    clouds = [run.raw["cloud"] for run in runs if run.raw["cloud"]]
    accepted = sum(cloud["accepted"] for cloud in clouds)
    return {"predictions": sum(cloud["predictions"] for cloud in clouds), "accepted": accepted,
            "tokens": accepted + sum(cloud["rejected"] for cloud in clouds)}


def _processor(run):
    """(edge, cloud): seconds of processor time per minute of stream, where both are one box. A client alone counts as none."""
    edge = 0.0 if run.raw["policy"] in ONLY_CLIENTS else run.summary["cpu_s"]
    return edge / run.minutes, (run.raw["cloud"]["cpu_s"] if run.raw["cloud"] else 0.0) / run.minutes


def one_box(runs, reference):
    """How many streams a core carries that is edge and cloud at once. {"edge_s", "cloud_s": a minute of stream, "streams": a core,
    "by_cloud": as many times cloud-only's, or None: {"value", "low", "high": least and most over clips}}"""
    edge, cloud = (sum(seconds) / len(runs) for seconds in zip(*map(_processor, runs)))
    pairs = [(sum(_processor(run)), sum(_processor(theirs))) for run in runs for theirs in reference if theirs.clip == run.clip]
    ratios = [also / mine for mine, also in pairs if mine]
    ratio = {"value": sum(also for _, also in pairs) / sum(mine for mine, _ in pairs), "low": min(ratios), "high": max(ratios)} if ratios else None
    return {"edge_s": edge, "cloud_s": cloud, "streams": 60 / (edge + cloud) if edge + cloud else None, "by_cloud": ratio}


def _waited(runs):
    """Seconds for which a call waited for its turn in the cloud, on average; None without calls."""
    clouds = [run.raw["cloud"] for run in runs if run.raw["cloud"]]
    requests = sum(cloud["requests"] for cloud in clouds)
    return sum(cloud["waited_s"] for cloud in clouds) / requests if requests else None


def row(name, runs, cloud, edge):
    """runs, cloud-only's over the same link, edge-only's: [Watched]. -> {figure's name: figure or None}"""
    first = [item for run in runs for item in run.waits(min)]
    final = [item for run in runs for item in run.waits(max)]
    ratios = [run.summary["cpu_s"] / _of_clip(edge, run.clip).summary["cpu_s"] for run in runs if _of_clip(edge, run.clip)]
    return {
        "right": {standing: bootstrap.share("%s/%s" % (name, standing), [item for run in runs for item in run.moments(standing)])
                  for standing in STANDING},
        "difference": {standing: _more("%s/%s/difference" % (name, standing), runs, cloud, standing) for standing in STANDING},
        "requests": _of_cloud_only(name + "/requests", runs, cloud, "requests"),
        "bytes": _of_cloud_only(name + "/bytes", runs, cloud, "bytes_sent"),
        "first_s": bootstrap.statistics(name + "/first", first, mean=False),
        "final_s": bootstrap.statistics(name + "/final", final, mean=False),
        "waits": sorted(wait for _, wait in final),
        "cpu_s": bootstrap.repeated(name + "/cpu", [run.summary["cpu_s"] / run.minutes for run in runs]),
        "cpu_ratio": bootstrap.repeated(name + "/cpu_ratio", ratios),
        "calls": sum(run.summary["requests"] for run in runs),
        "kilobytes": sum(run.summary["bytes_sent"] for run in runs) / 1e3 / sum(run.minutes for run in runs),
        "unanswered": sum(run.summary["cloud"]["failed"] for run in runs),
        "in_vain": sum(run.summary["cloud"]["cancelled"] for run in runs),
        "waited_s": _waited(runs), "one_box": one_box(runs, cloud),
        "acceptance": _acceptance(runs), "runs": len(runs)}


def rows(raws, truths, kinds):
    """{link: {policy: row}}: edge-only's stands in every link, for it needs none. A policy of which a clip is missing has no row: its
    figures would be of another stream."""
    watched = [Watched(raw, truths[raw["clip"]], truths[raw["clip"]].of_kinds(kinds)) for raw in raws if raw["clip"] in truths]
    links = list(dict.fromkeys(run.raw["link"] for run in watched if run.raw["link"] != "none"))
    found = {}
    for link in links:
        of = [run for run in watched if run.raw["link"] in (link, "none")]
        by_policy = {}
        for run in of:
            by_policy.setdefault(run.raw["policy"], []).append(run)
        whole = {policy: runs for policy, runs in by_policy.items() if {run.clip for run in runs} == set(truths)}
        found[link] = {policy: row("%s/%s" % (link, policy), runs, whole.get(CLOUD.name, []), whole.get(EDGE.name, []))
                       for policy, runs in whole.items()}
    return found
