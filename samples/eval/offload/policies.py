"""What is compared when a cloud may be asked: policies, links, clips and questions."""

from dataclasses import dataclass, replace

from configurations import ADAPTIVE, ANSWER, COMPRESS, CONFIGURATIONS, GATE, RATE, SOURCE, TO_CLOUD, UNIFORM, Configuration
from suites import TEST_SEED, ClipSpec

# The edge knows the first three about as well as the cloud, reads signs badly and describes less well. Two pictures a second
# with each of them are ten calls, about half of what the narrow link carries.
KINDS = ("light", "people", "car_side", "sign", "describe")
CLIPS = (ClipSpec("street", TEST_SEED, 40), ClipSpec("calm", TEST_SEED + 1, 40))
WORKERS = 2          # of the replay: answers that the cloud makes at a time
BUDGET_SHARE = 0.15  # of what cloud-only sends
# The cloud is asked as often as a policy wants: a queue shows as time, not as calls that were never made.
ASKING = TO_CLOUD + " max-in-flight=64"


@dataclass(frozen=True)
class Link:
    name: str
    about: str
    words: tuple   # of link_emulator, for each direction


LINKS = (Link("fast", "200 Mbit/s, round trip 20 ms", ("delay=10ms", "rate=200Mbit/s")),
         Link("narrow", "5 Mbit/s, round trip 80 ms", ("delay=40ms", "rate=5Mbit/s")))
NO_LINK = Link("none", "no link", ())


@dataclass(frozen=True)
class Policy:
    configuration: Configuration
    cloud_alone: bool = False   # what the edge drafts meanwhile is not looked at

    @property
    def name(self):
        return self.configuration.name


def _every(name, about, words, **more):
    """Every picture, so many a second."""
    launch = SOURCE + UNIFORM % RATE + ANSWER + "answer-on=frame " + words + ASKING
    return Policy(Configuration(name, about, launch=launch, cloud=True), **more)


def _gated(name, about, words, sink="", **more):
    """Behind the gate: what changed."""
    launch = SOURCE + ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER + words + ASKING + sink
    return Policy(Configuration(name, about, launch=launch, cloud=True), **more)


def weighing(error_weight, cloud_error):
    """msao with these settings."""
    return _gated("msao-%g-%g" % (error_weight, cloud_error), "`error-weight=%g cloud-error=%g`" % (error_weight, cloud_error),
                  "route-policy=msao error-weight=%g cloud-error=%g " % (error_weight, cloud_error))


def within(bytes_per_hour):
    return _gated("budget", "`route-policy=budget`, %g %% of the bytes of `cloud`" % (100 * BUDGET_SHARE),
                  "route-policy=budget budget-per-hour=%.0f " % bytes_per_hour)


_MOA_OFF = CONFIGURATIONS["moa-off"]
EDGE = Policy(replace(CONFIGURATIONS["everything"], name="edge", about="every picture, %d a second, on the edge" % RATE))
CLOUD = _every("cloud", "every picture, %d a second, sent to the cloud; the edge's draft is not counted" % RATE, "route-policy=cloud ",
               cloud_alone=True)
DEFAULT = _gated("msao", "`route-policy=msao`, with its defaults", "route-policy=msao ")
POLICIES = (
    EDGE, CLOUD,
    Policy(replace(CONFIGURATIONS["saccade"], name="edge-gated", about="the edge alone, behind the gate")),
    _gated("cloud-gated", "the cloud alone, behind the gate", "route-policy=cloud ", cloud_alone=True),
    Policy(replace(_MOA_OFF, name="complexity", about="MoA-Off's rule: every picture, and the more complex ones to the cloud",
                   launch=_MOA_OFF.launch + " max-in-flight=64")),
    _gated("confidence", "`route-policy=threshold confidence-threshold=0.9`", "route-policy=threshold confidence-threshold=0.9 "),
    DEFAULT,
    within(0),   # the cap follows from what cloud was seen to send
)
BUDGET = "budget"
# What msao weighs, about its defaults of 2 and 0.1; and its calls with smaller files.
SMALLER = " jpeg-quality=60"
SWEEP = tuple(weighing(weight, error) for weight, error in ((0.5, 0.1), (1, 0.1), (4, 0.1), (2, 0.3))) + (
    _gated("msao-q60", "the defaults, and `jpeg-quality=60` instead of 85", "route-policy=msao ", SMALLER),)
# What is recorded before anything is measured: together, all that the others may ask.
RECORDED = tuple(policy for policy in POLICIES if policy.cloud_alone) + (
    _gated("cloud-gated-q60", "", "route-policy=cloud ", SMALLER, cloud_alone=True),)
