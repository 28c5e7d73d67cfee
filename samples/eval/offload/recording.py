"""What a cloud said and how long it took, by pictures and question; and the model of time that a replay of it follows.

A file has one JSON object a line: {"key", "picture", "text", "tokens", "log_probabilities", "finish", "prompt_tokens", "cold", "warm",
"at_once"}. `cold` is what the answer took of a server that did not know the picture, `warm` of one that had just been asked something
else about it: {"seconds", "cpu_s"}, the latter of the server's processor time. `at_once`: asked for while streams ran, and both are
what it took then. Lines are only ever added, and the last one of a key holds: an interrupted recording is one with fewer of them."""

import hashlib
import json
import os
import threading

import numpy

TOKENS_TO_FIT = 8   # kinds of length below which a line through them says nothing of the time per token


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def name_of(*who):
    """A recording's file. who: whatever its answers and their times depend on beside the questions (the pair, the server)."""
    return "recording-%s.jsonl" % _digest(who)[:12]


def key_of(request):
    """Of a question: what was shown and asked, and how long the answer may be."""
    return _digest([request.get("messages"), request.get("max_tokens")])


def picture_of(request):
    """What a server knows the pictures of a question by; None where there are none."""
    parts = [part for message in request.get("messages") or () if isinstance(message.get("content"), list) for part in message["content"]]
    urls = [part["image_url"] for part in parts if part.get("type") == "image_url"]
    return _digest(urls) if urls else None


def entry_of(request, completion, cold, warm, at_once=False):
    """A recording's entry of a whole chat completion. cold, warm: {"seconds", "cpu_s"}. KeyError, IndexError, TypeError: it is none."""
    choice = completion["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return {"picture": picture_of(request), "text": choice["message"]["content"], "tokens": [token["token"] for token in tokens],
            "log_probabilities": [token["logprob"] for token in tokens], "finish": choice["finish_reason"],
            "prompt_tokens": completion["usage"]["prompt_tokens"], "cold": cold, "warm": warm, "at_once": at_once}


def plain(request):
    """The request as it is recorded: whole, and without help."""
    return dict({name: value for name, value in request.items() if name not in ("prediction", "stream", "stream_options")}, logprobs=True)


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
    """seconds = prefill + per_token * tokens of answers about known pictures, by least squares over a recording: with unknown ones the
    encode hides what a token takes."""

    def __init__(self, entries):
        lengths = numpy.array([len(entry["tokens"]) for entry in entries], float)
        seconds = numpy.array([entry["warm"]["seconds"] for entry in entries], float)
        self.n = len(entries)
        self.prefill = float(numpy.median(seconds)) if self.n else 0.0
        self.per_token = 0.0
        if len(set(lengths)) >= TOKENS_TO_FIT:
            per_token, prefill = numpy.polyfit(lengths, seconds, 1)
            if per_token > 0 and prefill > 0:
                self.per_token, self.prefill = float(per_token), float(prefill)

    def seconds(self, taken, tokens, accepted):
        """(until the first word, until the last) of an answer of so many tokens that took `taken` seconds by itself, if a draft had the
        first `accepted` tokens already."""
        left = max(0, tokens - max(1, accepted))
        whole = max(0.0, taken - self.per_token * max(0, min(accepted, tokens) - 1))
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

    def digest(self):
        """Changes with every answer and time that was recorded on an idle machine."""
        return _digest(sorted([e["key"], e["text"], e["cold"], e["warm"]] for e in self.entries() if not e["at_once"]))

    def time_model(self):
        return TimeModel(self.entries())
