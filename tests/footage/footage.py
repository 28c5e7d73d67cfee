"""What the labels of real footage mean, for whoever checks, draws or scores them.

    /usr/bin/python3 tests/footage/footage.py

writes each clip's activity anew from its boxes; everything else in the files was seen by eye and stays as it is."""
import json
import math
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STEP = 0.5  # seconds between two labelled moments
MOVED = 0.05  # of the frame: an edge of a box that goes further between two moments moves
OWN_SIZES = 0.5  # of its shorter side: a small thing far away moves if its centre goes further within two moments
OPENCV_EXAMPLES = Path("/usr/share/doc/opencv-doc/examples/data")  # where Debian's package opencv-doc puts vtest.avi


def label_files():
    return sorted(HERE.glob("*.json"))


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def data_folder():
    """The folder that holds video/: $SACCADE_DATA_DIR, or shared/data beside the repository."""
    return Path(os.environ.get("SACCADE_DATA_DIR") or ROOT.parent / "shared" / "data")


def media_of(labels, folder=None):
    """The clip's file, or None where it is not on this machine."""
    folder = Path(folder) if folder else data_folder()
    places = (folder / "video", folder, OPENCV_EXAMPLES)
    return next((place / labels["clip"] for place in places if (place / labels["clip"]).is_file()), None)


def moments(labels):
    """The times that carry labels: multiples of STEP inside the labelled intervals."""
    return [step * STEP for start, end in labels["labelled"]
            for step in range(math.ceil(start / STEP), math.floor(end / STEP) + 1)]


def frame_number(seconds, fps):
    """The frame that is on screen at a time; a hair later, because 1/fps is seldom a round number."""
    return math.floor(seconds * fps + 1e-3)


def interval_of(labels, seconds):
    """The labelled interval that a time lies in."""
    return next((start, end) for start, end in labels["labelled"] if start <= seconds <= end)


def enters(labels, thing):
    """Was the thing seen to come, or was it there when the labels began?"""
    return thing["enter"] - STEP >= interval_of(labels, thing["enter"])[0]


def leaves(labels, thing):
    """Was the thing seen to go, or was it still there when the labels ended?"""
    return thing["leave"] + STEP <= interval_of(labels, thing["leave"])[1]


def centre(box):
    return (box["x0"] + box["x1"]) / 2, (box["y0"] + box["y1"]) / 2


def steps_in_motion(labels, thing):
    """Starts of the half-seconds in which the thing comes, goes or moves."""
    boxes = thing["boxes"]
    found = set()
    if enters(labels, thing):
        found.add(thing["enter"] - STEP)
    if leaves(labels, thing):
        found.add(thing["leave"])
    for before, after in zip(boxes, boxes[1:]):
        if max(abs(after[edge] - before[edge]) for edge in ("x0", "y0", "x1", "y1")) > MOVED + 1e-9:
            found.add(before["t"])
    for before, between, after in zip(boxes, boxes[1:], boxes[2:]):
        shorter = min(after["x1"] - after["x0"], after["y1"] - after["y0"])
        if math.dist(centre(before), centre(after)) > OWN_SIZES * shorter + 1e-9:
            found |= {before["t"], between["t"]}
    return found


def activity(labels):
    """[[start, end], …]: when something of interest comes, goes or moves, in order and without overlap."""
    starts = sorted(set().union(*(steps_in_motion(labels, thing) for thing in labels["objects"])))
    spans = []
    for start in starts:
        if spans and spans[-1][1] == start:
            spans[-1][1] = start + STEP
        else:
            spans.append([start, start + STEP])
    return spans


def dump(labels):
    """JSON that a person can read and a diff can show: one line for each box and event."""
    def block(items, indent):
        lines = (",\n" + indent).join(json.dumps(item, ensure_ascii=False) for item in items)
        return f"[\n{indent}{lines}\n{indent[:-2]}]" if items else "[]"

    parts = []
    for key, value in labels.items():
        if key == "events":
            text = block(value, "    ")
        elif key == "objects":
            things = []
            for thing in value:
                head = ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in thing.items() if k != "boxes")
                things.append(f'{{{head}, "boxes": {block(thing["boxes"], "      ")}}}')
            text = "[\n    " + ",\n    ".join(things) + "\n  ]" if things else "[]"
        else:
            text = json.dumps(value, ensure_ascii=False)
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    for path in label_files():
        labels = load(path)
        labels["activity"] = activity(labels)
        path.write_text(dump(labels), encoding="utf-8")
        seconds = sum(end - start for start, end in labels["activity"])
        print(f"{labels['clip']}: active in {seconds:g} s of {sum(e - s for s, e in labels['labelled']):g} s labelled")


if __name__ == "__main__":
    main()
