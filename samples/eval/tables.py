"""Figures as Markdown: a table of answers, one of time and one of cost, a row per configuration."""

from truth import GRADES

DASH = "–"


def _interval(figure, scale, digits):
    return "%.*f (%.*f–%.*f)" % tuple(
        part for key in ("value", "low", "high") for part in (digits, scale * figure[key]))


def percent(figure):
    return _interval(figure, 100, 1) if figure else DASH


def plain(figure, digits=1, scale=1.0):
    return _interval(figure, scale, digits) if figure else DASH


def _spread(figure, digits=2):
    if not figure:
        return DASH
    return "%s, %.*f to %.*f" % (plain(figure, digits), digits, figure["least"], digits, figure["most"])


def markdown(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _n(figure):
    return str(figure["n"]) if figure else DASH


def _with_figures(mode):
    return [(row, mode["figures"][row["name"]]) for row in mode["rows"] if mode["figures"][row["name"]]]


def _grades(rows):
    return [grade for grade in GRADES if any(grade in figures["accuracy"]["by_grade"] for _, figures in rows)]


def answers_table(mode):
    """How right: over time, in per cent, by what was known then."""
    rows = _with_figures(mode)
    grades = _grades(rows)
    header = ["configuration", "right over time"] + grades + ["right when given", "as `everything`", "checks", "blocks"]
    lines = []
    for row, f in rows:
        scored = f["accuracy"]["by_grade"]
        by_grade = [percent(scored[grade]) if grade in scored else "not asked" for grade in grades]
        overall = f["accuracy"]["all"]
        lines.append(["`%s`" % row["name"], percent(overall)] + by_grade +
                     [percent(f["accuracy_answers"]["all"]), percent(f["agreement"]), _n(overall),
                      str(overall["blocks"]) if overall else DASH])
    return markdown(header, lines)


def time_table(mode):
    """How late, in seconds of stream time."""
    header = ["configuration", "stale, mean s", "stale, p95 s", "changes", "missed, %", "latency p50, s", "latency p95, s",
              "answers"]
    lines = []
    for row, f in _with_figures(mode):
        stale, late = f["staleness_s"] or {}, f["latency_s"] or {}
        lines.append(["`%s`" % row["name"], plain(stale.get("mean"), 2), plain(stale.get("p95"), 2), _n(f["missed"]),
                      percent(f["missed"]), plain(late.get("p50"), 3), plain(late.get("p95"), 3), _n(late.get("p50"))])
    return markdown(header, lines)


def cost_table(mode, exact):
    """What it takes, per minute of stream."""
    rows = _with_figures(mode)
    header = ["configuration", "work, s" if exact else "CPU, s", "by `everything`'s", "encodes",
              "visual tokens kept of seen", "tokens generated", "kB sent"]
    header += ["runs"] if exact else ["dropped pictures", "peak memory, MB", "runs"]
    lines = []
    for row, f in rows:
        cost, ratio = (f["work_s"], f["work_ratio"]) if exact else (f["cpu_s"], f["cpu_ratio"])
        per_minute = f["per_minute"]
        tokens = "%.0f of %.0f" % (per_minute["tokens_kept"]["value"], per_minute["tokens_seen"]["value"])
        line = ["`%s`" % row["name"], plain(cost, 2), _spread(ratio), plain(per_minute["encoded"]), tokens,
                plain(per_minute["generated"], 0), plain(per_minute["bytes_sent"], 0, 1e-3)]
        if not exact:
            line += [plain(f["dropped"]), plain(f["peak_rss_mb"], 0)]
        lines.append(line + [_n(cost)])
    return markdown(header, lines)


def kinds_table(mode, of):
    """Accuracy by kind of question, in per cent: a row per kind, a column per configuration. of: accuracy (over time) or
    accuracy_answers (when given)."""
    rows = _with_figures(mode)
    kinds = list(dict.fromkeys(kind for _, f in rows for kind in f[of]["by_kind"]))
    header = ["question"] + ["`%s`" % row["name"] for row, _ in rows]
    lines = []
    for kind in kinds:
        cells = []
        for _, f in rows:
            figure = f[of]["by_kind"].get(kind)
            cells.append("%.1f" % (100 * figure["value"]) if figure else DASH)
        lines.append(["`%s`" % kind] + cells)
    return markdown(header, lines)


def missing_list(mode):
    """What did not run, and why; empty when everything did."""
    lines = []
    for row in mode["rows"]:
        for reason in dict.fromkeys(missing["reason"] for missing in row["missing"]):
            clips = [m["clip"] for m in row["missing"] if m["reason"] == reason]
            lines.append("- `%s` (%s): %s." % (row["name"], ", ".join(dict.fromkeys(clips)), reason))
        if row["missing"] and row["runs"]:
            lines.append("- `%s`: the %d runs that there are stand in no figure: they would be those of another suite."
                         % (row["name"], row["runs"]))
    return "\n".join(lines)


def verdict_list(verdicts):
    return "\n".join("- %s: %s %s (bound %s)." % (
        "holds" if v["holds"] else "FAILS", v["what"], DASH if v["value"] is None else "%.3f" % v["value"], v["bound"])
        for v in verdicts)
