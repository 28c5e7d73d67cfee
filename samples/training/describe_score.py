"""How much of a scene a description tells: the share of the reference's facts that it states rightly."""

from samples import questions


def share_right(told, truth):
    right, total = questions.describe.facts_right(told, truth)
    return right / total
