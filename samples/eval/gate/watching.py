"""Runs watch_clip.py over a clip: what was chosen, by the gate or by plainer ways."""

import os
from dataclasses import dataclass, field

import numpy as np
from runs import quoted, run_child

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT_S = 300   # for a minute of stream on a busy machine
SOURCE = "filesrc location=%s ! decodebin ! "
END = " ! appsink name=pictures"
GREY = " ! videoconvert ! video/x-raw,format=GRAY8"


@dataclass
class Watched:
    times: list = field(default_factory=list)    # of all pictures that came out, seconds
    chosen: list = field(default_factory=list)   # times
    maps: list = field(default_factory=list)     # per picture, (grid, grid) of bool; gate only
    ways: dict = field(default_factory=dict)     # (name, setting): times
    patches: dict = field(default_factory=dict)  # levels: maps of the plain committed reference
    hash_matches: int = None


def _map(text, grid):
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[:grid * grid].reshape(grid, grid).astype(bool)


def watch(clip, launch, chosen_by="gate", ways=(), grid=0, levels=()):
    """launch: what lies between the decoder and the end. grid: patches per side, where maps are wanted. RunFailed: why
    it did not run."""
    settings = {"launch": SOURCE % quoted(str(clip)) + launch + END, "chosen_by": chosen_by, "ways": list(ways),
                "patches": [grid, list(levels)] if levels else None}
    watched = Watched()
    for record in run_child(os.path.join(HERE, "watch_clip.py"), settings, LIMIT_S):
        if record["type"] == "picture":
            watched.times.append(record["at"])
            if record["chosen"]:
                watched.chosen.append(record["at"])
            if grid and "refresh" in record:
                watched.maps.append(_map(record["refresh"], grid))
        elif record["type"] == "way":
            watched.ways[record["name"], record["setting"]] = record["chosen"]
        elif record["type"] == "patches":
            watched.patches[record["setting"]] = [_map(text, grid) for text in record["maps"]]
        elif record["type"] == "summary":
            watched.hash_matches = record["hash_matches"]
    return watched
