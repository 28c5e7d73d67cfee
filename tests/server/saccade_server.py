"""saccade-server as a child process of a test, with the shipped cloud pair; never left behind.

    with server(PROGRAM, "--parallel", "1") as (process, url):
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MODELS = Path(os.environ.get("SACCADE_MODELS", PROJECT / "samples/models"))
PAIR = ["--model", str(MODELS / "saccade-cloud-text.gguf"), "--mmproj", str(MODELS / "saccade-cloud-mmproj.gguf")]
PAGE = (PROJECT / "docs/saccade-server.md").read_text(encoding="utf-8")
PATIENCE = 60  # seconds; generous, nothing is judged by it


@contextlib.contextmanager
def server(program, *options, pair=PAIR):
    """A running server and its URL; stopped at the end, if it still runs. pair: of models, from the repository's root."""
    process = subprocess.Popen([program, *pair, "--port", "0", *options], cwd=PROJECT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        line = first_line(process)
        url = re.fullmatch(r"listening on (https?://127\.0\.0\.1:\d+)\n", line)
        if not url:
            process.kill()
            raise AssertionError(f"it does not listen: {line!r}\n{process.stderr.read()}")
        yield process, url.group(1)
    finally:
        end(process)


def first_line(process):
    """Of its standard output; empty when it ends, or says nothing within PATIENCE and is killed."""
    overdue = threading.Timer(PATIENCE, process.kill)
    overdue.start()
    try:
        return process.stdout.readline()
    finally:
        overdue.cancel()


def end(process):
    """Not running any more, whatever it did. Raises TimeoutExpired where a SIGTERM does not end it."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def stop(process):
    """(exit status, what it said) after a SIGTERM"""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def certificate(folder, name="test", address="127.0.0.1"):
    """(certificate, its key): paths of PEM files, signed by nobody but themselves."""
    made, key = (os.path.join(folder, f"{name}.{ending}") for ending in ("cert.pem", "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out", made],
                   check=True, capture_output=True)
    return made, key


def adapted(text, *pairs):
    """What a page gives, with what is of the test's own: (of the page, of the test), each of which is in it."""
    for these, those in pairs:
        if these not in text:
            raise AssertionError(f"there is no {these} any more in\n{text}")
        text = text.replace(these, those)
    return text
