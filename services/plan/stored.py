"""A bundle on a module, from its manifest alone: nothing is opened but that one file."""

from __future__ import annotations

from pathlib import Path

from device.engine.addresses import byte_size
from device.engine.states import fixed_dims
from device.errors import BadManifest
from device.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, Part
from services.plan.estimate import Estimate, of_stored
from services.plan.modules import Module

AUDIO_TOKENS_S = 12.5  # of every family that is bundled
FAMILIES = ("linnet_mini", "glm_4_voice")


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of a bundle, whose files need not be there.

    Raises:
        BadManifest: it is missing, no manifest, or of a family whose token rate is not known.
    """
    path = bundle / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            manifest = Manifest.parse(file.read(MAX_MANIFEST_BYTES + 1), str(path))
    except OSError as error:
        raise BadManifest(str(path), f"cannot be read: {error}", "name a bundle") from error
    if manifest.family not in FAMILIES or "lm" not in manifest.parts:
        problem = f"is of the family {manifest.family}, whose rate is not known"
        raise BadManifest(str(path), problem, f"name a bundle of {' or '.join(FAMILIES)}")
    return manifest


def estimate_stored(manifest: Manifest, module: Module) -> Estimate:
    """What is bundled, on one module.

    A part's file stands for what a step reads of it: the embedding is in it, though a step reads
    one row, so the bound is a little lower than that of the tables.
    """
    lm, stored = manifest.parts["lm"], sum(entry.bytes for entry in manifest.stored())
    schedule = manifest.schedule
    needed = AUDIO_TOKENS_S * (schedule.text + schedule.audio) / schedule.audio
    # External weights of a part are files of the bundle that begin with its name.
    own = [e.bytes for e in manifest.files.values() if Path(e.file).name.startswith("lm.")]
    step = (lm.bytes + sum(own)) / 1e9
    memory = (stored + _caches(lm)) / 1e9
    return of_stored(manifest.family, lm.precision, memory, step, needed, module)


def _caches(part: Part) -> int:
    """Bytes of caches for the longest past of the profile; none where it does not say."""
    total = 0
    for tensor in part.state:
        if tensor.is_cache:
            rows = part.profile.get(str(tensor.dims[0]), (0, 0, 0))[2]
            total += rows * byte_size(fixed_dims(tensor.dims[1:]), tensor.numpy_dtype.itemsize)
    return total
