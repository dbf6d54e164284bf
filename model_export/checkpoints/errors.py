"""What can be wrong with a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from model_export.onnx_graph import ExportError


class CheckpointError(ExportError):
    """A checkpoint that cannot be used. Nothing of it was executed and nothing was written."""


class WrongLayout(CheckpointError):
    """Tensors that are missing, too many or of another shape; ``problems`` has all of them."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        shown = "\n  ".join(problems)
        super().__init__(
            f"{where}: is not the model that was expected ({len(problems)} differences); "
            f"fetch it again, or name the right folder\n  {shown}"
        )
        self.problems = tuple(problems)
