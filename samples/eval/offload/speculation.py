"""Long answers of a real server over a link: a token at a time, with the server's own guesses, with a draft as a prediction, and by
scoring a draft and going on from there. Servers do nothing else meanwhile, and each question finds its picture unknown."""

import base64
import http.client
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass

from errors import EvalError
from offload import policies, programs
from sessions.server_rounds import jpegs_of


@dataclass(frozen=True)
class Counts:
    """Pictures with descriptions that are long enough; rounds take the drafts in turns."""
    pictures: int = 24
    rounds: int = 4

    @property
    def apart(self):
        """Pictures between two ways of asking about the same one."""
        return max(1, self.pictures // len(WAYS))


QUICK = Counts(4, 2)
SIZE = (640, 360)
LEAST_TOKENS, MOST_TOKENS = 32, 64   # of an answer
KIND = "describe"
PLAINLY, GUESSING = "a token at a time", "the server's own guesses"
WAYS = {PLAINLY: "plainly", GUESSING: "plainly", "prediction": "prediction", "scoring, then going on": "scoring"}
DRAFTS = ("edge", "cloud")           # whose words: the edge's, or as a bound the cloud's own


class Client:
    """Keeps its connection, as the element does. Used by one thread."""

    def __init__(self, port, question):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=programs.READY_S)
        self._question = question

    def _ask(self, jpeg, beginning=None, **more):
        content = [{"type": "text", "text": self._question},
                   {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()}}]
        request = {"messages": [{"role": "user", "content": content}], "max_tokens": MOST_TOKENS, "temperature": 0, "logprobs": True, **more}
        if beginning is not None:
            request["messages"].append({"role": "assistant", "content": beginning})
            request.update(continue_final_message=True, add_generation_prompt=False)
        self._connection.request("POST", "/v1/chat/completions", json.dumps(request), {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.client.OK:
            raise EvalError("saccade-server refused a question: %s" % answer["error"]["message"])
        return answer["choices"][0], answer["usage"], answer.get("prompt_logprobs")

    def plainly(self, jpeg, _draft):
        choice, usage, _ = self._ask(jpeg)
        return {"text": choice["message"]["content"], "tokens": usage["completion_tokens"], "calls": 1}

    def prediction(self, jpeg, draft):
        choice, usage, _ = self._ask(jpeg, prediction={"type": "content", "content": draft})
        counted = usage["completion_tokens_details"]
        return {"text": choice["message"]["content"], "tokens": usage["completion_tokens"], "calls": 1,
                "accepted": counted["accepted_prediction_tokens"]}

    def scoring(self, jpeg, draft):
        choice, _, scored = self._ask(jpeg, draft, prompt_logprobs=1, max_tokens=1)
        # The token that stands there comes first in its entry.
        tokens = [next(iter(entry.values())) for entry in scored if entry]
        right = next((i for i, token in enumerate(tokens) if token["rank"] != 1), len(tokens))
        if right == len(tokens) and choice["finish_reason"] == "stop" and not choice["message"]["content"]:
            return {"text": draft, "tokens": right, "calls": 1, "accepted": right}
        kept = "".join(token["decoded_token"] for token in tokens[:right]).lstrip()
        kept = kept[:kept.rfind(" ")] if right < len(tokens) and " " in kept else kept   # to the end of a word
        choice, usage, _ = self._ask(jpeg, kept or None, max_tokens=MOST_TOKENS - right)
        return {"text": kept + choice["message"]["content"], "tokens": right + usage["completion_tokens"], "calls": 2, "accepted": right}


def _descriptions(pair, question, pictures):
    """Of one pair, without a link."""
    with programs.real_server(pair, programs.FEW_PICTURES) as server:
        client = Client(server.port, question)
        return [client.plainly(jpeg, None) for jpeg in pictures]


def measure(pairs, clip, question, counts):
    """[{"picture", "round", "way", "draft", "seconds", "text", "tokens", "calls", "accepted"}]"""
    every = jpegs_of(clip, 2 * counts.pictures, *SIZE)
    own, edge = (_descriptions(pairs[role], question, every) for role in ("cloud", "edge"))
    long = [i for i, answer in enumerate(own) if answer["tokens"] >= LEAST_TOKENS][:counts.pictures]
    drafts = {"edge": edge, "cloud": own}
    found = []
    with ExitStack() as stack:
        def client_of(*options):
            server = stack.enter_context(programs.real_server(pairs["cloud"], programs.FEW_PICTURES + options))
            return Client(stack.enter_context(programs.link(server, policies.LINKS[0].words)).port, question)
        # One decodes plainly, one guesses from its last answer to the question, which is about the picture before, and one is given drafts.
        clients = {PLAINLY: client_of("--guesses", 0), GUESSING: client_of()}
        clients.update(dict.fromkeys([way for way in WAYS if way not in clients], client_of()))
        for turn in range(counts.rounds):
            whose = DRAFTS[turn % len(DRAFTS)]
            for step in range(len(long)):
                for k, (way, how) in enumerate(WAYS.items()):   # never the picture of the question before
                    picture = long[(step + counts.apart * k) % len(long)]
                    began = time.monotonic()
                    answer = getattr(clients[way], how)(every[picture], drafts[whose][picture]["text"])
                    found.append({"picture": picture, "round": turn, "way": way, "draft": whose, "seconds": time.monotonic() - began, **answer})
    return found
