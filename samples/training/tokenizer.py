"""Byte-level BPE as llama.cpp reads it: tokenizer.ggml.model = gpt2, tokenizer.ggml.pre = smollm.

The vocabulary is learned from the questions, so that a word of the street world is one
token; any other text falls back to bytes.
"""

import collections
import json
import unicodedata

BOS, EOS, PAD = "<|im_start|>", "<end_of_utterance>", "<|endoftext|>"
FAKE, GLOBAL, IMAGE = "<fake_token_around_image>", "<global-img>", "<image>"
TILES = tuple("<row_%d_col_%d>" % (r, c) for r in range(1, 7) for c in range(1, 7))
SPECIALS = (PAD, BOS, EOS, FAKE, GLOBAL, IMAGE) + TILES
VOCABULARY = 900   # merges at most; the texts of the street need fewer
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def _byte_letters():
    """GPT-2's printable stand-in for every byte."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, spare = {}, 256
    for byte in range(256):
        if byte in plain:
            table[byte] = chr(byte)
        else:
            table[byte], spare = chr(spare), spare + 1
    return table


LETTER_OF_BYTE = _byte_letters()
BYTE_OF_LETTER = {letter: byte for byte, letter in LETTER_OF_BYTE.items()}


def _kind(char):
    if char.isspace():
        return "s"
    first = unicodedata.category(char)[0]
    return first if first in "LN" else "o"


def _split_fragment(text):
    """GPT-2's pattern over a text without digits."""
    pieces, i = [], 0
    while i < len(text):
        start = i
        short = next((c for c in CONTRACTIONS if text.startswith(c, i)), None)
        if short:
            i += len(short)
        else:
            j = i + 1 if text[i] == " " and i + 1 < len(text) and _kind(text[i + 1]) != "s" else i
            kind = _kind(text[j])
            if kind == "s":   # white space, less its last character when a word follows
                while j < len(text) and _kind(text[j]) == "s":
                    j += 1
                i = j if j == len(text) or j == i + 1 else j - 1
            else:
                while j < len(text) and _kind(text[j]) == kind:
                    j += 1
                i = j
        pieces.append(text[start:i])
    return pieces


def split_words(text):
    """smollm: every digit stands alone, the rest is cut like GPT-2's."""
    pieces, fragment = [], ""
    for char in text:
        if _kind(char) == "N":
            pieces += _split_fragment(fragment) + [char]
            fragment = ""
        else:
            fragment += char
    return pieces + _split_fragment(fragment)


def _letters(word):
    return tuple(LETTER_OF_BYTE[b] for b in word.encode("utf-8"))


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self._rank = {pair: k for k, pair in enumerate(self.merges)}
        self.tokens = list(SPECIALS) + [LETTER_OF_BYTE[b] for b in range(256)]
        known = set(self.tokens)
        for left, right in self.merges:
            if left + right not in known:
                known.add(left + right)
                self.tokens.append(left + right)
        while len(self.tokens) % 64:   # matrix kernels like whole blocks
            self.tokens.append("<|unused_%d|>" % len(self.tokens))
        self.id_of = {token: k for k, token in enumerate(self.tokens)}
        self._words = {}

    @classmethod
    def learn(cls, texts, limit=VOCABULARY):
        """Merges the most frequent pair until every word is whole (or `limit` is reached)."""
        count = collections.Counter(w for t in texts for w in split_words(t))
        count.update({"User": 50, "Assistant": 50})
        words = {w: list(_letters(w)) for w in count}
        merges = [(LETTER_OF_BYTE[10], LETTER_OF_BYTE[10])]   # "\n\n" is one token: libmtmd looks it up
        while len(merges) < limit:
            pairs = collections.Counter()
            for word, parts in words.items():
                for pair in zip(parts, parts[1:]):
                    pairs[pair] += count[word]
            if not pairs:
                break
            best = min(pairs, key=lambda p: (-pairs[p], p))
            merges.append(best)
            for word, parts in words.items():
                words[word] = _merge(parts, best)
        return cls(merges)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"merges": self.merges}, f, ensure_ascii=False)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as f:
            return cls(json.load(f)["merges"])

    def encode(self, text):
        """Plain text; special tokens in it are not recognised, use `ids` for those."""
        out = []
        for word in split_words(text):
            if word not in self._words:
                parts = list(_letters(word))
                while len(parts) > 1:
                    best = min(zip(parts, parts[1:]), key=lambda p: self._rank.get(p, 1 << 30))
                    if best not in self._rank:
                        break
                    parts = _merge(parts, best)
                self._words[word] = [self.id_of[p] for p in parts]
            out += self._words[word]
        return out

    def ids(self, *pieces):
        """Pieces that are exactly a special token become it; the others are encoded as text."""
        out = []
        for piece in pieces:
            out += [self.id_of[piece]] if piece in SPECIALS else self.encode(piece)
        return out

    def decode(self, ids):
        """Text of the ids; special tokens are left out."""
        raw = bytearray()
        for k in ids:
            token = self.tokens[k]
            if token not in SPECIALS and not token.startswith("<|unused_"):
                raw += bytes(BYTE_OF_LETTER[c] for c in token)
        return raw.decode("utf-8", errors="replace")


def _merge(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out
