"""The sound track says what its labels say, and an AVI file carries it to the sample."""

import hashlib
import json
import os
import struct
import tempfile
import unittest
from unittest import mock

import cv2
import numpy as np

import street  # noqa: F401
import avi
from avi import write_avi
from sound import BANDS, BEEP_PERIOD, RATE, SIRENS, SOUNDS, band_pass, shaped_noise
from sound_track import AMBIENCES, LABELS, car_pass, event, light_beeps, random_events, track

try:
    import gi
    gi.require_version("Gst", "1.0")
    from gi.repository import Gst
    Gst.init(None)
except (ImportError, ValueError):
    Gst = None

LENGTH = {"siren": 6, "horn": 0.6, "beep": 6, "speech": 6, "car": 5, "steps": 5}


def rng(*seed):
    return np.random.default_rng(seed or 1)


def in_band(sound, band):
    spectrum, hz = np.fft.rfft(sound.astype(float)), np.fft.rfftfreq(len(sound), 1 / RATE)
    return np.fft.irfft(np.where((hz >= band[0]) & (hz < band[1]), spectrum, 0), len(sound))


def hop_powers(sound, seconds=0.01):
    hop = round(seconds * RATE)
    return np.mean(np.square(sound[:len(sound) // hop * hop], dtype=float).reshape(-1, hop), axis=1)


def peak_hz(sound, low, high):
    spectrum, hz = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))), np.fft.rfftfreq(len(sound), 1 / RATE)
    return hz[np.argmax(np.where((hz >= low) & (hz < high), spectrum, 0))]


class Track(unittest.TestCase):
    def test_same_seed_same_sound(self):
        """If this fails, two runs of an evaluation do not hear the same clip."""
        make = lambda seed: track(rng(seed), 20, random_events(rng(seed, 1), 20)).tobytes()   # noqa: E731
        self.assertEqual(make(5), make(5))
        self.assertNotEqual(make(5), make(6))

    def test_is_of_the_length_and_type_asked_for(self):
        """If this fails, sound and pictures drift apart."""
        for seconds in (0.5, 10, 33.3):
            sound = track(rng(), seconds, [])
            self.assertEqual((sound.dtype, sound.shape), (np.dtype(np.int16), (round(seconds * RATE),)))

    def test_long_noise_has_no_seams(self):
        """If this fails, the place's sound jumps every few seconds, and the gate wakes for nothing."""
        power = hop_powers(shaped_noise(rng(3), 40 * RATE, band_pass(500, 4000)), 0.25)
        self.assertLess(power.max() / np.median(power), 1.35)
        self.assertGreater(power.min() / np.median(power), 0.7)

    def test_never_clips(self):
        """A clipped event has other partials than its label says."""
        for seed in range(4):
            events = random_events(rng(seed), 20) + [event("horn", 3, 3.5, 60 if seed % 2 else 25)]
            for place in AMBIENCES:
                self.assertLess(np.abs(track(rng(seed), 20, events, place).astype(int)).max(), 0.95 * 32767, place)

    def test_every_event_is_as_loud_as_it_says(self):
        """If this fails, an event is labelled that nobody can hear, or its stated level is none."""
        for place in ("street", "wind"):
            background = track(rng(7), 12, [], place).astype(float)
            for label in SOUNDS:
                for snr in (10, 20):
                    start, end = 3.0, 3.0 + LENGTH[label]
                    span = slice(round(start * RATE), round(end * RATE))
                    mixed = track(rng(7), 12, [event(label, start, end, snr)], place).astype(float)
                    own = hop_powers(in_band((mixed - background)[span], BANDS[label]))
                    there = hop_powers(in_band(background[span], BANDS[label])).mean()
                    heard = 10 * np.log10(own[own > 0.01 * own.max()].mean() / there)
                    self.assertAlmostEqual(heard, snr, delta=1.5, msg=(place, label))

    def test_labelled_spans_stand_out(self):
        """The same seen from outside: the loudest of an event is above all that the place does."""
        for label in LABELS:
            start, end = 6.0, 6.0 + LENGTH[label]
            sound = in_band(track(rng(9), 16, [event(label, start, end, 18)]), BANDS[label])
            power, at = hop_powers(sound), np.arange(1600) * 0.01
            inside = (at >= start) & (at + 0.01 <= end)
            self.assertGreater(np.quantile(power[inside], 0.98), 4 * np.median(power[~inside]), label)

    def test_where_there_is_no_label_there_is_only_the_place(self):
        """If this fails, something is heard that the truth does not know."""
        events = random_events(rng(2), 30)
        quiet = np.ones(30 * RATE, bool)
        for e in events:
            quiet[round(e["start"] * RATE):round(e["end"] * RATE)] = False
        self.assertTrue(events)
        self.assertTrue(np.array_equal(track(rng(4), 30, events)[quiet], track(rng(4), 30, [])[quiet]))

    def test_leaving_an_event_out_leaves_the_others(self):
        """If this fails, an experiment that removes one event changes all."""
        events = [event("speech", 2, 5), event("horn", 7, 7.5), car_pass(9, 12)]
        both, fewer = track(rng(4), 13, events), track(rng(4), 13, [events[0], events[2]])
        self.assertTrue(np.array_equal(both[:7 * RATE], fewer[:7 * RATE]))
        self.assertTrue(np.array_equal(both[8 * RATE:], fewer[8 * RATE:]))
        self.assertFalse(np.array_equal(both, fewer))

    def test_silence_is_silent_and_events_over_it_are_not(self):
        """A track without any sound and one without a place's sound are both cases to be tested."""
        self.assertFalse(track(rng(), 4, [], "silence").any())
        sound = track(rng(), 4, [event("horn", 1, 1.5)], "silence")
        self.assertFalse(sound[:RATE].any() or sound[round(1.5 * RATE):].any())
        self.assertGreater(np.abs(sound).max(), 50)

    def test_an_event_that_began_before_the_clip_is_cut(self):
        """A car that is half past when the clip begins is heard from its middle on."""
        power = hop_powers(in_band(track(rng(3), 5, [car_pass(-3, 3, snr=25)]), BANDS["car"]), 0.5)
        self.assertEqual(int(np.argmax(power)), 0)

    def test_bad_events_are_named(self):
        """An error must say what is wrong with which event."""
        for wrong, says in ((event("dog", 1, 2), "no sound 'dog'"), (event("horn", 2, 2), "lasts no time"),
                            (event("horn", 9, 10), "outside the track"), (event("siren", 1, 2, kind="song"), "'song'"),
                            (event("beep", 1, 2, state="blue"), "'blue'")):
            with self.assertRaisesRegex(ValueError, says):
                track(rng(), 5, [wrong])
        with self.assertRaisesRegex(ValueError, "no ambience 'sea'"):
            track(rng(), 5, [], "sea")


class Schedule(unittest.TestCase):
    def test_events_are_in_order_apart_and_inside(self):
        """If this fails, one label covers the sound of two events, or of none."""
        for seconds in (10, 60, 300):
            events = random_events(rng(seconds), seconds)
            self.assertEqual(json.loads(json.dumps(events)), events)
            for e, following in zip(events, events[1:] + [{"start": seconds}]):
                self.assertLess(0, e["start"])
                self.assertLess(e["start"], e["end"])
                self.assertLess(e["end"], following["start"])
        self.assertEqual({e["label"] for e in events}, set(LABELS))

    def test_a_light_beeps_as_it_stands(self):
        """If this fails, the light is heard to be green while it is seen to be red."""
        states = [(0.0, "red"), (6.0, "green"), (12.0, "yellow"), (14.0, "red"), (22.0, "green")]
        self.assertEqual([(e["start"], e["end"], e["state"]) for e in light_beeps(states, 20)],
                         [(0, 6, "red"), (6, 12, "green"), (12, 20, "red")])


class Sounds(unittest.TestCase):
    def test_siren_stays_in_its_range_and_moves(self):
        """A siren is a tone that changes; a steady one is a horn."""
        for kind in SIRENS:
            sound = SOUNDS["siren"](rng(2), 6, kind)
            found = [peak_hz(sound[k:k + 800], 100, 7000) for k in range(800, len(sound) - 1600, 400)]
            self.assertGreater(min(found), 380, kind)
            self.assertLess(max(found), 1700, kind)
            self.assertGreater(max(found) / min(found), 1.25, kind)

    def test_horn_is_two_notes_with_partials(self):
        """A horn is a steady dyad: two notes about a third apart, and energy far above them."""
        sound = SOUNDS["horn"](rng(2), 0.6)[1600:8000]
        low, high = peak_hz(sound, 380, 445), peak_hz(sound, 470, 570)
        self.assertTrue(1.2 < high / low < 1.3, (low, high))
        for k in (2, 3, 4):
            self.assertAlmostEqual(peak_hz(sound, k * low - 60, k * low + 60) / low, k, delta=0.05)

    def test_beeps_come_at_the_pace_of_the_light(self):
        """Red and green are told apart by the pace alone."""
        for state, period in BEEP_PERIOD.items():
            power = hop_powers(SOUNDS["beep"](rng(2), 8, state))
            power -= power.mean()
            again = np.correlate(power, power, "full")[len(power) - 1:]
            shortest = 8   # hops: below that a beep resembles itself
            self.assertAlmostEqual((np.argmax(again[shortest:400]) + shortest) * 0.01, period, delta=0.02, msg=state)

    def test_speech_has_syllables_and_pauses(self):
        """If this fails, speech-like sound is a hum: its loudness must swing three to six times a second."""
        for seed in range(3):
            power = hop_powers(SOUNDS["speech"](rng(seed), 14))
            loudness = np.sqrt(power) - np.sqrt(power).mean()
            spectrum, hz = np.abs(np.fft.rfft(loudness)) ** 2, np.fft.rfftfreq(len(loudness), 0.01)
            share = lambda low, high: spectrum[(hz >= low) & (hz < high)].sum()   # noqa: E731
            self.assertGreater(share(3, 6.5), 3 * share(6.5, 20), seed)
            self.assertGreater(share(3, 6.5), share(1.5, 3), seed)
            pauses = np.mean(power < 1e-3 * power.max())
            self.assertTrue(0.05 < pauses < 0.5, (seed, pauses))

    def test_car_is_loudest_where_it_is_nearest(self):
        """If this fails, a car is seen at one time and heard at another."""
        power = hop_powers(in_band(track(rng(3), 12, [car_pass(2, 9, nearest=4.5, snr=25)]), BANDS["car"]), 0.25)
        self.assertAlmostEqual(np.argmax(power) * 0.25, 4.5, delta=0.75)
        self.assertGreater(power.max(), 20 * np.median(power[36:]))


def pictures(count, bright=range(0)):
    return [cv2.imencode(".jpg", np.full((36, 64, 3), 240 if k in bright else 20, np.uint8))[1].tobytes()
            for k in range(count)]


def beep_at(second, seconds):
    sound = np.zeros(seconds * RATE, np.int16)
    sound[second * RATE:second * RATE + 8000] = 9000 * np.sin(np.arange(8000) * 0.345 + 0.3)
    return sound


def played(path):
    """[(seconds, bytes)] of the pictures and of the pieces of sound, as decodebin gives them."""
    pipeline = Gst.parse_launch("filesrc name=file ! decodebin name=d d. ! queue ! video/x-raw ! fakesink name=video sync=false "
                                "d. ! queue ! audio/x-raw ! fakesink name=audio sync=false")
    pipeline.get_by_name("file").set_property("location", path)
    found = {"video": [], "audio": []}

    def note(_pad, info, name):
        buffer = info.get_buffer()
        found[name].append((buffer.pts / Gst.SECOND, buffer.extract_dup(0, buffer.get_size())))
        return Gst.PadProbeReturn.OK

    for name in found:
        pipeline.get_by_name(name).get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, note, name)
    try:
        pipeline.set_state(Gst.State.PLAYING)
        ended = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    finally:
        pipeline.set_state(Gst.State.NULL)
    if ended is None or ended.type != Gst.MessageType.EOS:
        raise AssertionError("the clip did not play to its end: %s" % (ended and ended.parse_error()[0].message))
    return found["video"], found["audio"]


class File(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "clip.avi")

    def read(self):
        with open(self.path, "rb") as f:
            return f.read()

    def test_without_sound_the_bytes_are_what_they_were(self):
        """The committed clip's bytes must not change because sound can be written now."""
        frames = [bytes([255, 216]) + bytes((7 * k + j) % 256 for j in range(30 + k)) for k in range(7)]
        write_avi(self.path, iter(frames), 10, 64, 36)
        self.assertEqual(hashlib.sha256(self.read()).hexdigest(),
                         "09ae1e4f1ac8ffceb1abc4a1a13e995e815a46c1bd77591d519c7b0301541e94")

    def test_index_and_sizes_say_where_things_are(self):
        """If this fails, a reader that seeks lands in the middle of a picture; sound follows its picture."""
        frames, sound = pictures(30), np.arange(48000).astype(np.int16)
        write_avi(self.path, frames, 10, 64, 36, sound)
        data = self.read()
        self.assertEqual(struct.unpack("<I", data[4:8])[0], len(data) - 8)
        movie, index = data.index(b"movi"), data.index(b"idx1")
        self.assertEqual(struct.unpack("<I", data[movie - 4:movie])[0], index - movie)
        seen, heard = [], b""
        for at in range(index + 8, len(data), 16):
            name, _, offset, size = struct.unpack("<4sIII", data[at:at + 16])
            chunk = data[movie + offset:movie + offset + 8 + size]
            self.assertEqual(chunk[:8], name + struct.pack("<I", size))
            seen.append(name)
            heard += chunk[8:] if name == b"01wb" else b""
        self.assertEqual(seen, [b"00dc", b"01wb"] * 30)
        self.assertEqual(heard, sound.astype("<i2").tobytes())

    def test_opencv_reads_and_seeks(self):
        """People open clips with FFmpeg's demuxer, too."""
        for sound in (None, beep_at(3, 6)):
            write_avi(self.path, pictures(60, range(30, 35)), 10, 64, 36, sound)
            video = cv2.VideoCapture(self.path)
            self.assertEqual((video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)), (60, 10))
            bright = [k for k in range(60) if video.read()[1].mean() > 128]
            self.assertEqual(bright, list(range(30, 35)))
            self.assertFalse(video.read()[0])

    def test_refuses_what_cannot_be_written_and_leaves_no_file(self):
        """A half-written clip must not pass for a clip."""
        half = np.zeros(8000, np.int16)
        cases = [((pictures(10), 10, 64, 36, half), "both equally long"), (([], 10, 64, 36), "no pictures"),
                 ((pictures(10), 10, 64, 36, half.reshape(-1, 2)), "one channel"),
                 ((pictures(10), 10, 64, 36, half.astype(float)), "int16")]
        for arguments, says in cases:
            with self.assertRaisesRegex(ValueError, says):
                write_avi(self.path, *arguments)
        with mock.patch.object(avi, "LARGEST", 5000), self.assertRaisesRegex(ValueError, "larger than 1 GB"):
            write_avi(self.path, pictures(30), 10, 64, 36)
        self.assertEqual(os.listdir(self.folder.name), [])

    @unittest.skipIf(Gst is None, "GStreamer's Python bindings are absent: install python3-gi and gir1.2-gstreamer-1.0")
    def test_gstreamer_plays_every_sample_at_its_time(self):
        """If this fails, a beep at 3 s is not heard when the picture of 3 s is seen."""
        sound = beep_at(3, 6)
        for fps in (10, 12):   # with 12 the pieces of sound are not all equally long
            write_avi(self.path, pictures(6 * fps, range(3 * fps, 4 * fps)), fps, 64, 36, sound)
            seen, heard = played(self.path)
            np.testing.assert_allclose([pts for pts, _ in seen], np.arange(6 * fps) / fps, atol=0.001)
            self.assertEqual(b"".join(data for _, data in heard), sound.tobytes())
            before = np.cumsum([0] + [len(data) // 2 for _, data in heard])
            np.testing.assert_allclose([pts for pts, _ in heard], before[:-1] / RATE, atol=0.001)


if __name__ == "__main__":
    unittest.main()
