"""The whole training, stage by stage: ``make train``.

Each stage is one command of its own that resumes where it was stopped; a stage whose result exists
is passed over quickly. Times are for two CPU cores; ``--scale 0.1`` makes a quick, bad model. The
folder ``model_export/weights`` keeps the shipped model in half precision, for ``--init``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MINUTES = {"tokenizer": 240.0, "lm": 120.0, "vocoder": 30.0, "t2m": 40.0, "vocoder_t2m": 10.0}


def stages(base: Path, scale: float, ranks: int) -> Iterator[list[str]]:
    """The commands, in order, as arguments of ``python -m``."""
    training = "model_export.training"
    minutes = {part: f"{value * scale:.1f}" for part, value in MINUTES.items()}
    both = ["--ranks", str(ranks)]
    processes = ["--processes", str(ranks)]
    voice, codes = str(base / "replies"), str(base / "reply_codes")
    yield [f"{training}.corpus", "--out", str(base / "corpus"), *processes]
    yield [
        f"{training}.decoder", "corpus", "--voice", "flite-slt", "--hours", "4.5",
        "--texts", "../shared/text/clinc_train.jsonl", "--reply-share", "0.88", "--out", voice,
    ]  # fmt: skip
    yield [f"{training}.vocabulary", "--out", str(base / "ranks.tiktoken")]
    yield [
        f"{training}.tokenizer", "--minutes", minutes["tokenizer"], "--voice", voice, *both,
    ]  # fmt: skip
    yield [f"{training}.codes", "commands", "--out", str(base / "codes"), *processes]
    yield [f"{training}.codes", "replies", "--voice", voice, "--out", codes]
    yield [f"{training}.lm", "--minutes", minutes["lm"], "--texts", f"{voice}/texts.jsonl", *both]
    tokens = ["--tokens", f"{codes}.npz"]
    made = [*tokens, "--t2m", str(base / "t2m"), "--init", str(base / "vocoder")]
    # The vocoder ends on the frames that the decoder really makes.
    for part, out, more in (
        ("vocoder", "vocoder", []), ("t2m", "t2m", tokens), ("vocoder", "vocoder_t2m", made),
    ):  # fmt: skip
        yield [
            f"{training}.decoder", part, "--corpus", voice, "--out", str(base / out),
            "--minutes", minutes[out], *more,
        ]  # fmt: skip
    yield ["model_export.release", "--training", str(base)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(".training"))
    parser.add_argument("--scale", type=float, default=1.0, help="of the training times")
    parser.add_argument("--ranks", type=int, default=2, help="processes, one core each")
    args = parser.parse_args()
    for stage in stages(args.base, args.scale, args.ranks):
        print("python -m", *stage, flush=True)
        subprocess.run([sys.executable, "-m", *stage], check=True)


if __name__ == "__main__":
    main()
