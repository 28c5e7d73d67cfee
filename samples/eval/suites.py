"""Named suites: which clips are watched, what is asked, and which configurations are compared.

All clips are of seeds that no model was trained or tuned on (the test split of samples/scenes)."""

from dataclasses import dataclass

from configurations import CONFIGURATIONS
from errors import USAGE, EvalError

TEST_SEED = 2_000_900_100   # of the test split, away from the seeds that the tests of the scenes use

EVERYDAY = ("light", "people", "car", "car_side", "car_colour", "path", "in_the_way", "safe", "day")
LOOKING = ("people_left", "people_right", "sign", "bus", "arrow", "shade", "crossing")
WATCHING = ("car_moves", "light_changed", "more_people")
DESCRIBING = ("describe",)


@dataclass(frozen=True)
class ClipSpec:
    preset: str
    seed: int
    seconds: int

    @property
    def name(self):
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
    judged: bool = False        # whether its exact figures must hold verdicts.py's

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
          configurations=_QUICK, live_configurations=("everything", "saccade"), judged=True),
    Suite("brief", "every configuration on two short clips with few questions: what full shows, in a quarter of an hour",
          exact=(ClipSpec("street", TEST_SEED, 12), ClipSpec("calm", TEST_SEED + 1, 12)),
          live=(ClipSpec("street", TEST_SEED, 12),),
          kinds=("light", "people", "car_side", "safe", "sign", "car_moves", "light_changed", "describe"),
          configurations=tuple(CONFIGURATIONS), repetitions=2),
    Suite("live", "latency, staleness, CPU and memory by the clock, every configuration in turn, three times",
          live=(ClipSpec("street", TEST_SEED, 30), ClipSpec("calm", TEST_SEED + 1, 30)),
          configurations=tuple(CONFIGURATIONS), repetitions=3),
    Suite("full", "everything that docs/benchmarks.md shows",
          exact=(ClipSpec("street", TEST_SEED, 20), ClipSpec("calm", TEST_SEED + 1, 40),
                 ClipSpec("disturbed", TEST_SEED + 2, 20), ClipSpec("handheld", TEST_SEED + 3, 20)),
          live=(ClipSpec("street", TEST_SEED, 20),),
          kinds=EVERYDAY + LOOKING + WATCHING + DESCRIBING,
          configurations=tuple(CONFIGURATIONS), repetitions=3, judged=True),
)

SUITES = {suite.name: suite for suite in _ALL}


def find(name):
    if name not in SUITES:
        raise EvalError("there is no suite %s; there are %s" % (name, ", ".join(SUITES)), USAGE)
    return SUITES[name]
