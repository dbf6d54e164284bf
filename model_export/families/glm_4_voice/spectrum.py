"""Short Fourier transforms of 16 samples as convolutions: no complex numbers, no FFT operator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE, HOP = 16, 4
BINS = SIZE // 2 + 1  # 9; real parts, then imaginary parts: 18 channels
_TRIM = SIZE // 2


def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """Periodic Hann [16], cos and -sin of bin and sample [9, 16], in double precision."""
    n = torch.arange(SIZE, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2 * torch.pi * n / SIZE)
    angle = 2 * torch.pi * torch.arange(BINS)[:, None] * n / SIZE
    return hann, angle.cos(), -angle.sin()


class Stft(nn.Module):
    """Centred frames every 4 samples, mirrored at both ends."""

    def __init__(self) -> None:
        super().__init__()
        hann, cos, sin = _tables()
        filters = (torch.cat([cos, sin]) * hann).float()[:, None]  # [18, 1, 16]
        self.register_buffer("filters", filters, persistent=False)
        self.filters: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 4 n] → [B, 18, n + 1]."""
        return F.conv1d(F.pad(x, (_TRIM, _TRIM), mode="reflect"), self.filters, stride=HOP)


class InverseStft(nn.Module):
    """Frames laid over each other and divided by the windows' overlap."""

    def __init__(self) -> None:
        super().__init__()
        hann, cos, sin = _tables()
        twice = torch.full((BINS, 1), 2.0, dtype=torch.float64)  # for the mirrored half …
        twice[0] = twice[-1] = 1.0  # … which the first and the last bin do not have
        filters = torch.cat([twice * cos, twice * sin]) * hann / SIZE
        overlap = 1.5  # of four squared Hann windows a quarter of their length apart
        self.register_buffer("filters", (filters / overlap).float()[:, None], persistent=False)
        # One window is missing over the first four samples, and one over the last four.
        first, last = 1 - hann[-HOP:] ** 2 / overlap, 1 - hann[:HOP] ** 2 / overlap
        self.register_buffer("first", first.reciprocal().float(), persistent=False)
        self.register_buffer("last", last.reciprocal().float(), persistent=False)
        self.filters: Tensor
        self.first: Tensor
        self.last: Tensor

    def forward(self, spectrum: Tensor) -> Tensor:
        """[B, 18, n + 1] → [B, 4 n]."""
        laid = F.conv_transpose1d(spectrum, self.filters, stride=HOP)[:, 0, _TRIM:-_TRIM]
        ends = laid[:, :HOP] * self.first, laid[:, -HOP:] * self.last
        return torch.cat([ends[0], laid[:, HOP:-HOP], ends[1]], dim=1)
