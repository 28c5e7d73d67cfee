"""Writes JPEG frames as an AVI file (Motion JPEG), the same bytes on every machine."""

import struct


def _chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind, *parts):
    return _chunk(b"LIST", kind + b"".join(parts))


def write_avi(path, jpegs, fps, width, height):
    """jpegs: a list of encoded frames."""
    biggest, count = max(map(len, jpegs)), len(jpegs)
    has_index = 0x10
    main = struct.pack("<14I", 1_000_000 // fps, biggest * fps, 0, has_index, count, 0, 1, biggest, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, fps, 0, count, biggest, 0xFFFFFFFF, 0,
                                       0, 0, width, height)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    header = _list(b"hdrl", _chunk(b"avih", main), _list(b"strl", _chunk(b"strh", stream), _chunk(b"strf", bitmap)))
    index, at = [], 4
    for jpeg in jpegs:
        index.append(b"00dc" + struct.pack("<III", 0x10, at, len(jpeg)))   # every frame is a key frame
        at += 8 + len(jpeg) + len(jpeg) % 2
    movie = _list(b"movi", *(_chunk(b"00dc", jpeg) for jpeg in jpegs))
    with open(path, "wb") as f:
        f.write(_chunk(b"RIFF", b"AVI " + header + movie + _chunk(b"idx1", b"".join(index))))
