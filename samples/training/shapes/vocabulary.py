"""The vocabulary of a pair with random weights: our byte-level BPE, the family's special tokens, and unused ones.

It is learned from the few sentences below, so that a pair's bytes do not change when the street world learns a word.
Tokens that an answer may consist of come first: printable ASCII, so that whatever the random weights say is text.
"""

import dataclasses
import functools

from tokenizer import BYTE_OF_LETTER, SPECIALS, Tokenizer

TEXTS = (
    "What colour is the traffic light?", "How many people are there?", "Is it day or night?", "Is the path clear?",
    "Describe what you see.", "What has changed since the last picture?", "Which way does the car move?",
    "There is a red car on the left and a person near the zebra crossing.", "The light turned green.",
    "yes no none red yellow green blue white black left right nothing somebody",
    "user assistant model system", "one two three four five six seven eight nine ten",
)
SPACE = "\u2581"   # SentencePiece's letter for it
TINY_STEP = 64     # tokens; matrix kernels like whole blocks


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    texts: list        # as the file has them
    kinds: list        # names of gguf.TokenType
    scores: list       # for SentencePiece only
    merges: list       # for BPE only
    live: int          # the first so many tokens may be part of an answer


@functools.lru_cache(maxsize=None)
def _learned():
    return Tokenizer.learn(TEXTS)


def _bytes_of(token):
    return bytes(BYTE_OF_LETTER[letter] for letter in token)


def _ordinary():
    """Every token of the learned vocabulary that is text, as (token, bytes)."""
    tokens = [token for token in _learned().tokens if token not in SPECIALS and not token.startswith("<|unused_")]
    return [(token, _bytes_of(token)) for token in tokens]


def _printable(raw):
    return all(32 <= byte < 127 for byte in raw)


def _byte_level(words):
    pieces = sorted(_ordinary(), key=lambda piece: not _printable(piece[1]))   # stable: printable ones first
    live = sum(_printable(raw) for _, raw in pieces)
    texts = [token for token, _ in pieces] + list(words.specials)
    kinds = ["NORMAL"] * len(pieces) + ["CONTROL"] * len(words.specials)
    return texts, kinds, [], ["%s %s" % pair for pair in _learned().merges], live


def _sentence_piece(words):
    pieces = [raw.decode("ascii") for _, raw in _ordinary() if _printable(raw)]
    live = len(pieces)
    pieces += ["\n", "\n\n"]
    texts = [piece.replace(" ", SPACE) for piece in pieces] + ["<0x%02X>" % byte for byte in range(256)]
    kinds = ["NORMAL"] * len(pieces) + ["BYTE"] * 256
    scores = [-float(k) for k in range(len(texts))]   # pieces stand in the order in which they were merged
    for special in words.specials:
        texts.append(special)
        kinds.append("UNKNOWN" if special == "<unk>" else "CONTROL")
        scores.append(0.0)
    return texts, kinds, scores, [], live


def vocabulary(words, size=0):
    """`size` tokens; 0 = no more than needed."""
    texts, kinds, scores, merges, live = (_byte_level if words.pre else _sentence_piece)(words)
    size = size or -(-len(texts) // TINY_STEP) * TINY_STEP
    if len(texts) > size:
        raise ValueError("a vocabulary of %d tokens has no room for %d" % (size, len(texts)))
    unused = range(len(texts), size)
    return Vocabulary(texts + ["<|unused_%d|>" % k for k in unused], kinds + ["UNUSED"] * len(unused),
                      scores + [0.0] * len(unused) if scores else [], merges, live)


def describe(w, gguf, words, vocab):
    """Writes the vocabulary and the chat template."""
    w.add_tokenizer_model("gpt2" if words.pre else "llama")
    w.add_tokenizer_pre(words.pre or "default")
    w.add_token_list(vocab.texts)
    w.add_token_types([gguf.TokenType[kind] for kind in vocab.kinds])
    if words.pre:
        w.add_token_merges(vocab.merges)
    else:
        w.add_token_scores(vocab.scores)
        w.add_add_space_prefix(False)
        w.add_unk_token_id(vocab.texts.index("<unk>"))
    if words.bos:
        w.add_bos_token_id(vocab.texts.index(words.bos))
    w.add_eos_token_id(vocab.texts.index(words.eos))
    w.add_pad_token_id(vocab.texts.index(words.pad))
    w.add_add_bos_token(words.add_bos)
    w.add_add_eos_token(False)
    w.add_chat_template(words.template)
