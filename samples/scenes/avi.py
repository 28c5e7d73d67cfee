"""Writes JPEG frames, and sound if there is any, as an AVI file (Motion JPEG, PCM), the same bytes on every machine."""

import os
import struct

HAS_INDEX, INTERLEAVED, KEY_FRAME = 0x10, 0x100, 0x10
LARGEST = 1 << 30   # bytes: readers of plain AVI (without OpenDML's index) are not to be trusted with more
SAMPLE_BYTES = 2


def _chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind, *parts):
    return _chunk(b"LIST", kind + b"".join(parts))


class _Stream:
    """What a stream's header says when all is written."""

    def __init__(self):
        self.count, self.biggest = 0, 0   # chunks of pictures, samples of sound; bytes


def _stream_header(kind, codec, scale, rate, length, biggest, sample_size, width=0, height=0):
    return _chunk(b"strh", kind + codec + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, scale, rate, 0, length, biggest,
                                                      0xFFFFFFFF, sample_size, 0, 0, width, height))


def _header(video, audio, fps, width, height, rate):
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    streams = [_list(b"strl", _stream_header(b"vids", b"MJPG", 1, fps, video.count, video.biggest, 0, width, height),
                     _chunk(b"strf", bitmap))]
    flags, bytes_a_second, biggest = HAS_INDEX, video.biggest * fps, video.biggest
    if audio:
        wave = struct.pack("<HHIIHH", 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
        about = _stream_header(b"auds", bytes(4), 1, rate, audio.count, audio.biggest, SAMPLE_BYTES)
        streams.append(_list(b"strl", about, _chunk(b"strf", wave)))
        flags |= INTERLEAVED
        bytes_a_second += rate * SAMPLE_BYTES
        biggest = max(biggest, audio.biggest)
    main = struct.pack("<14I", 1_000_000 // fps, bytes_a_second, 0, flags, video.count, 0, len(streams), biggest, width,
                       height, 0, 0, 0, 0)
    return _list(b"hdrl", _chunk(b"avih", main), *streams)


class _Movie:
    """The file while it grows: chunks go to the disk at once, only the index is kept."""

    def __init__(self, file):
        self.file, self.index, self.bytes = file, [], 4

    def add(self, name, data, path):
        if self.bytes + len(data) > LARGEST:
            raise ValueError("%s would be larger than 1 GB, which not every reader of AVI takes; "
                             "make the clip shorter or the pictures smaller" % path)
        self.index.append(name + struct.pack("<III", KEY_FRAME, self.bytes, len(data)))   # every frame is a key frame
        chunk = _chunk(name, data)
        self.file.write(chunk)
        self.bytes += len(chunk)


def _write(f, path, frames, fps, width, height, samples, rate):
    video, audio = _Stream(), None if samples is None else _Stream()
    header = lambda: _header(video, audio, fps, width, height, rate)   # noqa: E731
    start = 12 + len(header()) + 12   # RIFF size "AVI ", headers, LIST size "movi"
    f.write(bytes(start))
    movie = _Movie(f)

    def add_sound(until):
        piece = samples[audio.count:until]
        if len(piece):
            movie.add(b"01wb", piece.astype("<i2").tobytes(), path)
        audio.count += len(piece)
        audio.biggest = max(audio.biggest, len(piece) * SAMPLE_BYTES)

    for jpeg in frames:
        movie.add(b"00dc", jpeg, path)
        video.count += 1
        video.biggest = max(video.biggest, len(jpeg))
        if audio:   # what is heard while this frame is seen
            add_sound(round(video.count * rate / fps))
    if not video.count:
        raise ValueError("%s has no pictures; a clip needs at least one" % path)
    if audio:
        if abs(len(samples) * fps - video.count * rate) > rate:
            raise ValueError("%s: the sound lasts %.2f s and the pictures %.2f s; make both equally long"
                             % (path, len(samples) / rate, video.count / fps))
        add_sound(len(samples))
    index = _chunk(b"idx1", b"".join(movie.index))
    f.write(index)
    f.seek(0)
    f.write(b"RIFF" + struct.pack("<I", start - 8 + movie.bytes - 4 + len(index)) + b"AVI " + header())
    f.write(b"LIST" + struct.pack("<I", movie.bytes) + b"movi")


def write_avi(path, frames, fps, width, height, audio=None, rate=16000):
    """frames: encoded JPEGs, a list or a generator; audio: mono int16 samples that last as long, or None.

    The file appears when it is complete and not before.
    """
    if audio is not None and (getattr(audio, "dtype", None) != "int16" or audio.ndim != 1):
        raise ValueError("%s: the sound must be one channel of int16 samples" % path)
    part = str(path) + ".part"
    try:
        with open(part, "wb") as f:
            _write(f, path, frames, fps, width, height, audio, rate)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
