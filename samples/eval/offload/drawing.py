"""The plots of offloading: accuracy against what is sent, and how late answers are, a picture per link."""

import plots
from plots import COLOURS, LINES, NEVER, SIZE, STYLE, legend, plt, save, scale_across, style


def _accuracy(folder, link, rows):
    """A point per policy with both intervals, of what stands where drafts that are asked about are not shown."""
    figure, axes = plt.subplots(figsize=SIZE)
    for k, (name, row) in enumerate(rows.items()):
        sent, right = row["bytes"] or {"value": 0, "low": 0, "high": 0}, row["right"]["settled"]
        bars = [[[100 * max(0, f["value"] - f["low"])], [100 * max(0, f["high"] - f["value"])]] for f in (sent, right)]
        axes.errorbar(100 * sent["value"], 100 * right["value"], xerr=bars[0], yerr=bars[1], label=name, linestyle="none",
                      markersize=plots.LARGEST - (plots.LARGEST - plots.SMALLEST) * k / len(rows), markeredgecolor="white", markeredgewidth=0.5,
                      elinewidth=0.9, capsize=2, **style(k))
    axes.set_xlim(left=-2)
    axes.set_xlabel("Bytes sent, % of cloud")
    axes.set_ylabel("Right over time, % of checks")
    legend(axes)
    return save(figure, folder, "accuracy-" + link)


def _latency(folder, link, rows):
    figure, axes = plt.subplots(figsize=SIZE)
    for k, (name, row) in enumerate(rows.items()):
        waits = [max(NEVER, wait) for wait in row["waits"]]
        shares = [100 * (n + 1) / len(waits) for n in range(len(waits))]
        axes.step(waits, shares, where="post", linewidth=1.6, label="%s (n = %d)" % (name, len(waits)), color=COLOURS[k % len(COLOURS)],
                  linestyle=LINES[k % len(LINES)])
    scale_across(axes, [max(NEVER, wait) for row in rows.values() for wait in (row["waits"][0], row["waits"][-1])])
    axes.set_ylim(0, 101)
    axes.set_xlabel("From the picture to the last answer about it, seconds")
    axes.set_ylabel("Answers that are there, %")
    legend(axes)
    return save(figure, folder, "latency-" + link)


def draw(folder, rows_of):
    """rows_of: {link: {policy: row}}. -> {link: (name of the accuracy plot, name of the latency plot)}"""
    with plt.rc_context(STYLE):
        return {link: (_accuracy(folder, link, rows), _latency(folder, link, rows)) for link, rows in rows_of.items() if rows}
