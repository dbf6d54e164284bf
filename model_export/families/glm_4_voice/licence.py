"""What the published weights may be used for. Said on every export and put in every bundle."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

MAX_FILE = 1 << 20  # bytes of a licence
MAX_NAME = 100  # characters; a manifest takes 128, and more is put behind
LICENCE = "glm-4-voice License"
NOTICE = (
    "Built with glm-4. This bundle is made from the weights of GLM-4-Voice by Zhipu AI (tokenizer, "
    "9B language model, decoder) and falls under their licence: free for academic research; "
    "commercial use only after registration at open.bigmodel.cn/mla/form; not sublicensable, "
    "revocable; no military or unlawful use. Whoever passes the bundle on must pass on the licence "
    'and show "Built with glm-4"; a model derived from it must have a name that begins with '
    '"glm-4". The tokenizer derives from whisper-large-v3. Linnet itself is Apache-2.0 and holds '
    "none of these weights."
)


def licence_files(folders: Mapping[str, Path]) -> dict[str, Path]:
    """The licence files of all folders, by names that do not collide: ``LICENSE.lm``.

    A folder may hold names such as ``LICENSE (1).txt``, which a manifest does not take.
    """
    found: dict[str, Path] = {}
    for role, folder in folders.items():
        for path in sorted(folder.iterdir()):
            if _is_licence(path):
                found[_free_name(f"{_plain(path.name)}.{role}", found)] = path
    return found


def _is_licence(path: Path) -> bool:
    named = path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE"))
    return named and path.is_file() and path.stat().st_size <= MAX_FILE


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)[:MAX_NAME]


def _free_name(name: str, taken: Mapping[str, Path]) -> str:
    """``LICENSE.lm``, or ``LICENSE.lm.2`` where that is taken."""
    if name not in taken:
        return name
    return next(free for n in count(2) if (free := f"{name}.{n}") not in taken)


def copied(licences: Mapping[str, Path], place: Path) -> dict[str, Path]:
    """Copies in ``place`` as a bundle takes them: ``licence``, ``licence.2`` and so on."""
    made = {}
    for number, (name, path) in enumerate(licences.items(), 1):
        key = "licence" if number == 1 else f"licence.{number}"
        made[key] = Path(shutil.copyfile(path, place / name))
    return made
