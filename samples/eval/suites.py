"""Named suites: which clips are watched, what is asked, and which configurations are compared.

All clips are of seeds that no model was trained or tuned on (the test split of samples/scenes)."""

from dataclasses import dataclass

from configurations import POLICIES, STREAMING
from errors import USAGE, EvalError

TEST_SEED = 2_000_900_100   # of the test split, away from the seeds that the tests of the scenes use
STILLS_SEED = 2_000_000_000  # the first of the test split: the scenes that the model cards are about

EVERYDAY = ("light", "people", "car", "car_side", "car_colour", "path", "in_the_way", "safe", "day")
MORE_GLANCES = ("anybody", "crossing", "shade")
LOOKING = ("people_left", "people_right", "sign", "open", "bus", "arrow")
WATCHING = ("car_moves", "light_changed", "more_people", "passed")
DESCRIBING = ("describe",)


@dataclass(frozen=True)
class ClipSpec:
    """A stream of samples/scenes/stream.py or, as stills1 and stills4, scenes of samples/scenes/stills.py: so many from
    the seed on, of one or of four pictures each."""
    preset: str
    seed: int
    seconds: int   # of stills: scenes

    @property
    def stills(self):
        """Pictures per scene; 0 of a stream."""
        return int(self.preset[len("stills"):]) if self.preset.startswith("stills") else 0

    @property
    def name(self):
        if self.stills:
            return "%s-%d-%d" % (self.preset, self.seed, self.seconds)
        return "%s-%d-%ds" % (self.preset, self.seed, self.seconds)


@dataclass(frozen=True)
class Suite:
    name: str
    about: str
    exact: tuple = ()           # clips that are read without a clock
    live: tuple = ()            # clips that are played by the clock
    kinds: tuple = EVERYDAY     # the first is the standing question, the others are asked at each answer to it
    configurations: tuple = ()
    live_configurations: tuple = None   # None: all
    repetitions: int = 1        # of the live runs; the configurations take turns in each
    judged: str = ""            # which of verdicts.py's verdicts its exact figures must hold
    also: tuple = ()            # suites that --docs runs as well, for the same page

    def configurations_of(self, mode):
        if mode == "live" and self.live_configurations is not None:
            return self.live_configurations
        return self.configurations


_QUICK = ("everything", "saccade", "random-50", "grid-50")

_ALL = (
    Suite("quick", "the exact verdicts on two short clips, and a glimpse of live figures; runs in CI",
          exact=(ClipSpec("street", TEST_SEED, 20), ClipSpec("calm", TEST_SEED + 1, 40)),
          live=(ClipSpec("street", TEST_SEED, 20),),
          kinds=("light", "people", "car", "car_side", "path", "safe"),
          configurations=_QUICK, live_configurations=("everything", "saccade"), judged="gate"),
    Suite("brief", "every configuration on two short clips with few questions: what full shows, in a quarter of an hour",
          exact=(ClipSpec("street", TEST_SEED, 12), ClipSpec("calm", TEST_SEED + 1, 12)),
          live=(ClipSpec("street", TEST_SEED, 12),),
          kinds=("light", "people", "car_side", "safe", "sign", "car_moves", "light_changed", "describe"),
          configurations=STREAMING, repetitions=2, also=("models", "models-watch")),
    Suite("live", "latency, staleness, CPU and memory by the clock, every configuration in turn, three times",
          live=(ClipSpec("street", TEST_SEED, 30), ClipSpec("calm", TEST_SEED + 1, 30)),
          configurations=STREAMING, repetitions=3),
    Suite("full", "everything that docs/benchmarks.md shows",
          exact=(ClipSpec("street", TEST_SEED, 20), ClipSpec("calm", TEST_SEED + 1, 40),
                 ClipSpec("disturbed", TEST_SEED + 2, 20), ClipSpec("handheld", TEST_SEED + 3, 20)),
          live=(ClipSpec("street", TEST_SEED, 20),),
          kinds=EVERYDAY + MORE_GLANCES + LOOKING + WATCHING + DESCRIBING,
          configurations=STREAMING, repetitions=3, judged="gate", also=("models", "models-watch")),
    Suite("policies", "what becomes of the pictures of a window when another one comes: does an answer gain by it?",
          exact=(ClipSpec("street", TEST_SEED, 20), ClipSpec("disturbed", TEST_SEED + 2, 20), ClipSpec("handheld", TEST_SEED + 3, 20)),
          kinds=EVERYDAY + WATCHING, configurations=POLICIES),
    Suite("models", "what the two pairs know, scene by scene, through localmllm",
          exact=(ClipSpec("stills1", STILLS_SEED, 100),), kinds=EVERYDAY + MORE_GLANCES + LOOKING + DESCRIBING,
          configurations=("edge-model", "cloud-model"), judged="models"),
    Suite("models-watch", "the same for what happens in four pictures",
          exact=(ClipSpec("stills4", STILLS_SEED, 60),), kinds=("light",) + WATCHING,
          configurations=("edge-model-4", "cloud-model-4")),
)

SUITES = {suite.name: suite for suite in _ALL}


def find(name):
    if name not in SUITES:
        raise EvalError("there is no suite %s; there are %s" % (name, ", ".join(SUITES)), USAGE)
    return SUITES[name]
