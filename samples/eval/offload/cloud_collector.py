#!/usr/bin/python3
"""A cloud that gathers what it is asked: each distinct request goes into a file, as a line of JSON, and gets a word as its answer.

    cloud_collector.py --into FILE

Prints the URL that it listens on, runs until SIGTERM, and then prints how many requests there were and how many were distinct."""

import argparse
import http.client
import json
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), os.pardir))
from offload import cloud_replay  # noqa: E402
from offload import recording as recordings  # noqa: E402

WORD = {"text": "gathered", "tokens": ["gathered"], "log_probabilities": [0.0], "finish": "stop", "prompt_tokens": 1}


class Collector:
    """To cloud_replay's handler what its Cloud is."""

    def __init__(self, path):
        self._path, self._lock, self._keys = path, threading.Lock(), set()
        self.figures = {"requests": 0, "distinct": 0}

    def count(self, **more):
        """A request that broke off is none."""

    @staticmethod
    def pass_on(_request):
        return http.client.NOT_IMPLEMENTED, b'{"error": {"message": "this server only gathers questions"}}'

    def recorded(self, request):
        key = recordings.key_of(request)
        with self._lock:
            self.figures["requests"] += 1
            if key not in self._keys:
                self._keys.add(key)
                self.figures["distinct"] += 1
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(recordings.plain(request)) + "\n")
        return WORD, None

    @staticmethod
    def answer(entry, _draft, write):
        write(entry["text"])
        return 0, 0


def main(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", required=True, metavar="FILE")
    cloud_replay.serve(Collector(parser.parse_args(words).into))


if __name__ == "__main__":
    main(sys.argv[1:])
