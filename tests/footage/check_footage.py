#!/usr/bin/env python3
"""Fails when the labels of real footage contradict themselves or the clips that they describe.

    SACCADE_DATA_DIR=folder /usr/bin/python3 tests/footage/check_footage.py

The clips themselves are looked at where they are on this machine: below $SACCADE_DATA_DIR, or shared/data beside the
repository, or (vtest.avi) from Debian's package opencv-doc. Where one is not, a sentence says so."""
import hashlib
import os
import re
import sys
from pathlib import Path

from footage import HERE, STEP, activity, data_folder, dump, enters, label_files, leaves, load, media_of, moments

KEYS = ["clip", "sha256", "duration", "fps", "labelled", "halves", "sheets_kept", "notes", "activity", "events",
        "objects"]
KINDS = {"person", "hand", "car", "bus", "bicycle", "motorcycle", "dog", "bottle", "bag", "cup", "kettle"}
WITHOUT_THING = {"cut", "light"}
MOST_BYTES, MOST_BYTES_IN_ALL = 120_000, 4_000_000  # of the contact sheets: one, all


def complain_about_times(labels):
    """Labelled intervals in order and inside the clip; the halves are the clip cut in two."""
    edges = [edge for interval in labels["labelled"] for edge in interval]
    if not edges or edges != sorted(edges) or edges[0] < 0 or edges[-1] > labels["duration"]:
        yield f"the labelled intervals {labels['labelled']} are not in order inside 0-{labels['duration']} s"
    tuning, reporting = labels["halves"].get("tuning"), labels["halves"].get("reporting")
    if set(labels["halves"]) != {"tuning", "reporting"} or len(tuning) != 2 or len(reporting) != 2:
        yield "halves are not one tuning and one reporting interval"
    elif not 0 == tuning[0] < tuning[1] == reporting[0] < reporting[1] == labels["duration"]:
        yield f"the halves {tuning} and {reporting} do not partition the clip of {labels['duration']} s"
    elif abs(tuning[1] - labels["duration"] / 2) > STEP:
        yield f"the halves {tuning} and {reporting} are not halves"


def complain_about_thing(labels, thing):
    """A thing of a known kind with one box for each moment from its entry to its exit."""
    if set(thing) != {"id", "kind", "enter", "leave", "boxes"}:
        yield f"an object has the keys {sorted(thing)}"
        return
    name = thing["id"]
    if thing["kind"] not in KINDS or not re.fullmatch(rf"{thing['kind']}-[1-9]\d*", name):
        yield f"{name}: its kind {thing['kind']} is unknown or not the beginning of its name"
    expected = [seconds for seconds in moments(labels) if thing["enter"] <= seconds <= thing["leave"]]
    if [box.get("t") for box in thing["boxes"]] != expected or not expected:
        yield f"{name}: its boxes are not one for each labelled moment from {thing['enter']} to {thing['leave']} s"
    elif [expected[0], expected[-1]] != [thing["enter"], thing["leave"]]:
        yield f"{name}: enter or leave is no labelled moment"
    for box in thing["boxes"]:
        if set(box) != {"t", "x0", "y0", "x1", "y1"}:
            yield f"{name}: a box has the keys {sorted(box)}"
        elif not (0 <= box["x0"] < box["x1"] <= 1 and 0 <= box["y0"] < box["y1"] <= 1):
            yield f"{name}: its box at {box['t']} s is empty or not inside the frame"


def complain_about_events(labels):
    """Each entry and exit that was seen is an event, and no other; cuts and light belong to no thing."""
    events = labels["events"]
    if [event["t"] for event in events] != sorted(event["t"] for event in events):
        yield "the events are not in order of time"
    seen = [(thing["enter"], "enter", thing["id"]) for thing in labels["objects"] if enters(labels, thing)]
    seen += [(thing["leave"], "leave", thing["id"]) for thing in labels["objects"] if leaves(labels, thing)]
    told = [(event["t"], event["what"], event["id"]) for event in events if event["what"] not in WITHOUT_THING]
    for event in sorted(set(seen) ^ set(told)):
        yield f"the event {event} is not both in the objects and in the events"
    if len(told) != len(set(told)):
        yield "an event stands there twice"
    for event in events:
        if event["what"] in WITHOUT_THING and event["id"] is not None:
            yield f"the event {event['what']} at {event['t']} s names an object"
        if not event["t"] <= event.get("until", event["t"]) <= labels["duration"]:
            yield f"the event {event['what']} at {event['t']} s lies outside the clip"


def complain_about_sheets(labels):
    """Contact sheets lie beside the labels exactly where the licence lets them be kept."""
    sheets = sorted((HERE / "sheets").glob(f"{glob_safe(Path(labels['clip']).stem)}-[0-9][0-9].jpg"))
    if bool(sheets) != labels["sheets_kept"]:
        yield f"sheets_kept is {labels['sheets_kept']}, and there are {len(sheets)} contact sheets"
    for sheet in sheets:
        if sheet.stat().st_size > MOST_BYTES:
            yield f"{sheet.name} is larger than {MOST_BYTES} bytes"


def glob_safe(stem):
    return re.sub(r"([*?[])", r"[\1]", stem)


def complain_about_media(labels, media):
    """The clip on this machine is the one that was labelled."""
    if hashlib.sha256(media.read_bytes()).hexdigest() != labels["sha256"]:
        yield "another clip of this name lies on this machine: its sha256 differs"
        return
    import cv2  # here, so that labels can be checked without OpenCV where there are no clips
    clip = cv2.VideoCapture(str(media))
    fps = clip.get(cv2.CAP_PROP_FPS)
    seconds = clip.get(cv2.CAP_PROP_FRAME_COUNT) / fps
    if abs(seconds - labels["duration"]) > 0.01 or abs(fps - labels["fps"]) > 0.001:
        yield f"the clip has {seconds:.2f} s at {fps:.3f} fps, the labels {labels['duration']} s at {labels['fps']}"


def complaints(path):
    labels = load(path)
    if list(labels) != KEYS:
        return [f"its keys are {list(labels)}, expected {KEYS}"]
    found = list(complain_about_times(labels))
    if Path(labels["clip"]).stem != path.stem:
        found.append(f"it describes {labels['clip']}")
    names = [thing.get("id") for thing in labels["objects"]]
    if len(names) != len(set(names)):
        found.append("two objects have one name")
    for thing in labels["objects"]:
        found += complain_about_thing(labels, thing)
    if found:  # what follows is computed from sound objects
        return found
    found += complain_about_events(labels)
    found += complain_about_sheets(labels)
    if labels["activity"] != activity(labels):
        found.append("its activity is not what the boxes say; run tests/footage/footage.py")
    if path.read_text(encoding="utf-8") != dump(labels):
        found.append("it is laid out differently; run tests/footage/footage.py")
    media = media_of(labels)
    if media:
        found += complain_about_media(labels, media)
    else:
        print(f"{labels['clip']}: not on this machine, so that the clip itself was not compared with its labels")
    return found


def main():
    if os.environ.get("SACCADE_DATA_DIR") and not data_folder().is_dir():
        sys.exit(f"SACCADE_DATA_DIR names {data_folder()}, which is no folder")
    files = label_files()
    if not files:
        sys.exit(f"there are no labels in {HERE}")
    found = [f"{path.name}: {complaint}" for path in files for complaint in complaints(path)]
    stems = {path.stem for path in files}
    sheets = sorted((HERE / "sheets").glob("*.jpg"))
    found += [f"sheets/{sheet.name}: there are no labels for it" for sheet in sheets if sheet.stem[:-3] not in stems]
    if sum(sheet.stat().st_size for sheet in sheets) > MOST_BYTES_IN_ALL:
        found.append(f"the contact sheets are larger than {MOST_BYTES_IN_ALL} bytes in all")
    if found:
        sys.exit("\n".join(found))
    print(f"the labels of {len(files)} clips agree with themselves and with the clips that are here")


if __name__ == "__main__":
    main()
