"""What a cloud said and how long it took, by pictures and question; and the model of time that a replay of it follows.

A file has one JSON object a line: {"key", "text", "tokens", "log_probabilities", "finish", "prompt_tokens", "seconds"}. Lines
are only ever added, so that an interrupted recording is one with fewer of them."""

import hashlib
import json
import os
import threading

import numpy

TOKENS_TO_FIT = 8   # kinds of length below which a line through them says nothing of the time per token


def key_of(request):
    """Of all that an answer depends on: what was shown and asked, and how long the answer may be."""
    asked = [request.get("messages"), request.get("max_tokens")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def entry_of(completion, seconds):
    """A recording's entry of a whole chat completion. KeyError, IndexError, TypeError: it is none."""
    choice = completion["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return {"text": choice["message"]["content"], "tokens": [token["token"] for token in tokens],
            "log_probabilities": [token["logprob"] for token in tokens], "finish": choice["finish_reason"],
            "prompt_tokens": completion["usage"]["prompt_tokens"], "seconds": seconds}


def compared(tokens, draft):
    """(tokens of the answer's beginning that the draft has, too; words of the draft behind them)"""
    text, count, end = "", 0, 0
    for token in tokens:
        text += token
        told = text.lstrip()   # the first token begins with the template's blank
        if not draft.startswith(told):
            break
        count, end = count + 1, len(told)
    return count, len(draft[end:].split())


class TimeModel:
    """seconds = prefill + per_token * tokens, by least squares over a recording."""

    def __init__(self, entries):
        lengths = numpy.array([len(entry["tokens"]) for entry in entries], float)
        seconds = numpy.array([entry["seconds"] for entry in entries], float)
        self.n = len(entries)
        self.prefill = float(numpy.median(seconds)) if self.n else 0.0
        self.per_token = 0.0
        if len(set(lengths)) >= TOKENS_TO_FIT:
            per_token, prefill = numpy.polyfit(lengths, seconds, 1)
            if per_token > 0 and prefill > 0:
                self.per_token, self.prefill = float(per_token), float(prefill)

    def seconds(self, entry, accepted):
        """(until the first word, until the last) of an answer whose first `accepted` tokens a draft had already."""
        left = max(0, len(entry["tokens"]) - max(1, accepted))
        whole = max(0.0, entry["seconds"] - self.per_token * max(0, min(accepted, len(entry["tokens"])) - 1))
        return max(0.0, whole - self.per_token * left), whole


class Recording:
    """Safe from any thread."""

    def __init__(self, path):
        self._path, self._lock, self._entries = path, threading.Lock(), {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    self._read(line)

    def _read(self, line):
        try:
            entry = json.loads(line)
            self._entries[entry["key"]] = entry
        except (ValueError, KeyError):
            pass   # the line that an interruption cut

    def __len__(self):
        return len(self._entries)

    def find(self, key):
        with self._lock:
            return self._entries.get(key)

    def add(self, key, entry):
        with self._lock:
            self._entries[key] = dict(entry, key=key)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps(self._entries[key]) + "\n")

    def entries(self):
        with self._lock:
            return list(self._entries.values())

    def time_model(self):
        return TimeModel(self.entries())
