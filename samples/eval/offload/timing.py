"""What a real server takes for each answer, with nothing else running: about a picture that it does not know, and about one that it
was just asked about."""

import json
import time

from errors import EvalError
from offload import cloud_replay, programs
from offload import recording as recordings

# Never asked for its answer: the picture is known after it, and no question's own words were read with it.
PRIMING = "Is this a picture?"


def _priming(request):
    """A question about the same picture."""
    message = request["messages"][-1]
    content = [dict(part, text=PRIMING) if part.get("type") == "text" else part for part in message["content"]]
    return dict(request, messages=request["messages"][:-1] + [dict(message, content=content)], max_tokens=1)


def _asked(server, request):
    """(the completion, {"seconds", "cpu_s"})"""
    cpu, began = server.cpu_s, time.monotonic()
    status, body = cloud_replay.ask(server.url, request)
    taken = {"seconds": time.monotonic() - began, "cpu_s": server.cpu_s - cpu}
    if status != 200:
        raise EvalError("saccade-server refused a question: %s" % body.decode(errors="replace")[-300:])
    return json.loads(body), taken


def by_picture(requests):
    """[[requests about one picture]], in their order."""
    groups = {}
    for request in requests:
        groups.setdefault(recordings.picture_of(request), []).append(request)
    return list(groups.values())


def one_of_each(groups):
    """The requests so that pictures take turns: the first question about each, then the second, …"""
    return [group[k] for k in range(max(map(len, groups), default=0)) for group in groups if k < len(group)]


def _cold(pair, groups):
    """{key: {"seconds", "cpu_s"}}"""
    with programs.real_server(pair, programs.NO_PICTURES) as server:
        return {recordings.key_of(request): _asked(server, request)[1] for request in one_of_each(groups)}


def measure(pair, requests, recording):
    """Adds to the recording what is not in it yet. -> how many answers that was"""
    known = {entry["key"] for entry in recording.entries() if not entry["at_once"]}
    groups = by_picture(request for request in requests if recordings.key_of(request) not in known)
    if not groups:
        return 0
    cold = _cold(pair, groups)
    with programs.real_server(pair) as server:
        for group in groups:
            _asked(server, _priming(group[0]))
            for request in group:
                completion, warm = _asked(server, request)
                key = recordings.key_of(request)
                recording.add(key, recordings.entry_of(request, completion, cold[key], warm))
    return len(cold)
