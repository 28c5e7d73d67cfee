"""The gate's section of docs/benchmarks.md and its plots, from what was measured."""

import json
import os

import matplotlib
import tables
from bootstrap import BLOCK_S
from gate.footage_figures import DEFAULT_CHANGE, PLAIN_LEVEL, SETTLE_S, at
from gate.rendered_figures import DEFAULT, FPS
from gate.sound_figures import WITHIN_S
from plots import COLOURS, LINES, MARKERS, STYLE, save

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

ABOUT = """## The gate

Written by `samples/eval/saccade-eval --gate --docs`, commit %(commit)s. What is worth looking at, and what it costs to
find out. Intervals are 95 %% bootstrap intervals over blocks of %(block)g s of stream.
"""
ANSWERS = """### Which pictures to choose, on rendered streams

The edge pair answered every picture, %(fps)d a second; a way of choosing then has the answers to what it chose and to nothing
else, until it chooses again. Static camera: %(static)s. Carried camera: %(carried)s. *Right* is over time and all questions
but those about what happens; *as everything* compares with the answers to every picture; *missed* are changes of the world that
are answered rightly when everything is looked at, and never otherwise. Each way at its setting with the fewest pictures that
agrees with everything in 99 %% of the time, or else at the one that agrees most; the curves have the others. Swept are %(swept)s.

The answers themselves waver: some of them changes from one picture to the next in %(wavering).0f pictures a minute on the static
streams. Whoever agrees all the time chooses at least those, and would have to know which they are.
"""
FOOTAGE = """### Which patches to encode again, on real footage

Reporting halves of the labelled clips of `tests/footage`, 2 pictures a second, 32 x 32 patches of 512 x 512 pixels. *Plain* is a
committed reference without more: a patch is encoded again when its mean difference to what was encoded is above %(level)g
levels. *Found* is the share of labelled people, cars, hands and bottles in motion of which a patch was asked for. *Sleeps* is
the share of pictures that are not needed in stretches in which nothing labelled has been in the picture for %(settle)g s;
*entries* are those of which a patch is asked for within half a second, at 5 pictures a second (labels are right to half a second).
*Hash skips*: pictures whose difference hash says that they equal the last one needed, a figure that needs no labels.
"""
EARS = """### Sound

The picture stands still; %(what)s. An event is caught when the gate wakes within %(within)g s of its beginning, and a
wake outside of all labelled sounds is a false one. *Quiet* are the seconds without any labelled sound, cars and the light's beeps
included: where there are none, nothing can be said about false wakes.
"""


def _percent(value):
    return "%.1f" % (100 * value)


def _best(points):
    """The fewest pictures with 99 % agreement, else the most agreement."""
    good = [p for p in points if p["agreement"]["value"] >= 0.99]
    return min(good, key=lambda p: p["per_minute"]) if good else max(points, key=lambda p: p["agreement"]["value"])


def _ways_table(group):
    rows = []
    for name, points in group["curves"].items():
        p = _best(points)
        rows.append(["`%s`" % name, "%g" % p["setting"] if len(points) > 1 else "–", "%.1f" % p["per_minute"],
                     _percent(p["dropped"]), tables.percent(p["agreement"]), tables.percent(p["right"]), tables.percent(p["missed"]),
                     str(p["missed"]["n"])])
    return tables.markdown(["way", "setting", "pictures a minute", "dropped of %d a second, %%" % FPS, "as everything, %", "right, %",
                            "missed, %", "changes"], rows)


def _default_line(group):
    p = next(p for p in group["curves"][DEFAULT[0]] if p["setting"] == DEFAULT[1])
    return ("At its defaults `%s` drops %s %% of the pictures, agrees in %s %% of the time and misses %s %% of %d changes."
            % (DEFAULT[0], _percent(p["dropped"]), tables.percent(p["agreement"]), tables.percent(p["missed"]), p["missed"]["n"]))


def _footage_table(rows):
    lines = []
    for row in rows:
        ours, plain = at(row, "masgate", DEFAULT_CHANGE), at(row, "plain", PLAIN_LEVEL)
        lines.append([row["clip"], tables.percent(ours["share"]), tables.percent(plain["share"]),
                      "%+.0f %%" % (100 * (ours["share"]["value"] / plain["share"]["value"] - 1)), tables.percent(ours["recall"]),
                      str(ours["recall"]["n"]), tables.percent(row["sleep"]), str(row["sleep"]["n"]) if row["sleep"] else "–",
                      "%d of %d" % (round(row["entries"]["value"] * row["entries"]["n"]), row["entries"]["n"]) if row["entries"] else "–",
                      _percent(row["needed"]), _percent(row["hash_matches"])])
    return tables.markdown(["clip", "encoded again, %", "plain, %", "difference", "found, %", "things", "sleeps, %", "pictures", "entries",
                            "needed, %", "hash skips, %"], lines)


def _moving_table(rows):
    return tables.markdown(["clip", "encoded again, %", "plain, %", "difference", "found, %", "things", "hash skips, %"], [
        [row["clip"], tables.percent(row["masgate"]["share"]), tables.percent(row["plain"]["share"]),
         "%+.0f %%" % (100 * (row["masgate"]["share"]["value"] / row["plain"]["share"]["value"] - 1)),
         tables.percent(row["masgate"]["recall"]), str(row["masgate"]["recall"]["n"]), _percent(row["hash_matches"])]
        for row in rows])


def _sound_table(rows):
    return tables.markdown(["sound", "seconds", "events", "caught", "wakes", "quiet, s", "false wakes", "missed"], [
        [row["name"], "%g" % row["seconds"], str(row["events"]), str(row["caught"]), str(row["wakes"]), "%.1f" % row["quiet_s"],
         str(row["false"]) if row["quiet_s"] else "–", "; ".join(row["missed"]) or "–"] for row in rows])


def _false_wakes(rows):
    minutes, wakes = sum(row["minutes"] for row in rows), sum(row["wakes"] for row in rows)
    return ("**False wakes.** On an empty street with noise, rain, flicker and exposure steps, `%s` woke %d times in %g minutes (%s)."
            % (DEFAULT[0], wakes, minutes, ", ".join("%s: %d" % (row["clip"], row["wakes"]) for row in rows)))


def section(measured, drawn):
    rendered, real, sound = measured["rendered"], measured["footage"], measured["sound"]
    plot = {name: "![%s](images/benchmarks/%s)\n" % (name, name) for name in drawn}
    parts = [ABOUT % {"commit": measured["commit"], "block": BLOCK_S},
             ANSWERS % {"fps": FPS, "static": ", ".join(rendered["static"]["clips"]), "carried": ", ".join(rendered["carried"]["clips"]), "wavering": rendered["static"]["wavering"],
                        "swept": "; ".join("`%s`: %s" % of for of in rendered["swept"])}]
    for title, key in (("Static camera", "static"), ("Carried camera", "carried")):
        parts += ["**%s.** %s\n" % (title, _default_line(rendered[key])), _ways_table(rendered[key]) + "\n"]
    parts += [plot[name] for name in drawn if name.startswith("gate-answers")]
    parts += [_false_wakes(rendered["false_wakes"]) + "\n", FOOTAGE % {"level": PLAIN_LEVEL, "settle": SETTLE_S},
              _footage_table(real["static"]) + "\n", "Other cameras, at the same settings:\n", _moving_table(real["moving"]) + "\n"]
    parts += [plot[name] for name in drawn if name.startswith("gate-patches")]
    parts += [EARS % {"what": "rendered tracks (test seeds) and the recorded soundscapes", "within": WITHIN_S},
              _sound_table(sound["rows"]) + "\n"]
    absent = real["absent"] + sound["absent"]
    if absent:
        parts.append("**Missing, and in no figure:** %s are not on this machine.\n" % ", ".join(absent))
    return "\n".join(parts)


def _draw_answers(folder, measured):
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    for axes, key, title in zip(panels, ("static", "carried"), ("Static camera", "Carried camera")):
        for k, (name, points) in enumerate(measured["rendered"][key]["curves"].items()):
            points = sorted(points, key=lambda p: p["per_minute"])
            axes.plot([p["per_minute"] for p in points], [100 * p["agreement"]["value"] for p in points], label=name, linewidth=1.4,
                      markersize=5, color=COLOURS[k], marker=MARKERS[k], linestyle=LINES[k])
        axes.set(title=title, xscale="log", xlabel="Pictures a minute")
        axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    panels[0].set_ylabel("Same answer as from every picture, % of the time")
    panels[1].legend(loc="lower right")
    return save(figure, folder, "gate-answers")


def _draw_patches(folder, measured):
    rows = measured["footage"]["static"]
    if not rows:
        return None
    figure, panels = plt.subplots(1, len(rows), figsize=(3.2 * len(rows), 3.6), sharey=True, squeeze=False)
    for axes, row in zip(panels[0], rows):
        for k, name in enumerate(("masgate", "plain")):
            points = row["curves"][name]
            axes.plot([100 * p["share"]["value"] for p in points], [100 * p["recall"]["value"] for p in points], label=name,
                      markersize=5, color=COLOURS[k + 1], marker=MARKERS[k], linestyle=LINES[k])
        default = at(row, "masgate", DEFAULT_CHANGE)
        axes.plot(100 * default["share"]["value"], 100 * default["recall"]["value"], "o", markersize=11, fillstyle="none", color="black")
        axes.set(title=row["clip"].replace("-detection", ""), xlabel="Patches encoded again, %")
    panels[0][0].set_ylabel("Moving things found, %")
    panels[0][-1].legend(loc="lower right")
    return save(figure, folder, "gate-patches")


def draw(folder, measured):
    with plt.rc_context(STYLE):
        return [name for name in (_draw_answers(folder, measured), _draw_patches(folder, measured)) if name]


def write_json(path, measured):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
        file.write("\n")


def report(out, measured):
    """out/report.md with its plots beside it."""
    write_json(os.path.join(out, "report.json"), measured)
    with open(os.path.join(out, "report.md"), "w", encoding="utf-8") as file:
        file.write(section(measured, draw(out, measured)).replace("(images/benchmarks/", "("))
