"""The gate's ear: does every labelled sound wake it, and does it sleep through the background? The picture stands still."""

import json
import os

import clips
from gate.watching import watch
from runs import quoted
from suites import TEST_SEED, ClipSpec

RATE = 25               # pictures a second, at which a wake can show
WITHIN_S = 0.2
EARLY_S = 0.1           # a label's beginning is where a sound has risen, and a picture hears up to its end
LAUNCH = ("audioconvert ! audioresample ! audio/x-raw,format=F32LE,rate=16000,channels=1 ! gate.audio_0 "
          "videotestsrc pattern=blue num-buffers=%d ! video/x-raw,width=64,height=64,framerate=" + str(RATE) + "/1 ! "
          "masgate name=gate prompt={prompt}")
PROMPT = "Do you hear an alarm?"
STREAMS = (ClipSpec("street", TEST_SEED + 10, 60), ClipSpec("disturbed", TEST_SEED + 11, 60))
QUIET = (ClipSpec("calm", TEST_SEED + 12, 60),)
ONSETS = ("siren", "horn", "speech")   # begin at once; a car swells and the crossing beeps at its own times
RECORDED = "soundscape_siren_horn_voice"
BACKGROUND = "soundscape_background_only"


def _wakes(path, seconds):
    """Times at which sound made a picture of nothing worth an answer."""
    line = (LAUNCH % round(seconds * RATE)).replace("{prompt}", quoted(PROMPT))
    return [at for at in watch(path, line).chosen if at > 0]


def _events_of_jams(path):
    """[(start, end, label)] of foreground events."""
    with open(path, encoding="utf-8") as file:
        annotations = json.load(file)["annotations"]
    return [(item["time"], item["time"] + item["duration"], item["value"]["label"])
            for annotation in annotations if annotation["namespace"] == "scaper"
            for item in annotation["data"] if item["value"]["role"] == "foreground"]


def _row(name, path, seconds, events, every):
    """every: all that is to be heard; a wake outside of it is a false one."""
    wakes = _wakes(path, seconds)
    caught = [any(start - EARLY_S <= at <= start + WITHIN_S for at in wakes) for start, _, _ in events]
    def is_quiet(at):
        return not any(start - EARLY_S <= at <= end + WITHIN_S for start, end, _ in every)

    quiet = sum(is_quiet(k / RATE) for k in range(round(seconds * RATE))) / RATE
    return {"name": name, "seconds": seconds, "events": len(events), "caught": sum(caught), "wakes": len(wakes),
            "quiet_s": quiet, "false": sum(map(is_quiet, wakes)),
            "missed": ["%s at %.2f s" % (label, start) for (start, _, label), is_caught in zip(events, caught) if not is_caught]}


def _rendered(spec, say):
    truth = clips.rendered(spec, say)
    with open(os.path.splitext(truth.clip)[0] + ".json", encoding="utf-8") as file:
        sounds = [(s["start"], s["end"], s["label"]) for s in json.load(file)["sounds"]]
    return _row(spec.name, truth.clip, truth.duration, [s for s in sounds if s[2] in ONSETS], sounds)


def measure(data_folder, say):
    say("gate listens")
    rows = [_rendered(spec, say) for spec in STREAMS + QUIET]
    absent = []
    audio = os.path.join(str(data_folder), "audio")
    for name, seconds, labels in ((RECORDED, 10, True), (BACKGROUND, 10, False)):
        path = os.path.join(audio, name + ".wav")
        if not os.path.exists(path):
            absent.append(name)
            continue
        events = _events_of_jams(os.path.join(audio, name + ".jams")) if labels else []
        rows.append(_row(name, path, seconds, events, events))
    return {"rows": rows, "absent": absent}
