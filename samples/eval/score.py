"""How right, how stale and how late the answers about one clip are.

Every kind of question is checked ten times a second: is the answer that a user has then the truth then? An answer stands
until one about a newer picture is there; a correction about the same picture takes its place. What is still to come is
wrong, and what the truth leaves open is not scored.
"""

import bisect
import os
import sys

from bootstrap import block_of
from truth import JUST_BEHIND

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenes"))
from describe import facts_right  # noqa: E402

CHECKS_PER_SECOND = 10
# A change that lasts shorter than this may lie between two pictures of a 2 fps configuration: nobody could see it.
SHORTEST_CHANGE_S = 1.0


def rightness(told, truth, grade, any_case=False):
    """From 0 to 1: one answer is right or wrong, a description states so many facts of so many. None is wrong."""
    if told is None:
        return 0
    if grade == "describe":
        right, every = facts_right(told, truth)
        return right / every if every else int(told.strip() == truth.strip())
    told, truth = told.strip(), truth.strip()
    if any_case:
        told, truth = told.rstrip(".!").lower(), truth.lower()
    return int(told == truth)


class Standing:
    """Which answer to one question stands when. `time` names the moment from which on an answer is known: `emitted`,
    when it came out, or `content`, the picture that it speaks of, as if thinking took no time."""

    def __init__(self, answers, time):
        self.since, self.texts = [], []
        newest = float("-inf")
        for answer in sorted(answers, key=lambda a: (a[time], a["content"], a.get("order", 0))):
            if answer["content"] < newest:
                continue
            newest = answer["content"]
            self.since.append(answer[time])
            self.texts.append(answer["text"].strip())

    def at(self, seconds):
        """The answer's text, or None before the first."""
        k = bisect.bisect_right(self.since, seconds) - 1
        return self.texts[k] if k >= 0 else None

    def first_with(self, text, start, end, same):
        """The first moment in [start, end) at which an answer `same` as text stands, or None."""
        k = max(0, bisect.bisect_right(self.since, start) - 1)
        while k < len(self.since) and self.since[k] < end:
            until = self.since[k + 1] if k + 1 < len(self.since) else float("inf")
            if until > start and same(self.texts[k], text):
                return max(start, self.since[k])
            k += 1
        return None


class ClipScore:
    """One run of one configuration over one clip. Items are tuples that begin with their block (see bootstrap.py)."""

    def __init__(self, name, truth, questions, answers, any_case=False):
        self.name, self.truth, self.questions, self.any_case = name, truth, questions, any_case
        self.answers = answers
        by_kind = {question.kind: [] for question in questions}
        for answer in answers:
            if answer["kind"] in by_kind:
                by_kind[answer["kind"]].append(answer)
        self.known = {kind: Standing(of, "emitted") for kind, of in by_kind.items()}
        self.seen = {kind: Standing(of, "content") for kind, of in by_kind.items()}

    def _same(self, question):
        return lambda told, truth: rightness(told, truth, question.grade, self.any_case) == 1

    def checks(self):
        """Seconds of stream time at which is checked."""
        return [k / CHECKS_PER_SECOND + JUST_BEHIND for k in range(int(self.truth.duration * CHECKS_PER_SECOND))]

    def over_time(self, question, standing):
        """(block, right, 1) at each check. standing: self.known, or self.seen as if thinking took no time."""
        standing = standing[question.kind]
        items = []
        for seconds in self.checks():
            true = question.answer(seconds)
            if true is not None:
                right = rightness(standing.at(seconds), true, question.grade, self.any_case)
                items.append((block_of(self.name, seconds), right, 1))
        return items

    def at_answers(self, question):
        """(block, right, 1) of each answer, against the truth at the moment that it speaks of."""
        items = []
        for answer in self.answers:
            if answer["kind"] != question.kind:
                continue
            true = question.answer(answer["content"] + JUST_BEHIND)
            if true is not None:
                right = rightness(answer["text"], true, question.grade, self.any_case)
                items.append((block_of(self.name, answer["content"]), right, 1))
        return items

    def changes(self, question):
        """(block, seconds for which the answer was still wrong, missed) of each change of the world."""
        if question.grade == "describe":
            return []   # a text of many facts has no one moment at which it changes
        items = []
        for change in question.changes():
            if change.until - change.at < SHORTEST_CHANGE_S:
                continue
            until = min(change.until, self.truth.duration)
            right_at = self.known[question.kind].first_with(change.answer, change.at, until, self._same(question))
            stale = (until if right_at is None else right_at) - change.at
            items.append((block_of(self.name, change.at), stale, int(right_at is None)))
        return items

    def latencies(self):
        """(block, seconds from the picture to the answer) of each answer."""
        return [(block_of(self.name, a["content"]), a["emitted"] - a["content"]) for a in self.answers]

    def agreement(self, question, reference):
        """(block, same, 1) at each check: does this run say what the reference says about the same moment?"""
        items = []
        ours, theirs = self.seen[question.kind], reference.seen.get(question.kind)
        for seconds in self.checks() if theirs else ():
            expected = theirs.at(seconds)
            if expected is None:
                continue
            same = rightness(ours.at(seconds), expected, question.grade, self.any_case)
            items.append((block_of(self.name, seconds), same, 1))
        return items
