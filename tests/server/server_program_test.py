"""saccade-server as a user starts it: the shipped cloud pair, asked over HTTP and HTTPS.

    server_program_test.py SACCADE_SERVER

If it fails, a box that somebody set up by docs/saccade-server.md does not answer, or does not stop as it should.
"""

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from saccade_server import PAGE, PAIR, PATIENCE, PROJECT, adapted, certificate, server, stop

sys.path.insert(0, str(PROJECT / "samples/scenes"))

import cv2  # noqa: E402  (from the distribution, as the renderer's other needs)
from draw import draw_scene  # noqa: E402
from questions import answer, canonical  # noqa: E402
from scene import SPLITS, random_scene  # noqa: E402

KINDS = ("light", "day", "safe", "path")  # of which the model card says that it knows all
ATTEMPTS = 20  # to stop a server in the middle of an answer
SERVER = None


def question(picture, text, **more):
    ok, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert ok
    url = "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
    return {"model": "saccade-cloud", "messages": [{"role": "user", "content": content}], "max_tokens": 64, **more}


def ask(url, body):
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def text_of(completion):
    return completion["choices"][0]["message"]["content"]


def curl(*arguments, body=None):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), *arguments],
                          input=json.dumps(body) if body else None, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def metrics(url):
    with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE) as response:
        return response.read().decode()


def scene(seed=0):
    return random_scene(SPLITS["test"][0] + seed)


class Program(unittest.TestCase):
    def test_answers_are_right(self):
        with server(SERVER) as (process, url):
            for seed in range(3):
                street = scene(seed)
                picture = draw_scene(street, 640, 360)
                for kind in KINDS:
                    said = text_of(ask(url, question(picture, canonical(kind))))
                    self.assertEqual(said, answer(kind, street), (seed, kind))
            status, said = stop(process)
        self.assertEqual(status, 0)
        self.assertIn("/v1/chat/completions 200", said)

    def test_a_draft_is_checked_and_continued(self):
        with server(SERVER) as (_, url):
            picture = draw_scene(scene(), 640, 360)
            whole = text_of(ask(url, question(picture, "describe the scene.")))
            begun = whole[:whole.index(" ", len(whole) // 2)]
            body = question(picture, "describe the scene.", continue_final_message=True, add_generation_prompt=False)
            body["messages"].append({"role": "assistant", "content": begun})
            checked = ask(url, {**body, "max_tokens": 1, "prompt_logprobs": 1})
            scores = [entry for entry in checked["prompt_logprobs"] if entry]
            self.assertTrue(all(len(entry) == 1 and next(iter(entry.values()))["rank"] == 1 for entry in scores), scores)
            self.assertEqual("".join(next(iter(entry.values()))["decoded_token"] for entry in scores).strip(), begun)
            self.assertEqual(begun + text_of(ask(url, body)), whole)

    def test_curl_streams(self):
        with server(SERVER) as (_, url):
            body = question(draw_scene(scene(), 640, 360), "describe the scene.", stream=True)
            status, out, _ = curl("--no-buffer", "--data", "@-", url + "/v1/chat/completions", body=body)
            events = [line[6:] for line in out.splitlines() if line.startswith("data: ")]
            self.assertEqual((status, events[-1]), (0, "[DONE]"))
            said = "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1])
            self.assertEqual(said, text_of(ask(url, {**body, "stream": False})))

    def stopped_while_it_writes(self, max_tokens, too_late, *options):
        """(exit status, log, answer) of a server that was told to stop while it wrote an answer of so many tokens.

        Where the log says that the answer was faster than the stop, which decides nothing, it is asked for again.
        """
        schema = {"type": "array", "minItems": 1000, "maxItems": 1000,
                  "items": {"type": "string", "minLength": 200, "maxLength": 200}}
        body = question(draw_scene(scene(), 640, 360), "what is it?", max_tokens=max_tokens, response_format={
            "type": "json_schema", "json_schema": {"name": "long", "schema": schema}})
        for _ in range(ATTEMPTS):
            with server(SERVER, "--parallel", "1", *options) as (process, url):
                answers = []
                client = threading.Thread(target=lambda to=url, into=answers: into.append(
                    curl("--data", "@-", to + "/v1/chat/completions", body=body)[1]))
                client.start()
                while client.is_alive() and "saccade_server_in_flight{} 1\n" not in metrics(url):
                    time.sleep(0.01)  # each look is a line of the log, which nobody reads before the end
                status, said = stop(process)
                client.join()
            if not re.search(too_late, said):
                return status, said, json.loads(answers[0])
        self.fail(f"{ATTEMPTS} answers were all faster than a stop; the last log:\n{said}")

    def test_a_stop_finishes_what_was_taken(self):
        status, said, finished = self.stopped_while_it_writes(
            400, r"(?s)completions 200 .*stopping", "--drain-timeout", str(PATIENCE))
        self.assertEqual(status, 0)
        self.assertRegex(said, r"(?s)stopping.*completions 200 ")
        self.assertEqual(finished["usage"]["completion_tokens"], 400)

    def test_a_stop_that_does_not_wait_says_so(self):
        status, said, refused = self.stopped_while_it_writes(
            100000, "completions 200 ", "--drain-timeout", "0", "--max-tokens", "100000")
        self.assertEqual(status, 0)
        self.assertIn("cancelled", said)
        self.assertEqual(refused["error"]["code"], 503)

    def test_https_with_a_key(self):
        with tempfile.TemporaryDirectory() as folder:
            made, key = certificate(folder)
            keys = os.path.join(folder, "keys")
            Path(keys).write_text("a-key-of-the-test\n", encoding="utf-8")
            with server(SERVER, "--tls-cert", made, "--tls-key", key, "--api-key-file", keys) as (process, url):
                self.assertTrue(url.startswith("https://"))
                body = question(draw_scene(scene(), 640, 360), canonical("day"))
                asking = ["--cacert", made, "--data", "@-", url + "/v1/chat/completions"]
                self.assertEqual(json.loads(curl(*asking, body=body)[1])["error"]["code"], 401)
                answered = curl("--header", "Authorization: Bearer a-key-of-the-test", *asking, body=body)[1]
                self.assertEqual(text_of(json.loads(answered)), answer("day", scene()))
                self.assertNotEqual(curl(url.replace("https", "http") + "/health")[0], 0)
                _, said = stop(process)
            self.assertNotIn("a-key-of-the-test", said)

    @unittest.skipUnless(os.environ.get("GST_PLUGIN_PATH"), "GST_PLUGIN_PATH names no folder with libgstsaccade.so")
    def test_an_edge_asks_it(self):
        with server(SERVER) as (_, url):
            line = ["gst-launch-1.0", "-m", "videotestsrc", "num-buffers=2", "!", "cloudoffloadsink", f"endpoint={url}/v1",
                    "prompt=is it day or night?"]
            done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            answers = re.findall(r"cloud-answer.*text=\(string\)(\w+)", done.stdout)
            self.assertEqual(len(answers), 2, done.stdout)
            self.assertTrue(set(answers) <= {"day", "night"}, answers)

    def test_the_pages_lines_start_and_ask_it(self):
        starting = re.search(r"^    saccade-server (.*)$", PAGE, re.MULTILINE).group(1)
        asking = re.search(r"^    curl .*\n(?:    .*\n)+", PAGE, re.MULTILINE).group(0)
        with tempfile.TemporaryDirectory() as folder, server(SERVER, pair=shlex.split(starting)) as (_, url):
            picture = os.path.join(folder, "street.jpg")
            cv2.imwrite(picture, draw_scene(scene(), 640, 360)[:, :, ::-1])
            line = adapted(asking, ("http://127.0.0.1:8080", url), ("street.jpg", picture))
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(text_of(json.loads(done.stdout)), answer("light", scene()))

    def test_mistakes_are_named(self):
        def fails(*options):
            done = subprocess.run([SERVER, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
            return done.returncode, done.stderr
        for options, status, words in (([], 2, "--model and --mmproj"), (["--nonsense"], 2, "--help"),
                                       (["stray"], 2, '"stray"'), ([*PAIR, "--port", "70000"], 2, "--port"),
                                       ([*PAIR, "--tls-cert", "x"], 2, "--tls-key"),
                                       ([*PAIR, "--detail", "none"], 2, "--detail"),
                                       (["--model", "/nowhere.gguf", "--mmproj", "/nowhere.gguf"], 1, "/nowhere.gguf"),
                                       ([*PAIR, "--port", "0", "--host", "nowhere"], 1, "nowhere")):
            code, said = fails(*options)
            self.assertEqual(code, status, said)
            self.assertIn(words, said)

    def test_the_page_names_every_option(self):
        helped = subprocess.run([SERVER, "--help"], capture_output=True, text=True, check=True).stdout
        options = {name: default for name, default in
                   re.findall(r"--([a-z-]+)(?:=\w+)? .*?(?:\(default: ([^,)]*).*\))?$", helped, re.MULTILINE)
                   if name not in ("help", "version")}
        rows = dict(re.findall(r"^\| `--([a-z-]+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
        self.assertEqual(sorted(rows), sorted(options))
        for name, default in options.items():
            if default and default != "the file's":
                self.assertEqual(rows[name].strip().replace(",", ""), default, name)


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
