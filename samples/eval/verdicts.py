"""What an exact run must show, with each threshold's reason. Live figures, which are the machine's, are not judged."""

import os

# A gate is of no use if it costs answers. Answers about pictures that it holds back stand a little longer, and where
# the world changes in between they are wrong until the next one; more than two points would be felt.
POINTS_BELOW_EVERYTHING = 0.02
# And it is of no use if it holds nothing back: on a street with calm stretches a quarter of the encodes must go.
SHARE_OF_ENCODES = 0.75
# What the gate holds back must be what changes no answer.
LEAST_AGREEMENT = 0.95
# A change of the world that looking at everything answers and the gate never does. Two in a hundred may fall between
# the sampler's pictures, which lie elsewhere than those of the reference.
MORE_MISSED_THAN_EVERYTHING = 0.02

# The models' own: a cloud that knows no more than the edge is not worth a line, and an edge that errs at a glance is not
# worth a camera.
CLOUD_BEATS_EDGE = 0.08
EDGE_AT_A_GLANCE = 0.85

JUDGED = "saccade"


def _verdict(what, value, bound, holds):
    return {"what": what, "value": None if value is None else round(value, 6), "bound": bound, "holds": bool(holds)}


def judge_models(figures):
    """[{what, value, bound, holds}] of {configuration: figures or None}, scene by scene; on the pairs that come with the
    project alone."""
    if os.environ.get("SACCADE_TEST_MODEL"):
        return []
    edge, cloud = figures.get("edge-model"), figures.get("cloud-model")
    verdicts = []
    if "edge-model" in figures:
        glance = edge and edge["accuracy_answers"]["by_grade"].get("glance")
        value = glance["value"] if glance else None
        verdicts.append(_verdict("share of glance questions that edge answers right, at least", value, EDGE_AT_A_GLANCE,
                                 glance and value >= EDGE_AT_A_GLANCE))
    if "edge-model" in figures and "cloud-model" in figures:
        both = edge and cloud
        more = cloud["accuracy_answers"]["all"]["value"] - edge["accuracy_answers"]["all"]["value"] if both else None
        verdicts.append(_verdict("share of questions that cloud answers right beyond edge's, at least", more,
                                 CLOUD_BEATS_EDGE, both and more >= CLOUD_BEATS_EDGE))
    return verdicts


def judge_gate(figures):
    """[{what, value, bound, holds}] of {configuration: figures or None}. Empty when the rows are of other things."""
    ours, everything = figures.get(JUDGED), figures.get("everything")
    if JUDGED not in figures or "everything" not in figures:
        return []
    if ours is None or everything is None:
        return [_verdict("saccade and everything have both run", None, None, False)]
    verdicts = []
    if ours["difference"]:
        lost = -ours["difference"]["value"]
        verdicts.append(_verdict("points of accuracy that saccade loses against everything, at most", lost,
                                 POINTS_BELOW_EVERYTHING, lost <= POINTS_BELOW_EVERYTHING))
    encodes = ours["per_minute"]["encoded"]["value"] / max(1e-9, everything["per_minute"]["encoded"]["value"])
    verdicts.append(_verdict("share of everything's encodes that saccade needs, at most", encodes, SHARE_OF_ENCODES,
                             encodes <= SHARE_OF_ENCODES))
    agreement = ours["agreement"]["value"]
    verdicts.append(_verdict("share of the time in which saccade says what everything says, at least", agreement,
                             LEAST_AGREEMENT, agreement >= LEAST_AGREEMENT))
    if ours["missed"] and everything["missed"]:
        more = ours["missed"]["value"] - everything["missed"]["value"]
        verdicts.append(_verdict("share of the world's changes that only saccade misses, at most", more,
                                 MORE_MISSED_THAN_EVERYTHING, more <= MORE_MISSED_THAN_EVERYTHING))
    return verdicts


JUDGES = {"gate": judge_gate, "models": judge_models}   # as suites name them
