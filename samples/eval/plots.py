"""The pictures of a report: accuracy against cost, how late answers are, and one clip's decisions against its events.

Readable in grey and by colour-blind people: colours are those of Okabe and Ito, and shape, line style or hatching says
the same again. The same figures give the same bytes."""

import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from timeline_plot import draw_timeline  # noqa: E402

COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
MARKERS = "o^sDvPX*<>hpd8H"
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
         "grid.color": "#DDDDDD", "grid.linewidth": 0.6, "axes.axisbelow": True, "svg.hashsalt": "saccade",
         "legend.frameon": False}
SIZE = (8.6, 4.6)        # inches; with the legend at the right
LARGEST_SVG = 100_000    # bytes
WIDE = 6                 # the largest by the smallest value from which on an axis is logarithmic
LARGEST, SMALLEST = 12, 8   # points: the first markers are the largest, so that none hides another in the same place
NEVER = 1e-4             # seconds; smaller latencies cannot be seen on the axis


def style(k):
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def save(figure, folder, name):
    """-> the name of the file that a page should show: SVG, and PNG where an SVG would be large"""
    for suffix in ("svg", "png"):
        figure.savefig(os.path.join(folder, "%s.%s" % (name, suffix)), bbox_inches="tight", dpi=110,
                       metadata={"Date": None} if suffix == "svg" else {"Software": None})
    plt.close(figure)
    large = os.path.getsize(os.path.join(folder, name + ".svg")) > LARGEST_SVG
    return name + (".png" if large else ".svg")


def scale_across(axes, values):
    """The horizontal axis: logarithmic where the values are far apart, with round numbers at its ticks."""
    values = [value for value in values if value > 0]
    if not values or max(values) / min(values) < WIDE:
        axes.set_xlim(left=0)
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def legend(axes):
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, handlelength=3)


def plot_accuracy(folder, name, points, across, scale=scale_across):
    """A point per label with both 95 % intervals. points: [(label, figure of what is across, figure of the share that is right)];
    across: what the axis says; scale(axes, values) sets its scale."""
    figure, axes = plt.subplots(figsize=SIZE)
    for k, (label, cost, right) in enumerate(points):
        bars = [[[factor * max(0, f["value"] - f["low"])], [factor * max(0, f["high"] - f["value"])]] for factor, f in ((1, cost), (100, right))]
        axes.errorbar(cost["value"], 100 * right["value"], xerr=bars[0], yerr=bars[1], label=label, linestyle="none",
                      markersize=LARGEST - (LARGEST - SMALLEST) * k / len(points), markeredgecolor="white", elinewidth=0.9, capsize=2, **style(k))
    scale(axes, [cost["value"] for _, cost, _ in points])
    axes.set_xlabel(across)
    axes.set_ylabel("Right over time, % of checks")
    legend(axes)
    return save(figure, folder, name)


def plot_waits(folder, name, lines, across):
    """A step line per label: the share of its answers that are there after so many seconds. lines: [(label, sorted seconds)]."""
    figure, axes = plt.subplots(figsize=SIZE)
    for k, (label, waits) in enumerate(lines):
        shares = [100 * (n + 1) / len(waits) for n in range(len(waits))]
        axes.step([max(NEVER, s) for s in waits], shares, where="post", linewidth=1.6, label="%s (n = %d)" % (label, len(waits)),
                  color=COLOURS[k % len(COLOURS)], linestyle=LINES[k % len(LINES)])
    scale_across(axes, [max(NEVER, s) for _, waits in lines for s in (waits[0], waits[-1])])
    axes.set_ylim(0, 101)
    axes.set_xlabel(across)
    axes.set_ylabel("Answers that are there, %")
    legend(axes)
    return save(figure, folder, name)


def draw_accuracy(folder, part, mode, name):
    """A point per configuration."""
    key, what = (("work_s", "Work, seconds per minute of stream (recorded stage costs, one thread)") if mode == "exact"
                 else ("cpu_s", "CPU, seconds per minute of stream (all processes, measured)"))
    points = [(row["name"], part["figures"][row["name"]]) for row in part["rows"] if part["figures"][row["name"]]]
    points = [(label, f[key], f["accuracy"]["all"]) for label, f in points if f[key] and f["accuracy"]["all"]]
    return plot_accuracy(folder, name, points, what) if points else None


def draw_latency(folder, rows, mode, name):
    """A line per configuration."""
    drawn = [(row.name, sorted(late for run in row.runs for _, late in run.score.latencies())) for row in rows
             if row.runs and not row.missing]
    return plot_waits(folder, name, drawn, "From the picture to the answer, seconds" + (" of virtual time" if mode == "exact" else "")) \
        if drawn else None


def draw_all(folder, report, results):
    """[(title, file name)] of what was drawn into the folder."""
    drawn = []
    with plt.rc_context(STYLE):
        for mode, result in results.items():
            rows = result["rows"]
            drawn += [("Accuracy against cost, %s" % mode, draw_accuracy(folder, report[mode], mode, "accuracy-" + mode)),
                      ("Latency, %s" % mode, draw_latency(folder, rows, mode, "latency-" + mode)),
                      ("Decisions against events, %s" % mode, draw_timeline(folder, rows, "timeline-" + mode, save))]
    return [(title, name) for title, name in drawn if name]
