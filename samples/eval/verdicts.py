"""What an exact run must show, with the reason for each threshold. Live figures, which are the machine's, are not judged."""

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

JUDGED = "saccade"


def _verdict(what, value, bound, holds):
    return {"what": what, "value": None if value is None else round(value, 6), "bound": bound, "holds": bool(holds)}


def judge(figures):
    """[{what, value, bound, holds}] of {configuration: figures or None}. Empty when the suite compares other things."""
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
