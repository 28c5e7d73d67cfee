#!/usr/bin/env python3
"""Fails when an #include points up: each room of the engine may use only the rooms that it is built from,
and each outside library stays in the rooms that are there to wrap it."""
import re
import sys

from source_files import ROOT, includes, project_header, sources

# room: the other rooms whose headers it may include
USES = {
    "base": set(),
    "sparsity": {"base"},
    "sampling": {"base", "sparsity"},
    "tokens": {"base"},
    "vision": {"base", "tokens"},
    "mllm": {"base", "tokens", "vision"},
    "offload": {"base", "sparsity"},
    "server": {"base", "tokens", "vision", "mllm"},
}
# single headers allowed besides
ALSO = {"offload": {"mllm/answer.h"}}

# outside library: (its headers, folders that may include them)
LIBRARIES = {
    "llama.cpp": (r"^(llama|ggml|gguf|mtmd)[\w-]*\.h$", ("engine/vision", "engine/mllm")),
    "oneDNN": (r"^(oneapi/|dnnl)", ("engine/vision",)),
    "libsoup": (r"^libsoup/", ("engine/offload", "engine/server")),
    # in base only headers for the rooms that are linked with it
    "json-glib": (r"^json-glib/", ("engine/base", "engine/mllm", "engine/offload", "engine/server", "gst-plugins/common")),
    "OpenCV": (r"^opencv2/", ("engine/sparsity", "engine/sampling", "engine/offload", "engine/server")),
    "Eigen": (r"^Eigen/", ("engine/sparsity", "engine/tokens")),
    "GStreamer": (r"^gst/", ("gst-plugins",)),
}


def complaints_about(path):
    relative = path.relative_to(ROOT).as_posix()
    area, room = relative.split("/")[0], relative.split("/")[1]
    for bracket, name in includes(path):
        for library, (pattern, homes) in LIBRARIES.items():
            if re.match(pattern, name) and not relative.startswith(tuple(home + "/" for home in homes)):
                yield f"{relative} includes <{name}>: {library} stays in {', '.join(homes)}"
        target = project_header(path, name) if bracket == '"' else None
        if not target:
            continue
        to_area, to_room = target.relative_to(ROOT).parts[:2]
        if area == "engine" and to_area != "engine":
            yield f'{relative} includes "{name}": the engine knows no {to_area}'
        elif area == "engine" and to_room != room and to_room not in USES[room] and name not in ALSO.get(room, ()):
            yield f'{relative} includes "{name}": {room} may use {", ".join(sorted(USES[room])) or "no other room"}'
        elif area == "gst-plugins" and to_area == area and to_room not in (room, "common") and room != "plugin.cpp":
            yield f'{relative} includes "{name}": an element knows other elements only through gst-plugins/common'


def main():
    rooms = {path.name for path in (ROOT / "engine").iterdir() if path.is_dir()}
    if rooms != set(USES):
        sys.exit(f"engine/ has the rooms {sorted(rooms)}, this check knows {sorted(USES)}: draw the arrows of the new ones here")
    files = sources("engine", "gst-plugins")
    complaints = [complaint for path in files for complaint in complaints_about(path)]
    if complaints:
        sys.exit("\n".join(complaints))
    print(f"{len(files)} files include only what lies below them")


if __name__ == "__main__":
    main()
