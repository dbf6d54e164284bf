"""A bundle on a module, from its manifest alone: nothing is opened but that one file."""

from __future__ import annotations

from pathlib import Path

from device.engine.addresses import byte_size
from device.engine.states import fixed_dims
from device.errors import BadManifest
from device.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, STEP_BYTES, Manifest, Part
from services.plan.estimate import Estimate, of_stored, past_rows
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

    The manifest says what a step reads of the weights; one that does not is taken at its files'
    word, though the embedding is in them and a step reads one row of it.
    """
    lm, stored = manifest.parts["lm"], sum(entry.bytes for entry in manifest.stored())
    schedule = manifest.schedule
    needed = AUDIO_TOKENS_S * (schedule.text + schedule.audio) / schedule.audio
    longest = lm.profile.get("P", (0, 0, 0))[2]
    row = _row_bytes(lm)
    step = (_weights(manifest) + row * past_rows(needed, longest)) / 1e9
    memory = (stored + row * longest) / 1e9
    return of_stored(manifest.family, lm.precision, memory, step, needed, module)


def _weights(manifest: Manifest) -> int:
    """Bytes of the language model that a step reads."""
    # External weights of a part are files of the bundle that begin with its name.
    own = [e.bytes for e in manifest.files.values() if Path(e.file).name.startswith("lm.")]
    whole = manifest.parts["lm"].bytes + sum(own)
    said = manifest.config.get(STEP_BYTES)
    return said if type(said) is int and 0 < said <= whole else whole


def _row_bytes(part: Part) -> int:
    """Of cache for one position."""
    return sum(
        byte_size(fixed_dims(tensor.dims[1:]), tensor.numpy_dtype.itemsize)
        for tensor in part.state
        if tensor.is_cache
    )
