"""Checkpoints in torch's own zip format, with nothing in them executed.

``torch.load(weights_only=True)`` builds tensors and plain containers alone and refuses any other
instruction of a pickle; ``mmap=True`` leaves the numbers in the file until they are read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_export.checkpoints.errors import CheckpointError

MAX_PICKLE = 16 << 20  # of the list of tensors, not of their numbers
MAX_MEMBERS = 100_000


class PickledCheckpoint:
    """A dictionary of tensors in one ``.pt`` file.

    Args:
        path: the file.
        inside: names of the dictionaries around it, the outermost first.

    Raises:
        CheckpointError: the file is missing, damaged, would execute something, or holds anything
            but tensors by name.
    """

    def __init__(self, path: Path, inside: tuple[str, ...] = ()) -> None:
        self.where = str(path)
        self.files = (path,)
        _check_zip(path)
        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # torch's reader trusts the list: damage falls out of it anyhow
            raise CheckpointError(
                f"{path}: is refused, nothing in it was executed ({_first_line(error)})"
            ) from error
        for name in inside:
            found = found.get(name) if isinstance(found, Mapping) else None
        self._tensors = _tensors(path, found)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by its name."""
        return {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """A tensor as float32, in memory of its own; see ``rows``."""
        return self._floats(name, self._tensors[name])

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Rows ``start`` to ``stop`` of the first axis as float32.

        Raises:
            CheckpointError: it has values that are not finite.
        """
        return self._floats(name, self._tensors[name][start:stop])

    def _floats(self, name: str, tensor: Tensor) -> npt.NDArray[np.float32]:
        values = tensor.to(torch.float32, copy=True).numpy()
        if not np.isfinite(values).all():
            raise CheckpointError(f"{self.where}: {name} has values that are not finite")
        return np.asarray(values, np.float32)


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:  # a name that is no text
        raise CheckpointError(f"{path}: is cut short or not in torch's zip format") from error
    lists = [item for item in members if item.filename.endswith("data.pkl")]
    if len(lists) != 1 or len(members) > MAX_MEMBERS:
        raise CheckpointError(f"{path}: is a zip file, but no checkpoint of torch")
    if lists[0].file_size > MAX_PICKLE:
        raise CheckpointError(f"{path}: its list of tensors has {lists[0].file_size} bytes")


def _tensors(path: Path, found: object) -> dict[str, Tensor]:
    if not isinstance(found, Mapping) or not found:
        raise CheckpointError(f"{path}: holds no dictionary of tensors")
    size = path.stat().st_size
    for name, item in found.items():
        if not isinstance(name, str) or not isinstance(item, Tensor):
            raise CheckpointError(f"{path}: {str(name)[:100]} is no tensor")
        if item.numel() * item.element_size() > size:
            raise CheckpointError(f"{path}: {name} says it is larger than the file")
        if not item.is_floating_point() or item.layout is not torch.strided:
            raise CheckpointError(f"{path}: {name} holds {item.dtype}, not plain floats")
    return dict(found)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
