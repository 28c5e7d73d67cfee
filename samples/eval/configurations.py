"""What is compared: Saccade, its parts, and what a user would run instead. Each has a name, and is one launch line or
one client of llama-server; both read the same clips, ask the same questions and use the same models.

In the launch lines {clip}, {model}, {mmproj}, {prompt}, {live} and {cloud} are filled in for a run; the rest is what a
user would type.
"""

from dataclasses import dataclass

from errors import USAGE, EvalError

# Chunks as others make them: pictures a second, layout, pictures in a chunk.
# gvagenai (Intel DL Streamer): frame-rate and chunk-size of the pipeline "Video Summarization VLM" that comes with it;
# the example on the element's page has chunk-size=10, and its default is every frame by itself.
GVAGENAI = (1, "chunk", 4)
# nvvllmvlm (NVIDIA DeepStream): the documented defaults selection-fps=1, segment-length-sec=10 and overlap-sec=0.
NVVLLMVLM = (1, "chunk", 10)

RATE = 2   # pictures a second that are looked at: a street's state holds for seconds, and a small CPU can bear it

# Picture complexity at which moa-off asks the cloud: masgate has a band of 0.05 around it, and the pictures of
# validation clips lie between 0.35 and 0.44, so that about half of them are above the upper end.
COMPLEX = 0.36

SOURCE = "filesrc location={clip} ! decodebin ! video/x-raw ! identity name=pace sync={live} ! "
UNIFORM = "framesampler name=sampler mode=uniform max-rate=%g ! "
ADAPTIVE = "framesampler name=sampler max-rate=%g ! "
GATE = "masgate name=gate prompt={prompt} ! "
PAIR = "model={model} mmproj={mmproj} "
COMPRESS = "tokencompressor name=compressor " + PAIR
ANSWER = "localmllm name=model " + PAIR + "prompt={prompt} "
END = "! fakesink sync=false async=false"
# An exact run waits for every answer of the cloud, however slow; live, the elements' own limits hold.
CLOUD_SINK = "cloudoffloadsink name=cloud endpoint={cloud} model=cloud max-tokens=64 drain-timeout={drain_s}"
TO_CLOUD = "drain-timeout={drain_ns} ! fakesink sync=false async=false model.offload ! " + CLOUD_SINK


@dataclass(frozen=True)
class Configuration:
    name: str
    about: str
    launch: str = None        # a pipeline; else `server` says how llama-server is asked
    server: dict = None       # {"layout": frame | chunk | last-n, "n": pictures, "fps": rate}
    pair: str = "edge"        # whose model answers
    cloud: bool = False       # a pipeline that asks a llama-server with the cloud pair as well
    window: int = 1           # pictures that a question is asked about

    @property
    def needs_server(self):
        return self.cloud or self.server is not None


def _server(name, about, fps, layout="frame", n=1, pair="edge"):
    return Configuration(name, about, server={"layout": layout, "n": n, "fps": fps}, pair=pair, window=n)


def _model(name, about, pair, window=1):
    """What a pair knows, without anything around it."""
    more = "answer-on=frame " + ("window=%d " % window if window > 1 else "")
    return Configuration(name, about, launch=SOURCE + ANSWER + more + END, pair=pair, window=window)


def _pipeline(name, about, launch, **more):
    return Configuration(name, about, launch=SOURCE + launch, **more)


def everything_at(rate, name, about):
    """Every picture is looked at, so many a second."""
    return _pipeline(name, about, UNIFORM % rate + ANSWER + "answer-on=frame " + END)


_ALL = (
    everything_at(RATE, "everything",
                  "every picture is looked at, %d a second, without a gate: what the others are compared with" % RATE),
    _pipeline("saccade", "Saccade: only what changed is encoded and answered",
              ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER + END),
    _pipeline("saccade-whole", "the same gate, but what changed is not encoded by itself: each picture is encoded whole",
              ADAPTIVE % RATE + GATE + COMPRESS + "whole-every=1 ! " + ANSWER + END),
    _pipeline("saccade-libmtmd", "the same with llama.cpp's own vision encoder, which always encodes whole pictures",
              ADAPTIVE % RATE + GATE + COMPRESS + "encoder=libmtmd ! " + ANSWER + END),
    _pipeline("saccade-5fps", "the same, allowed to look five times a second",
              ADAPTIVE % 5 + GATE + COMPRESS + "! " + ANSWER + END),
    _pipeline("saccade-merge-50", "Saccade, and half of each picture's tokens are merged into the other half",
              ADAPTIVE % RATE + GATE + COMPRESS + "method=merge keep=0.5 ! " + ANSWER + END),
    _pipeline("saccade-window-4",
              "Saccade with the last four pictures in each question, so that it can be asked what happened",
              ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER + "window=4 " + END, window=4),
    _pipeline("window-4-slide", "the same, and pictures stay in the cache as they were read (kv-policy=slide)",
              ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER + "window=4 kv-policy=slide " + END, window=4),
    _pipeline("window-4-saliency", "the same, and the picture leaves that was attended to least (kv-policy=saliency)",
              ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER + "window=4 kv-policy=saliency " + END, window=4),
    _pipeline("edge-only", "sampler and model, no gate: a picture that differs is looked at",
              ADAPTIVE % RATE + ANSWER + "answer-on=frame " + END),
    _pipeline("random-50", "every picture, and half of its tokens drawn at random: a control",
              UNIFORM % RATE + COMPRESS + "method=random keep=0.5 ! " + ANSWER + "answer-on=frame " + END),
    _pipeline("grid-50", "every picture, and every other token: a control",
              UNIFORM % RATE + COMPRESS + "method=grid keep=0.5 ! " + ANSWER + "answer-on=frame " + END),
    _pipeline("downscale", "every picture, made small before the model sees it (a quarter of 640 x 360)",
              UNIFORM % RATE + "videoscale ! video/x-raw,width=160,height=90 ! " + ANSWER + "answer-on=frame " + END),
    _pipeline("edge-and-cloud", "Saccade, and the cloud is asked where the edge is unsure (confidence below 0.9)",
              ADAPTIVE % RATE + GATE + COMPRESS + "! " + ANSWER +
              "route-policy=threshold confidence-threshold=0.9 " + TO_CLOUD,
              cloud=True),
    _pipeline("moa-off",
              "a static threshold on each picture's complexity chooses edge or cloud, as MoA-Off does",
              UNIFORM % RATE + "masgate name=gate prompt={prompt} complexity-threshold=%g ! " % COMPLEX + ANSWER +
              "answer-on=frame route-policy=threshold confidence-threshold=0 " + TO_CLOUD, cloud=True),
    _model("edge-model", "the edge pair by itself, asked about every picture", "edge"),
    _model("cloud-model", "the cloud pair by itself, in the same place", "cloud"),
    _model("edge-model-4", "the edge pair, asked about every picture and the three before it", "edge", 4),
    _model("cloud-model-4", "the cloud pair, asked about every picture and the three before it", "cloud", 4),
    _server("server-1fps", "every picture, one a second, sent to llama-server with the edge pair", 1),
    _server("server-2fps", "the same, two a second", 2),
    _server("server-5fps", "the same, five a second", 5),
    _server("chunks-4", "fixed chunks of four pictures at 1 a second, as gvagenai of DL Streamer is used for summaries",
            *GVAGENAI),
    _server("chunks-10", "fixed chunks of ten pictures at 1 a second, the default windows of nvvllmvlm of DeepStream",
            *NVVLLMVLM),
    _server("last-4", "each picture at %d a second with the three before it" % RATE, RATE, "last-n", 4),
    _server("cloud-only", "every picture, %d a second, sent to the cloud pair" % RATE, RATE, pair="cloud"),
)

CONFIGURATIONS = {configuration.name: configuration for configuration in _ALL}
# What the suite "policies" is about.
POLICIES = ("saccade", "saccade-window-4", "window-4-slide", "window-4-saliency")
# What watches streams; the others are about the models alone.
STREAMING = tuple(name for name in CONFIGURATIONS if "-model" not in name and not name.startswith("window-"))


def find(names):
    """The configurations of these names, in this order."""
    unknown = [name for name in names if name not in CONFIGURATIONS]
    if unknown:
        there = ", ".join(CONFIGURATIONS)
        raise EvalError("there is no configuration %s; there are %s" % (", ".join(unknown), there), USAGE)
    return [CONFIGURATIONS[name] for name in dict.fromkeys(names)]
