"""Draws the labels of real footage onto its frames: contact sheets for checking them by eye.

    /usr/bin/python3 tests/footage/sheets.py DATA [--clip vtest.avi] [--out FOLDER]

DATA is the folder that holds video/. Each frame carries its time and lines at every tenth of width and height.
Sheets of clips whose licence lets their pictures be passed on lie in tests/footage/sheets; for the others name another
folder by --out."""
import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from footage import HERE, frame_number, label_files, load, media_of, moments

KEPT = HERE / "sheets"
COLUMNS, ROWS, WIDTH = 4, 4, 300  # frames across, frames down, pixels of a frame's width
QUALITIES = range(70, 20, -5)  # of the JPEG: the first that keeps a sheet small enough
MOST_BYTES = 100_000
COLOURS = ((60, 60, 255), (0, 200, 255), (80, 220, 80), (255, 160, 60), (255, 90, 220), (230, 230, 60))
FONT = cv2.FONT_HERSHEY_SIMPLEX


def frames_at(path, times):
    """{time: picture}, read in one pass; times past the end are left out."""
    clip = cv2.VideoCapture(str(path))
    wanted = {}
    for seconds in times:
        wanted.setdefault(frame_number(seconds, clip.get(cv2.CAP_PROP_FPS)), []).append(seconds)
    found = {}
    for number in range(max(wanted) + 1):
        if not clip.grab():
            break
        if number in wanted:
            picture = clip.retrieve()[1]
            found.update({seconds: picture for seconds in wanted[number]})
    return found


def write(picture, text, where, colour, scale=0.34):
    for ink, thick in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(picture, text, where, FONT, scale, ink, thick, cv2.LINE_AA)


def grid(picture):
    height, width = picture.shape[:2]
    lined = picture.copy()
    for tenth in range(1, 10):
        x, y = round(width * tenth / 10), round(height * tenth / 10)
        cv2.line(lined, (x, 0), (x, height), (255, 255, 255), 1)
        cv2.line(lined, (0, y), (width, y), (255, 255, 255), 1)
    return cv2.addWeighted(lined, 0.25, picture, 0.75, 0)


def tile(picture, seconds, boxes):
    """One frame with its grid, the boxes [(name, colour, box)] and its time."""
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    drawn = grid(cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA))
    for name, colour, box in boxes:
        x0, x1 = (round(box[edge] * (WIDTH - 1)) for edge in ("x0", "x1"))
        y0, y1 = (round(box[edge] * (height - 1)) for edge in ("y0", "y1"))
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, 1)
        write(drawn, name, (min(x0 + 2, WIDTH - 8 * len(name)), max(y0 - 3, 10)), colour)
    write(drawn, f"{seconds:.1f} s", (2, height - 4), (255, 255, 255), 0.4)
    return drawn


def sheets_of(labels, media):
    """The contact sheets of one clip, in order of time."""
    boxes = {}
    for number, thing in enumerate(labels["objects"]):
        for box in thing["boxes"]:
            boxes.setdefault(box["t"], []).append((thing["id"], COLOURS[number % len(COLOURS)], box))
    pictures = frames_at(media, moments(labels))
    tiles = [tile(picture, seconds, boxes.get(seconds, ())) for seconds, picture in sorted(pictures.items())]
    for start in range(0, len(tiles), COLUMNS * ROWS):
        some = tiles[start:start + COLUMNS * ROWS]
        some += [np.zeros_like(some[0])] * (-len(some) % COLUMNS)
        yield cv2.vconcat([cv2.hconcat(some[at:at + COLUMNS]) for at in range(0, len(some), COLUMNS)])


def save(name, sheet):
    """Writes the picture as well as it fits into MOST_BYTES."""
    for quality in QUALITIES:
        coded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if len(coded) <= MOST_BYTES:
            break
    name.write_bytes(coded.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds video/")
    parser.add_argument("--clip", help="only this clip, as in 'vtest.avi'")
    parser.add_argument("--out", type=Path, default=KEPT, help="where the sheets go (default: beside this program)")
    arguments = parser.parse_args()
    chosen = [load(path) for path in label_files()]
    chosen = [labels for labels in chosen if arguments.clip in (None, labels["clip"])]
    if not chosen:
        sys.exit(f"no labels for the clip {arguments.clip}; there are labels for "
                 + ", ".join(load(path)["clip"] for path in label_files()))
    for labels in chosen:
        media = media_of(labels, arguments.data)
        if not media:
            sys.exit(f"{labels['clip']} is neither in {arguments.data}/video nor installed with Debian's opencv-doc")
        if arguments.out.resolve() == KEPT and not labels["sheets_kept"]:
            print(f"{labels['clip']}: no sheets are kept (its licence does not clearly allow it); use --out")
            continue
        arguments.out.mkdir(parents=True, exist_ok=True)
        for number, sheet in enumerate(sheets_of(labels, media), 1):
            name = arguments.out / f"{Path(labels['clip']).stem}-{number:02d}.jpg"
            save(name, sheet)
            print(f"{name.name}: {name.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
