"""What the published weights may be used for. Said on every export and put in every bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

MAX_FILE = 1 << 20  # bytes of a licence
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
    """The licence files of all folders, by names that do not collide: ``LICENSE.lm``."""
    return {
        f"{path.name}.{role}": path
        for role, folder in folders.items()
        for path in sorted(folder.iterdir())
        if path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE"))
        and path.is_file()
        and path.stat().st_size <= MAX_FILE
    }


def copied(licences: Mapping[str, Path], place: Path) -> dict[str, Path]:
    """Copies in ``place`` as a bundle takes them: ``licence``, ``licence.2`` and so on."""
    made = {}
    for number, (name, path) in enumerate(licences.items(), 1):
        key = "licence" if number == 1 else f"licence.{number}"
        made[key] = Path(shutil.copyfile(path, place / name))
    return made
