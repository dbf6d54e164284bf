"""The speech models by their parts: parameters, how often they are read, and what they keep.

Only what runs once for each token counts for speed: a language model is bound by the bytes it
reads, the rest by arithmetic. Counts are of published checkpoints or follow from their shapes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """A part that writes one token after the other.

    Attributes:
        body, head: 10^9 parameters that each step reads; the embedding, one row of it, not counted.
        per_s: steps in a second of speech.
        main: the one that INT4 is for; the others stay INT8 there.
        row_bytes: of fp16 cache that a step adds; 0 where it is cut back each time.
    """

    name: str
    body: float
    head: float
    per_s: float
    main: bool = True
    row_bytes: int = 0


@dataclass(frozen=True)
class Family:
    """A speech model.

    Attributes:
        embedding: 10^9 parameters of tables, kept in fp16.
        others: 10^9 parameters of encoders, decoders and vocoders, kept in fp16.
        positions: steps of the main part that the caches are kept of.
        note: what the figures do not say.
    """

    name: str
    title: str
    streams: tuple[Stream, ...]
    embedding: float
    others: float
    positions: int
    note: str = ""

    @property
    def main(self) -> Stream:
        """The part whose tokens are counted."""
        return next(stream for stream in self.streams if stream.main)

    @property
    def row_bytes(self) -> float:
        """Bytes of cache for one position, with the steps of the other parts meanwhile."""
        main = self.main.per_s
        return sum(s.row_bytes * max(s.per_s / main, 1.0) for s in self.streams)


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "linnet-mini", "the built-in model",
            (Stream("language model", 0.00445, 0.00048, 18.75, row_bytes=6_144),),
            embedding=0.00048, others=0.0062, positions=512,
            note="waits for launches of kernels, not for memory",
        ),
        Family(
            "glm-4-voice", "GLM-4-Voice 9B",
            (Stream("language model", 8.158, 0.692, 18.75, row_bytes=40_960),),
            embedding=0.692, others=0.475, positions=8192,
            note="13 text : 26 audio tokens, 12.5 audio tokens a second",
        ),
        Family(
            "chroma", "FlashLabs Chroma 1.0",
            (
                Stream("thinker", 2.775, 0.311, 6.25, row_bytes=36_864),
                Stream("backbone", 0.977, 0.0, 12.5, main=False, row_bytes=32_768),
                Stream("depth decoder", 0.113, 0.0, 87.5, main=False),
            ),
            embedding=0.36, others=0.717, positions=1024,
            note="while text lasts; after it about half",
        ),
        Family(
            "fun-audio-chat", "Fun-Audio-Chat 8B",
            (
                Stream("language model", 6.947, 0.622, 5.0, row_bytes=147_456),
                Stream("speech head", 0.506, 0.027, 25.0, main=False, row_bytes=114_688),
            ),
            embedding=0.622, others=1.05, positions=2048,
            note="the flow decoder's arithmetic is not counted and may be what binds",
        ),
        Family(
            "step-audio-tts", "Step-Audio TTS 3B",
            (Stream("language model", 3.07, 0.23, 41.67, row_bytes=32_768),),
            embedding=0.23, others=0.7, positions=4096,
            note="a synthesiser: it needs a model that listens and thinks beside it",
        ),
        Family(
            "step-audio-chat", "Step-Audio Chat 130B",
            (Stream("language model", 130.06, 0.92, 4.0, row_bytes=360_448),),
            embedding=0.92, others=0.7, positions=2048,
            note="writes text alone; four tokens a second is the pace of English",
        ),
        Family(
            "hertz", "hertz-dev 8.5B",
            (Stream("language model", 8.4, 0.0, 8.0, row_bytes=655_360),),
            embedding=0.0, others=0.1, positions=2048,
            note="sound only: it can make no calls",
        ),
        Family(
            "omniflatten", "OmniFlatten 0.5B",
            (Stream("language model", 0.358, 0.136, 60.0, row_bytes=12_288),),
            embedding=0.0, others=0.2, positions=8192,
            note="12 of 22 tokens a chunk are written, at 50 Hz; no weights are published",
        ),
        Family(
            "cosyvoice2", "CosyVoice 2 0.5B",
            (Stream("language model", 0.358, 0.136, 100 / 3, row_bytes=12_288),),
            embedding=0.0, others=0.2, positions=4096,
            note="a synthesiser, the voice of a cascade",
        ),
    )
}  # fmt: skip
