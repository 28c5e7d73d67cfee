#!/usr/bin/python3
"""A cloud that shares no cores with the edge: it answers chat completions with what a real server said before, after sleeping
as long as that took.

    cloud_replay.py --recording FILE --server http://127.0.0.1:8080 [--workers 2]

Prints the URL that it listens on, runs until SIGTERM, and then prints what it did as one line of JSON. At most --workers answers
are made at a time; others wait. The first answer about a picture takes as long as one about an unknown picture did, the others as
long as one about a known picture did. A `prediction` changes the time alone: the tokens that it has in common with the answer's
beginning cost none. A request that the file does not have goes to the real server, one at a time, and is recorded."""

import argparse
import contextlib
import http.client
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), os.pardir))
from offload import recording as recordings  # noqa: E402

SERVER_SECONDS = 120      # of silence of the real server
CLIENT_SECONDS = 120      # of silence of a client
LARGEST_BODY = 64 << 20   # bytes
PATH = "/v1/chat/completions"
# What only a real server can say: how probable a text is that somebody else wrote.
BEYOND_REPLAY = ("continue_final_message", "prompt_logprobs")


class Broken(Exception):
    """The request ended before it was whole, or is none."""


def read_chunks(stream):
    """The body of a request with Transfer-Encoding: chunked."""
    body = b""
    while True:
        try:
            size = int(stream.readline(100).split(b";")[0], 16)
        except ValueError:
            raise Broken from None
        if size < 0 or len(body) + size > LARGEST_BODY:
            raise Broken
        piece = stream.read(size)
        if len(piece) < size or stream.readline(3) != b"\r\n":
            raise Broken
        if not size:
            return body
        body += piece


def ask(server, request):
    """(status, body) of the real server."""
    place = urlsplit(server)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=SERVER_SECONDS)
    try:
        connection.request("POST", PATH, json.dumps(request), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Cloud:
    """Answers, the workers that make them, and the figures."""

    def __init__(self, recording, server, workers):
        self._recording, self._server = recording, server
        self._model = recording.time_model()
        self._workers, self._real = threading.Semaphore(workers), threading.Lock()
        self._lock = threading.Lock()
        self._known = set()   # pictures; as many as a clip has fit into a server's cache many times over
        self.figures = {"requests": 0, "unrecorded": 0, "passed_on": 0, "predictions": 0, "accepted": 0, "rejected": 0, "cold": 0, "warm": 0,
                        "left": 0, "busy_s": 0.0, "waited_s": 0.0, "cpu_s": 0.0}

    def count(self, **more):
        with self._lock:
            for name, value in more.items():
                self.figures[name] += value

    def pass_on(self, request):
        """(status, body): not recorded, not timed."""
        self.count(requests=1, passed_on=1)
        with self._real:
            return ask(self._server, request)

    def recorded(self, request):
        """(entry, None), or (None, (status, body)) when the real server refuses."""
        key = recordings.key_of(request)
        entry = self._recording.find(key)
        if entry:
            return entry, None
        with self._real:
            began = time.monotonic()
            status, body = ask(self._server, recordings.plain(request))
            seconds = time.monotonic() - began
        if status != http.client.OK:
            return None, (status, body)
        taken = {"seconds": seconds, "cpu_s": seconds}   # whoever answers takes one core
        entry = recordings.entry_of(request, json.loads(body), taken, taken, at_once=True)
        self._recording.add(key, entry)
        self.count(unrecorded=1)
        return entry, None

    def _meet(self, picture):
        """How well the picture is known; from now on it is."""
        with self._lock:
            state = "warm" if picture in self._known else "cold"
            self._known.add(picture)
        return state

    def answer(self, entry, draft, write):
        """Takes a worker for as long as it takes. write(text) is called as the answer grows."""
        accepted, rejected = recordings.compared(entry["tokens"], draft) if draft else (0, 0)
        arrived = time.monotonic()
        with self._workers:
            began = time.monotonic()
            state = self._meet(entry["picture"])
            taken = entry[state]
            first, whole = self._model.seconds(taken["seconds"], len(entry["tokens"]), accepted)
            words = entry["text"].split(" ")
            for i, word in enumerate(words):
                due = began + first + (whole - first) * i / max(1, len(words) - 1)
                time.sleep(max(0.0, due - time.monotonic()))
                write(word if i == 0 else " " + word)
            ended = time.monotonic()
        # Tokens that cost no time cost no processor either.
        cpu_s = taken["cpu_s"] * whole / taken["seconds"] if taken["seconds"] else 0.0
        self.count(requests=1, busy_s=ended - began, waited_s=began - arrived, cpu_s=cpu_s, **{state: 1})
        if draft:
            self.count(predictions=1, accepted=accepted, rejected=rejected)
        return accepted, rejected


def usage_of(entry, draft, accepted, rejected):
    usage = {"prompt_tokens": entry["prompt_tokens"], "completion_tokens": len(entry["tokens"]),
             "total_tokens": entry["prompt_tokens"] + len(entry["tokens"])}
    if draft:
        usage["completion_tokens_details"] = {"accepted_prediction_tokens": accepted, "rejected_prediction_tokens": rejected}
    return usage


def log_probabilities_of(entry):
    return {"content": [{"token": token, "logprob": value} for token, value in zip(entry["tokens"], entry["log_probabilities"])]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = CLIENT_SECONDS

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):   # the client left between two requests
            super().handle()

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return read_chunks(self.rfile)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if 0 <= length <= LARGEST_BODY else b""
        if len(body) < length:
            raise Broken
        return body

    def do_POST(self):   # pylint: disable=invalid-name  (http.server's)
        cloud = self.server.cloud
        try:
            request = json.loads(self._body())
            if not isinstance(request, dict):
                raise Broken
            if any(request.get(name) not in (None, False) for name in BEYOND_REPLAY):
                return self._whole(*cloud.pass_on(request))
            entry, refused = cloud.recorded(request)
            if refused:
                return self._whole(*refused)
            draft = (request.get("prediction") or {}).get("content") or ""
            return self._stream(entry, draft) if request.get("stream") else self._say(entry, draft)
        except (Broken, ValueError, OSError):
            cloud.count(left=1)   # an upload in vain, or nobody waits any more
            self.close_connection = True

    def _whole(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _say(self, entry, draft):
        counted = self.server.cloud.answer(entry, draft, lambda text: None)
        message = {"role": "assistant", "content": entry["text"]}
        choice = {"index": 0, "message": message, "logprobs": log_probabilities_of(entry), "finish_reason": entry["finish"]}
        self._whole(200, json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage_of(entry, draft, *counted)}).encode())

    def _event(self, text):
        line = ("data: %s\n\n" % text).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _piece(self, delta, **more):
        choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
        self._event(json.dumps({"object": "chat.completion.chunk", "choices": [choice]}))

    def _stream(self, entry, draft):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._piece({"role": "assistant"})
        counted = self.server.cloud.answer(entry, draft, lambda text: self._piece({"content": text}))
        self._piece({}, logprobs=log_probabilities_of(entry), finish_reason=entry["finish"])
        self._event(json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": usage_of(entry, draft, *counted)}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, cloud):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cloud = cloud


def serve(cloud):
    """Until SIGTERM; then prints its figures."""
    server = Server(cloud)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening on http://127.0.0.1:%d" % server.server_address[1], flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.shutdown()
    print(json.dumps(cloud.figures), flush=True)


def main(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", required=True, metavar="FILE")
    parser.add_argument("--server", required=True, metavar="URL")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    options = parser.parse_args(words)
    serve(Cloud(recordings.Recording(options.recording), options.server, max(1, options.workers)))


if __name__ == "__main__":
    main(sys.argv[1:])
