"""What is compared when a cloud may be asked: policies, links, clips and questions."""

from dataclasses import dataclass, replace

from configurations import ADAPTIVE, ANSWER, CLOUD_SINK, COMPRESS, CONFIGURATIONS, GATE, RATE, SOURCE, TO_CLOUD, UNIFORM, Configuration
from suites import TEST_SEED, ClipSpec

# The edge knows the first three about as well as the cloud, reads signs badly and describes less well. Two pictures a second
# with each of them are ten calls, about half of what the narrow link carries.
KINDS = ("light", "people", "car_side", "sign", "describe")
CLIPS = (ClipSpec("street", TEST_SEED, 40), ClipSpec("calm", TEST_SEED + 1, 40))
WORKERS = 2          # of the replay: answers that the cloud makes at a time
BUDGET_SHARE = 0.15  # of what cloud-only sends
# The cloud is asked as often as a policy wants: a queue shows as time, not as calls that were never made.
MANY = " max-in-flight=64"
# All questions stand, so that a draft which is not shown yet delays none of the others.
ANSWER_ALL = ANSWER + "more-prompts={more} "
# Without a model: everything is asked about each picture that comes, of which the files are those that localmllm sends.
SEND = "videoconvert ! video/x-raw,format=RGB ! " + CLOUD_SINK + MANY
GATED = SOURCE + ADAPTIVE % RATE + GATE + COMPRESS + "! "


@dataclass(frozen=True)
class Link:
    name: str
    about: str
    words: tuple   # of link_emulator, for each direction


LINKS = (Link("fast", "200 Mbit/s, round trip 20 ms", ("delay=10ms", "rate=200Mbit/s")),
         Link("narrow", "5 Mbit/s, round trip 80 ms", ("delay=40ms", "rate=5Mbit/s")))
NO_LINK = Link("none", "no link", ())


def _with_all(name, about, configuration, more=""):
    """Another evaluation's configuration, with all questions standing."""
    return replace(configuration, name=name, about=about, launch=configuration.launch.replace(ANSWER, ANSWER_ALL) + more)


def _gated(name, about, words, sink=""):
    """Behind the gate: what changed is drafted."""
    return Configuration(name, about, launch=GATED + ANSWER_ALL + words + TO_CLOUD + MANY + sink, cloud=True)


def weighing(error_weight, cloud_error):
    """msao with these settings."""
    return _gated("msao-%g-%g" % (error_weight, cloud_error), "`error-weight=%g cloud-error=%g`" % (error_weight, cloud_error),
                  "route-policy=msao error-weight=%g cloud-error=%g " % (error_weight, cloud_error))


def holding(milliseconds):
    """msao that does not show a draft which it asks about before it is so old."""
    return _gated("msao-hold-%d" % milliseconds, "the same, and a draft that the cloud is asked about is shown when it is %d ms old, "
                  "unless the cloud's answer is there (`draft-hold=%d`)" % (milliseconds, milliseconds * 10**6),
                  "route-policy=msao draft-hold=%d " % (milliseconds * 10**6))


def within(bytes_per_hour):
    return _gated("budget", "`route-policy=budget`, %g %% of the bytes of `cloud`" % (100 * BUDGET_SHARE),
                  "route-policy=budget budget-per-hour=%.0f " % bytes_per_hour)


EDGE = _with_all("edge", "every picture, %d a second, on the edge" % RATE, CONFIGURATIONS["everything"])
CLOUD = Configuration("cloud", "every picture, %d a second, sent to the cloud with all questions at once; there is no model on the edge" % RATE,
                      launch=SOURCE + UNIFORM % RATE + SEND, cloud=True)
CLOUD_GATED = Configuration("cloud-gated", "the same, behind the gate",
                            launch=SOURCE + ADAPTIVE % RATE + GATE.replace("name=gate", "name=gate mode=gate") + SEND, cloud=True)
DEFAULT = _gated("msao", "`route-policy=msao`, with its defaults", "route-policy=msao ")
# The cloud's vision encoder sees 384 by 384 pixels, whatever it is sent.
SMALL = " max-size=384"
CLOUD_SMALL = replace(CLOUD, name="cloud-384", about="`cloud` with pictures of its encoder's size (`max-size=384`)", launch=CLOUD.launch + SMALL)
ONLY_CLIENTS = (CLOUD.name, CLOUD_SMALL.name)   # what they do on the edge counts as nothing: to read and to send
POLICIES = (
    EDGE, CLOUD,
    _with_all("edge-gated", "the edge alone, behind the gate", CONFIGURATIONS["saccade"]),
    CLOUD_GATED,
    _with_all("complexity", "MoA-Off's rule: every picture, and the more complex ones to the cloud", CONFIGURATIONS["moa-off"], MANY),
    _gated("confidence", "`route-policy=threshold confidence-threshold=0.9`", "route-policy=threshold confidence-threshold=0.9 "),
    DEFAULT, holding(100), holding(300),
    CLOUD_SMALL, _gated("msao-384", "`msao` with `max-size=384`", "route-policy=msao ", SMALL),
    within(0),   # the cap follows from what cloud was seen to send
)
BUDGET = "budget"
# What msao weighs, about its defaults.
DEFAULT_WEIGHT, DEFAULT_ERROR = 2, 0.1
SWEEP = tuple(weighing(weight, DEFAULT_ERROR) for weight in (0.5, 1, 4)) + tuple(weighing(DEFAULT_WEIGHT, error) for error in (0.3, 0.5))
# What is recorded before anything is measured: together, all that the others may ask. The gate shows an encoder other pictures than a cloud.
RECORDED = (CLOUD, CLOUD_GATED, _gated("all-gated", "", "route-policy=cloud "),
            CLOUD_SMALL, _gated("all-gated-384", "", "route-policy=cloud ", SMALL))
