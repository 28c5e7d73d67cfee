"""One run: one configuration over one clip, in a child process that is watched, timed out and measured.

What comes back is the record stream that every kind of child prints (JSON lines, as run_pipeline.py says), with the
configuration's own server added to its costs where it has one."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field

import clips
from errors import EvalError, RunFailed
from models import PROJECT

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINES = os.path.join(HERE, "baselines")
BUILT_PLUGIN = os.path.join(PROJECT, "build", "release", "gst-plugins")
PLUGIN = "libgstsaccade.so"
# Longest wait for a child: to load its model, and then so many seconds per second of stream. Far above what a busy
# machine needs, so that only a run that hangs is stopped.
LOAD_S, EXACT_FACTOR, LIVE_FACTOR = 120, 60, 3
DRAIN_S = {"exact": 600, "live": 5}   # how long the end of a stream waits for the cloud
MAX_TOKENS = 64                       # of an answer, in every configuration
SERVER_THREADS = 1                    # localmllm takes one for a model this small, too


@dataclass
class RunResult:
    answers: list
    summary: dict
    warnings: list = field(default_factory=list)


def plugin_folder():
    """Where libgstsaccade.so is: on GST_PLUGIN_PATH, else in the build that samples/demo.sh and tests/run.sh make."""
    named = [folder for folder in os.environ.get("GST_PLUGIN_PATH", "").split(os.pathsep) if folder]
    for folder in named + [BUILT_PLUGIN]:
        if os.path.exists(os.path.join(folder, PLUGIN)):
            return folder
    places = " or ".join(named) or "build/release/gst-plugins"
    raise EvalError("there is no %s in %s; build it first, for example with tests/run.sh --setup-only and then "
                    "cmake --build build/release --target gstsaccade" % (PLUGIN, places))


def digest_of(*paths):
    """Changes with every byte of these files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


@functools.lru_cache(maxsize=None)
def _digest_of_programs():
    """Changes with the plugin and with the programs that run it and its rivals."""
    return digest_of(os.path.join(plugin_folder(), PLUGIN), os.path.join(HERE, "run_pipeline.py"), os.path.join(HERE, "cloud_client.py"),
                     os.path.join(BASELINES, "run_server.py"), os.path.join(BASELINES, "server.py"))


def quoted(text):
    """As gst-launch reads it back."""
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def launch_line(configuration, clip, pair, questions, mode, cloud_url=""):
    return configuration.launch.format(
        clip=quoted(clip), model=quoted(pair.model), mmproj=quoted(pair.mmproj), prompt=quoted(questions[0].text),
        more=quoted("<%s>" % ",".join(quoted(question.text) for question in questions[1:])),
        live=str(mode == "live").lower(), cloud=cloud_url, drain_s=DRAIN_S[mode], drain_ns=DRAIN_S[mode] * 10**9)


def asked(configuration, truth, kinds):
    """The questions of these kinds that the configuration can be asked: what happened shows only in several pictures."""
    return [q for q in truth.of_kinds(kinds) if q.grade != "watch" or configuration.window >= 2]


def not_asked(configuration, truth, kinds):
    """Kinds that it is not asked."""
    there = [q.kind for q in asked(configuration, truth, kinds)]
    return [q.kind for q in truth.of_kinds(kinds) if q.kind not in there]


def key_of(configuration, truth, questions, mode, pairs):
    """Changes with everything that a run's answers depend on."""
    asked_about = [(q.kind, q.text) for q in questions]
    parts = [repr(configuration), clips.fingerprint(truth), asked_about, mode, _digest_of_programs(),
             sorted((role, pair.fingerprint) for role, pair in pairs.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _last_words(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ", its last words: %s" % lines[-1] if lines else ""


def run_child(script, settings, limit_s):
    """The records that the child prints. RunFailed: a sentence about how it ended."""
    environment = dict(os.environ, GST_PLUGIN_PATH=plugin_folder())
    process = subprocess.Popen([sys.executable, script, json.dumps(settings)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                               preexec_fn=server_module().dies_with_me())
    try:
        said, complaints = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RunFailed("it did not end within %d s and was stopped" % limit_s) from None
    except BaseException:
        process.kill()
        process.communicate()
        raise
    records = _parsed(said)
    error = next((record["message"] for record in records if record.get("type") == "error"), None)
    if error:
        raise RunFailed(error.rstrip("."))
    if process.returncode < 0:
        killer = signal.Signals(-process.returncode).name
        raise RunFailed("the process was ended by %s%s" % (killer, _last_words(complaints)))
    if process.returncode:
        raise RunFailed("the process exited with %d%s" % (process.returncode, _last_words(complaints)))
    return records


def _parsed(said):
    records = []
    for line in said.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue   # what a library prints on standard output is no record
        if isinstance(record, dict):
            records.append(record)
    return records


def result_of(records, questions):
    kinds = {question.text: question.kind for question in questions}
    answers = [record for record in records if record.get("type") == "answer"]
    summary = next((record for record in records if record.get("type") == "summary"), None)
    if summary is None:
        raise RunFailed("it ended without figures")
    if not answers:
        raise RunFailed("it ended without an answer")
    for order, answer in enumerate(answers):
        answer["kind"] = answer.get("kind") or kinds.get(answer.get("question"))
        answer["order"] = order
    return RunResult(answers, summary, [record["message"] for record in records if record.get("type") == "warning"])


def server_module():
    if BASELINES not in sys.path:
        sys.path.append(BASELINES)
    try:
        import server   # pylint: disable=import-outside-toplevel  (only rows that need a server need it)
    except ImportError as error:
        raise RunFailed("samples/eval/baselines cannot be loaded: %s" % error) from error
    return server


def limit_of(truth, mode):
    return LOAD_S + truth.duration * (EXACT_FACTOR if mode == "exact" else LIVE_FACTOR)


def _run_pipeline(configuration, truth, questions, mode, pairs):
    with ExitStack() as stack:
        cloud, url = None, ""
        if configuration.cloud:
            module = server_module()
            try:
                pair = pairs["cloud"]
                cloud = stack.enter_context(module.LlamaServer(pair.model, pair.mmproj, threads=SERVER_THREADS))
            except module.ServerError as error:
                raise RunFailed(str(error).rstrip(".")) from error
            url = cloud.url + "/v1"
        before = cloud.cpu_seconds() if cloud else 0.0
        settings = {"launch": launch_line(configuration, truth.clip, pairs[configuration.pair], questions, mode, url), "mode": mode,
                    "questions": [[q.kind, q.text] for q in questions]}
        records = run_child(os.path.join(HERE, "run_pipeline.py"), settings, limit_of(truth, mode))
        result = result_of(records, questions)
        if cloud:
            spent = cloud.cpu_seconds() - before
            result.summary["cpu_parts"]["server"] = spent
            result.summary["cpu_s"] += spent
            result.summary["peak_rss_bytes"] += cloud.peak_rss_bytes()
        return result


def _run_server(configuration, truth, questions, mode, pairs):
    pair = pairs[configuration.pair]
    settings = {"clip": truth.clip, "questions": [[q.kind, q.text] for q in questions], "model": pair.model,
                "mmproj": pair.mmproj, "mode": mode, "max_tokens": MAX_TOKENS, "threads": SERVER_THREADS,
                **configuration.server}
    script = os.path.join(BASELINES, "run_server.py")
    if not os.path.exists(script):
        raise RunFailed("samples/eval/baselines/run_server.py is missing")
    return result_of(run_child(script, settings, limit_of(truth, mode)), questions)


def needed_roles(configuration):
    return {configuration.pair} | ({"cloud"} if configuration.cloud else set())


def run(configuration, truth, questions, mode, pairs):
    """-> RunResult. RunFailed: a sentence that says why there is none."""
    if not questions:
        raise RunFailed("none of its questions can be asked about this clip")
    if not os.path.exists(truth.clip):
        raise RunFailed("the clip %s is gone" % os.path.basename(truth.clip))
    how = _run_server if configuration.server else _run_pipeline
    result = how(configuration, truth, questions, mode, pairs)
    if mode == "live" and any(answer.get("emitted") is None for answer in result.answers):
        raise RunFailed("some of its answers do not say when they came out")
    return result
