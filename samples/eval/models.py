"""Model pairs: a language model and its vision encoder, two GGUF files. `edge` and `cloud` ship with the project;
$SACCADE_TEST_MODEL names a folder with a pair of one's own, which then takes the edge pair's place everywhere."""

import functools
import hashlib
import os
from dataclasses import dataclass

from errors import RunFailed, EvalError

PROJECT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ROLES = ("edge", "cloud")
DRAFT = "draft.gguf"   # the file in a folder of one's own that guesses for the pair there


@dataclass(frozen=True)
class Pair:
    role: str      # edge, cloud
    name: str      # for people
    model: str     # paths
    mmproj: str

    @functools.cached_property
    def fingerprint(self):
        """Changes with every byte of either file."""
        digest = hashlib.sha256()
        for path in (self.model, self.mmproj):
            with open(path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        return digest.hexdigest()[:12]


def own_pair(folder):
    """The pair in a user's folder: one GGUF with mmproj in its name, and one other. A draft may lie beside them."""
    if not os.path.isdir(folder):
        raise EvalError("SACCADE_TEST_MODEL names %s, which is no folder" % folder)
    files = sorted(name for name in os.listdir(folder) if name.endswith(".gguf") and name != DRAFT)
    encoders = [name for name in files if "mmproj" in name.lower()]
    texts = [name for name in files if name not in encoders]
    if len(encoders) != 1 or len(texts) != 1:
        raise EvalError("SACCADE_TEST_MODEL=%s should hold two GGUF files, one of them with mmproj in its name; "
                        "it holds %s" % (folder, ", ".join(files) or "none"))
    name = os.path.splitext(texts[0])[0]
    return Pair("edge", name, os.path.join(folder, texts[0]), os.path.join(folder, encoders[0]))


def pair(role):
    """The pair of a role. RunFailed when its files are not there: rows that need it are missing then."""
    if role == "edge" and os.environ.get("SACCADE_TEST_MODEL"):
        return own_pair(os.environ["SACCADE_TEST_MODEL"])
    folder = os.environ.get("SACCADE_MODELS") or os.path.join(PROJECT, "samples", "models")
    halves = (os.path.join(folder, "saccade-%s-%s.gguf" % (role, half)) for half in ("text", "mmproj"))
    found = Pair(role, "saccade-" + role, *halves)
    for path in (found.model, found.mmproj):
        if not os.path.exists(path):
            raise RunFailed("there is no %s in the folder of the models" % os.path.basename(path))
    return found
