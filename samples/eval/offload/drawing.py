"""The plots of offloading: accuracy against what is sent, and how late answers are, a picture per link."""

import plots

NOTHING = {"value": 0, "low": 0, "high": 0}


def _from_nothing(axes, _values):
    axes.set_xlim(left=-2)   # so that a point at nothing is seen whole


def _accuracy(folder, link, rows):
    """Of what stands where drafts that are asked about are not shown."""
    points = [(name, {key: 100 * (row["bytes"] or NOTHING)[key] for key in NOTHING}, row["right"]["settled"]) for name, row in rows.items()]
    return plots.plot_accuracy(folder, "accuracy-" + link, points, "Bytes sent, % of cloud", _from_nothing)


def _latency(folder, link, rows):
    lines = [(name, row["waits"]) for name, row in rows.items()]
    return plots.plot_waits(folder, "latency-" + link, lines, "From the picture to the last answer about it, seconds")


def draw(folder, rows_of):
    """rows_of: {link: {policy: row}}. -> {link: (name of the accuracy plot, name of the latency plot)}"""
    with plots.plt.rc_context(plots.STYLE):
        return {link: (_accuracy(folder, link, rows), _latency(folder, link, rows)) for link, rows in rows_of.items() if rows}
