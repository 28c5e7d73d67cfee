"""The sound track of a clip: labelled events over the sound of the place.

    python3 samples/scenes/sound_track.py --seed 7 --seconds 60 --out /tmp/sound

writes sound.wav (mono, 16 kHz, 16 bits) and sound.json, its events. An event is a dictionary:
`start`, `end` (seconds), `label` (one of sound.SOUNDS), `snr`: how far, in dB, it stands above the place's
own sound in the event's band (sound.BANDS) over its span, counted while it sounds and not between two beeps;
and what the sound itself takes: `kind` of a siren, `state` of the light for a beep, `nearest` of a car.

The same generator state gives the same samples. The place's sound depends on nothing else, and an event's on
its label and start only: leave one out and all that remains is as it was (unless the sum must be turned down).
"""

import argparse
import json
import os
import wave

import numpy as np

from sound import BANDS, BEEP_PERIOD, RATE, SIRENS, SOUNDS, band_pass, samples_in, shaped_noise

LABELS = ("siren", "horn", "beep", "speech", "car")   # what random_events draws from
LENGTHS = {"siren": (4, 12), "horn": (0.3, 0.8), "beep": (4, 12), "speech": (2, 7), "car": (3, 6), "steps": (3, 8)}
SNRS = {"siren": (14, 26), "horn": (18, 30), "beep": (12, 22), "speech": (10, 20), "car": (8, 18), "steps": (8, 14)}
DEFAULT_SNR = 18.0
CHOICES = {"siren": {"kind": SIRENS}, "beep": {"state": tuple(BEEP_PERIOD)}, "car": {"nearest": None}}
FIRST, GAP, LAST = 2.0, 1.5, 0.5   # seconds at least: before the first event, between two, after the last
FLOOR = -62.0          # dB of full scale: an event's level is counted from here where the place is quieter
LOUDEST = 0.94         # of full scale: a louder sum is turned down as a whole
HOP, SOUNDING = 0.01, 0.01   # seconds; share of the loudest hop's power from which on an event counts as sounding


def _pink(hz):
    return np.where(hz > 40, 1 / np.sqrt(np.maximum(hz, 40)), 0.0) / (1 + (hz / 2500) ** 2)


def _brown(hz):
    return np.where(hz > 25, 1 / np.maximum(hz, 25), 0.0) / (1 + (hz / 400) ** 2)


# A place is a sum of noises: level in dB of full scale, spectrum, by how many dB it wavers, how (see _wavering).
AMBIENCES = {
    "street": ((-38, _pink, 3, "slow"), (-42, _brown, 8, "gusts"), (-63, band_pass(1500, 7500), 2, "slow")),
    "quiet": ((-58, _pink, 2, "slow"), (-72, band_pass(1500, 7500), 1, "slow")),
    "wind": ((-44, _pink, 3, "slow"), (-34, _brown, 12, "gusts"), (-52, band_pass(200, 1200), 9, "gusts")),
    "rain": ((-42, _pink, 3, "slow"), (-40, band_pass(1000, 7000, 2), 2, "slow")),
    "silence": (),
}


def _wavering(rng, count, swing, how):
    """A factor for each sample. slow: within +-swing dB over many seconds; gusts: swing dB up for a second or two."""
    every = 4.0 if how == "slow" else 0.5
    points = max(5, int(np.ceil(count / RATE / every)) + 1)   # a gust is five points long
    if how == "slow":
        level = rng.uniform(-swing, swing, points)
    else:
        strength = np.where(rng.random(points) < 0.06, rng.uniform(0.4, 1, points), 0.0)
        level = swing * (np.clip(np.convolve(strength, (0.3, 0.8, 1, 0.7, 0.4), "same"), 0, 1) - 0.2)
    at = np.arange(points) * every * RATE
    return np.interp(np.arange(count), at, 10 ** (level / 20))


def ambience_of(rng, count, place):
    sound = np.zeros(count)
    for level, spectrum, swing, how in AMBIENCES[place]:
        noise = shaped_noise(rng, count, spectrum)
        noise *= _wavering(rng, count, swing, how)
        noise *= 10 ** (level / 20)
        sound += noise
    return sound


def band_power(sound, band):
    """Mean power of what lies in the band."""
    if not len(sound):
        return 0.0
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float(2 * power[(hz >= band[0]) & (hz < band[1])].sum() / len(sound) ** 2)


def sounding_share(sound):
    """The share of its time in which it sounds: a tick of 30 ms is no fainter because a second of quiet follows."""
    hop = samples_in(HOP)
    hops = np.add.reduceat(sound ** 2, np.arange(0, len(sound), hop))
    return float(np.mean(hops > SOUNDING * hops.max()))


def _checked(event, seconds):
    label, start, end = event.get("label"), event.get("start"), event.get("end")
    if label not in SOUNDS:
        raise ValueError("there is no sound '%s'; there are %s" % (label, ", ".join(SOUNDS)))
    if start is None or end is None or end - start < HOP:
        raise ValueError("the %s from %s to %s s lasts no time; let its end come after its start" % (label, start, end))
    if end <= 0 or start >= seconds:
        raise ValueError("the %s from %s to %s s lies outside the track of %s s" % (label, start, end, seconds))
    for name, known in CHOICES.get(label, {}).items():
        if known and event.get(name, known[0]) not in known:
            raise ValueError("there is no %s '%s' of a %s; there are %s" % (name, event[name], label, ", ".join(known)))
    return event


def _event_sound(base, event):
    label = event["label"]
    how = {name: event[name] for name in CHOICES.get(label, ()) if name in event}   # an event may carry more
    if "nearest" in how:
        how["nearest"] -= event["start"]
    key = (base, 1, list(SOUNDS).index(label), round((event["start"] + 3600) * 1000))   # a car may start before 0
    return SOUNDS[label](np.random.default_rng(key), event["end"] - event["start"], **how)


def _place(sound, background, event, base):
    """Adds the event to the sound, as loud as it is to be over the background; what lies outside is cut."""
    samples, band = _event_sound(base, event), BANDS[event["label"]]
    first = samples_in(event["start"])
    here = slice(max(first, 0), min(first + len(samples), len(sound)))
    reference = max(band_power(background[here], band), 10 ** (FLOOR / 10))
    own = band_power(samples, band) / sounding_share(samples)
    gain = np.sqrt(reference / own * 10 ** (event.get("snr", DEFAULT_SNR) / 10))
    sound[here] += gain * samples[here.start - first:here.stop - first]


def track(rng, seconds, events, ambience="street"):
    """-> int16 samples at RATE: the place with the events in it."""
    if ambience not in AMBIENCES:
        raise ValueError("there is no ambience '%s'; there are %s" % (ambience, ", ".join(AMBIENCES)))
    base = int(rng.integers(1 << 62))   # one draw, whatever is asked for
    background = ambience_of(np.random.default_rng((base, 0)), samples_in(seconds), ambience)
    sound = background.copy()
    for event in sorted((_checked(e, seconds) for e in events), key=lambda e: (e["start"], e["label"])):
        _place(sound, background, event, base)
    peak = float(np.max(np.abs(sound))) if len(sound) else 0.0
    return np.round(sound * (32767 * min(1.0, LOUDEST / max(peak, 1e-9)))).astype(np.int16)


def event(label, start, end, snr=DEFAULT_SNR, **how):
    """An event as track() and a JSON file take it."""
    return {"start": round(float(start), 3), "end": round(float(end), 3), "label": label, "snr": round(float(snr), 1),
            **how}


def car_pass(start, end, nearest=None, snr=14.0):
    """The sound of a car that drives by from start to end and is nearest at second `nearest` (else half-way)."""
    return event("car", start, end, snr, nearest=round(float((start + end) / 2 if nearest is None else nearest), 3))


def light_beeps(states, seconds, snr=16.0, red_below=8.0):
    """The beeping of a light from [(second, "red" | "yellow" | "green"), ...]; yellow sounds like red.

    Red is red_below dB fainter: its ticks only help to find the post, and go on for most of the time.
    """
    runs = []
    for start, state in sorted(states):
        state = "red" if state == "yellow" else state
        if not runs or runs[-1][1] != state:
            runs.append((start, state))
    ends = [min(start, seconds) for start, _ in runs[1:]] + [seconds]
    return [event("beep", start, end, snr - (red_below if state == "red" else 0), state=state)
            for (start, state), end in zip(runs, ends) if start < seconds]


def random_event(rng, label, start, length):
    how = {}
    if label == "siren":
        how["kind"] = str(rng.choice(SIRENS))
    if label == "beep":
        how["state"] = str(rng.choice(("red", "green")))
    if label == "car":
        how["nearest"] = round(start + length * float(rng.uniform(0.4, 0.6)), 3)
    return event(label, start, start + length, rng.uniform(*SNRS[label]), **how)


def random_events(rng, seconds, labels=LABELS, pause=3.5):
    """Events one after the other, on average GAP + pause seconds apart; every label in turn, in a random order."""
    events, free, waiting = [], FIRST, []
    shortest = min(LENGTHS[label][0] for label in labels)
    while True:
        start = round(free + float(rng.exponential(pause)), 3)
        room = seconds - LAST - start
        if room < shortest:
            return events
        waiting = waiting or [str(label) for label in rng.permutation(labels)]
        label = waiting.pop()
        if room >= LENGTHS[label][0]:
            length = min(float(rng.uniform(*LENGTHS[label])), room)
            events.append(random_event(rng, label, start, length))
            free = events[-1]["end"] + GAP


def write_wav(path, samples):
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE)
        f.writeframes(samples.astype("<i2").tobytes())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--ambience", choices=sorted(AMBIENCES), default="street")
    arguments.add_argument("--out", default="sound", help="file name without .wav and .json")
    options = arguments.parse_args()
    if options.seconds <= 0:
        arguments.error("--seconds must be more than 0")
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    rng = np.random.default_rng(options.seed)
    events = random_events(rng, options.seconds)
    write_wav(options.out + ".wav", track(rng, options.seconds, events, options.ambience))
    with open(options.out + ".json", "w", encoding="utf-8") as f:
        json.dump({"seed": options.seed, "seconds": options.seconds, "rate": RATE, "ambience": options.ambience,
                   "events": events}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
