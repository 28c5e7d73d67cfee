"""The sounds of the street, each made from a seed: no recording is used.

A sound is a function of a random generator and its length in seconds (and what else is to be chosen),
and returns float64 samples at RATE of no certain loudness: sound_track.py sets the level. SOUNDS names
them by label; BANDS says in which band, in Hz, a sound has its energy and is to be heard.
"""

import numpy as np

RATE = 16000
SPEED_OF_SOUND = 343.0   # metres a second
HIGHEST = 0.45 * RATE    # a partial above this would fold back
BANDS = {"siren": (380, 4000), "horn": (380, 4500), "beep": (700, 3200), "speech": (120, 3600),
         "car": (150, 3000), "steps": (120, 2500)}
SIRENS = ("two-tone", "wail", "yelp")
BEEP_PERIOD = {"red": 1.0, "green": 0.16}   # seconds from beep to beep
BEEP_DECAY = {"red": 0.010, "green": 0.030}   # a tick and a beep
BEEP_HZ = 880.0
# Formants of five vowels, Hz, as phoneticians list them for a man's voice; bandwidths and strengths of the three.
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
BANDWIDTHS, STRENGTHS = (80.0, 100.0, 140.0), (1.0, 0.55, 0.3)
BLOCK, SEAM = 1 << 18, 4096   # samples of noise made at once, and in which two blocks overlap
GRAIN = 400   # samples of a formant's ringing after one glottal pulse


def seconds_of(count):
    return np.arange(count) / RATE


def samples_in(seconds):
    return round(seconds * RATE)


def _fast_length(count):
    """A length at or above count that the Fourier transform takes quickly."""
    return min(m << max(0, int(np.ceil(np.log2(count / m)))) for m in (8, 9, 10, 12, 15))


def shaped_noise(rng, count, gain):
    """Noise whose spectrum is gain(Hz), of power 1; long noise is made of blocks that fade into each other."""
    length = min(_fast_length(max(count, 8)), BLOCK)
    stride = length - SEAM if length < count else length
    response, noise = gain(np.fft.rfftfreq(length, 1 / RATE)), np.zeros(count)
    seam = np.sin(np.pi / 2 * (np.arange(SEAM) + 0.5) / SEAM)   # powers of both sides sum to 1
    for at in range(0, count, stride):
        block = np.fft.irfft(np.fft.rfft(rng.standard_normal(length)) * response, length)
        if at > 0:
            block[:SEAM] *= seam
        if at + length < count:
            block[length - SEAM:] *= seam[::-1]
        noise[at:at + length] += block[:count - at]
    return noise / max(np.sqrt(np.mean(noise ** 2)), 1e-12)


def band_pass(low, high, steepness=4):
    """A gain that falls off outside [low, high]."""
    def gain(hz):
        hz = np.maximum(hz, 1.0)
        return 1 / np.sqrt((1 + (low / hz) ** steepness) * (1 + (hz / high) ** steepness))
    return gain


def faded(sound, seconds):
    """Without a click at either end."""
    edge = min(samples_in(seconds), len(sound) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))
    sound[:edge] *= ramp
    sound[len(sound) - edge:] *= ramp[::-1]
    return sound


def tone(hz, partials):
    """A tone of frequency hz (one value a sample) with these strengths of its partials."""
    phase, highest = 2 * np.pi * np.cumsum(hz) / RATE, float(np.max(hz))
    # Phases that grow with the square of the number keep the partials from peaking all at once.
    return sum(strength * np.sin(k * phase + 0.4 * k * k) for k, strength in enumerate(partials, 1)
               if k * highest < HIGHEST)


def passing(count, nearest, speed, aside):
    """Something drives by on a straight line, `aside` metres away at second `nearest`.

    -> loudness (1 at the nearest), Doppler's factor of its pitch.
    """
    along = speed * (seconds_of(count) - nearest)
    distance = np.hypot(along, aside)
    return aside / distance, SPEED_OF_SOUND / (SPEED_OF_SOUND + speed * along / distance)


def siren(rng, seconds, kind="wail"):
    """An emergency vehicle drives by: two tones in turn, a slow wail or a fast yelp."""
    count, pitch = samples_in(seconds), float(rng.uniform(0.95, 1.05))
    t = seconds_of(count) + float(rng.uniform(0, 4))
    if kind == "two-tone":
        low, high = 440.0, 585.0
        share = 0.5 + 0.5 * np.tanh(30 * np.sin(np.pi * t / 0.7))
    else:
        low, high = 600.0, 1450.0
        share = 0.5 - 0.5 * np.cos(2 * np.pi * t / (0.36 if kind == "yelp" else 4.2))
    nearest, speed = seconds * float(rng.uniform(0.3, 0.7)), float(rng.uniform(9, 16))
    reach = speed * max(nearest, seconds - nearest)
    loudness, doppler = passing(count, nearest, speed, max(20.0, reach / 3))   # its faintest is 10 dB below its loudest
    return faded(loudness * tone(pitch * doppler * low * (high / low) ** share, (1, 0.45, 0.25, 0.12, 0.06)), 0.1)


def horn(rng, seconds):
    """A car's horn: two notes a third apart, rich in partials."""
    count, base = samples_in(seconds), float(rng.uniform(395, 440))
    settling = 1 - 0.03 * np.exp(-seconds_of(count) / 0.02)   # the membrane takes a moment to its pitch
    sound = np.zeros(count)
    for hz in (base, base * float(rng.uniform(1.22, 1.28))):
        k = np.arange(1, 17)
        resonance = 1 + 1.5 * np.exp(-((k * hz - 2200) / 900) ** 2)   # of the trumpet
        partials = k ** -0.7 * resonance / (1 + (k * hz / 4500) ** 4)
        sound += tone(hz * settling, partials)
    return faded(sound, 0.015)


def beep(rng, seconds, state="green"):
    """A pedestrian light for the blind: slow ticks at red, fast beeps at green."""
    t = seconds_of(samples_in(seconds))
    since = t % BEEP_PERIOD[state]
    envelope = np.minimum(since / 0.002, 1) * np.exp(-since / BEEP_DECAY[state])
    hz = BEEP_HZ * float(rng.uniform(0.97, 1.03))
    sound = envelope * (np.sin(2 * np.pi * hz * t) + 0.3 * np.sin(2 * np.pi * 3 * hz * t))
    return faded(sound, 0.001)


def _syllables(rng, seconds):
    """-> [(start, length, loudness, formants, pitch, hiss's length)]: phrases with pauses between them."""
    out, at, base = [], 0.02, float(rng.uniform(95, 200))
    while True:
        size = int(rng.integers(4, 10))
        for k in range(size):
            length = float(rng.uniform(0.15, 0.27))
            hiss = float(rng.uniform(0.05, 0.09)) if rng.random() < 0.45 else 0.0
            loudness, vowel = float(rng.uniform(0.65, 1)), VOWELS[int(rng.integers(len(VOWELS)))]
            if at + length > seconds:
                return out
            out.append((at, length, loudness, vowel, base * (1.15 - 0.28 * k / size), hiss))
            at += length
        at += float(rng.uniform(0.25, 0.55))


def _glottal_pulses(rng, syllables):
    """-> times, strengths, formants (3 a row) of the pulses of all syllables."""
    times, strengths, formants, before = [], [], [], VOWELS[0]
    for start, length, loudness, vowel, pitch, hiss in syllables:
        at = start + 0.6 * hiss
        voiced = start + length - at
        while at < start + length:
            share = (at - (start + length - voiced)) / voiced
            blend = min(1.0, share / 0.35)   # the mouth moves from one vowel to the next
            times.append(at)
            strengths.append(loudness * np.sin(np.pi * min(share * 0.96 + 0.02, 1)) ** 1.2)
            formants.append([a + (b - a) * blend for a, b in zip(before, vowel)])
            at += (1 + 0.015 * float(rng.standard_normal())) / (pitch * (1 + 0.05 * np.sin(np.pi * share)))
        before = vowel
    return np.array(times), np.array(strengths), np.array(formants)


def speech(rng, seconds):
    """Somebody talks, without words: vowels by formants, hissing onsets, syllables, pauses."""
    count = samples_in(seconds)
    sound = np.zeros(count + GRAIN + 1)
    syllables = _syllables(rng, seconds)
    if not syllables:   # too short for one at the usual pace
        syllables = [(0.0, seconds, 1.0, VOWELS[0], 130.0, 0.0)]
    times, strengths, formants = _glottal_pulses(rng, syllables)
    first = np.ceil(times * RATE).astype(int)
    t = (first[:, None] + np.arange(GRAIN)) / RATE - times[:, None]   # a pulse falls between two samples
    grains = np.zeros_like(t)
    for f, (bandwidth, strength) in enumerate(zip(BANDWIDTHS, STRENGTHS)):
        grains += strength * np.exp(-np.pi * bandwidth * t) * np.sin(2 * np.pi * formants[:, f, None] * t)
    grains *= strengths[:, None] * (1 - np.exp(-t / 0.0003)) * np.linspace(1, 0, GRAIN) ** 0.5
    for at, grain in zip(first, grains):
        sound[at:at + GRAIN] += grain
    hissing = shaped_noise(rng, count, band_pass(2600, 5500, 8))
    for start, _, loudness, _, _, hiss in syllables:
        at, length = samples_in(start), samples_in(hiss)
        sound[at:at + length] += 0.12 * loudness * np.hanning(length) * hissing[at:at + length]
    return faded(sound[:count], 0.005)


def car(rng, seconds, nearest=None):
    """A car drives by and is nearest at second `nearest` (the middle): tyres, and an engine below them."""
    count = samples_in(seconds)
    nearest = seconds / 2 if nearest is None else nearest
    speed = float(rng.uniform(9, 14))
    reach = speed * max(abs(nearest), abs(seconds - nearest))
    loudness, doppler = passing(count, nearest, speed, max(3.5, reach / 7))   # its faintest is 17 dB below its loudest
    tyres = shaped_noise(rng, count, band_pass(350, 1400))
    hiss = shaped_noise(rng, count, band_pass(1400, 4500))   # air swallows it first: heard near by only
    rumble = shaped_noise(rng, count, band_pass(50, 220))
    engine = tone(float(rng.uniform(75, 115)) * doppler, (1, 0.8, 0.6, 0.3, 0.2))
    sound = loudness * (tyres + 0.25 * engine) + 0.35 * loudness ** 1.6 * hiss + 0.5 * loudness ** 0.7 * rumble
    return faded(sound, seconds / 4)   # comes out of nothing and goes back into it


def steps(rng, seconds):
    """Somebody walks by: heel and sole, about twice a second."""
    count, sound = samples_in(seconds), np.zeros(samples_in(seconds))
    scrape, pace = shaped_noise(rng, count, band_pass(150, 1800)), float(rng.uniform(0.48, 0.58))
    at = 0.0
    while at < seconds:
        since = seconds_of(count - samples_in(at))[:samples_in(0.15)]
        thump = np.minimum(since / 0.003, 1) * (np.exp(-since / 0.012) + 0.5 * np.exp(-((since - 0.06) / 0.015) ** 2))
        sound[samples_in(at):][:len(thump)] += thump * scrape[samples_in(at):][:len(thump)]
        at += pace * (1 + 0.03 * float(rng.standard_normal()))
    return faded(sound, 0.005)


SOUNDS = {"siren": siren, "horn": horn, "beep": beep, "speech": speech, "car": car, "steps": steps}
