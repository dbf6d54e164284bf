"""Speech tokens → mel and pitch: causal convolutions at 12.5 Hz, then at 100 Hz.

Workflow: token embedding → convolution blocks at the token rate (the first one sees LOOKAHEAD
tokens ahead, so frames come that many tokens late) → every token opens into 8 frames → convolution
blocks at the frame rate → log-mel, log f0 and voicing. All memory is explicit state, so any
chunking of the tokens gives the same frames. End an utterance with LOOKAHEAD tokens of
``config.pad``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from device.sound.mel import N_MELS
from model_export.families.linnet_mini.causal import CausalConv, ConvBlock
from model_export.families.linnet_mini.vocoder import (
    LOG_F0_MEAN,
    LOG_F0_SCALE,
    MEL_MEAN,
    MEL_SCALE,
    PITCH,
)

LOOKAHEAD = 2  # tokens the frames lag behind the tokens
TOKEN_FRAMES = 8  # frames of 10 ms in one token

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class SpeechDecoderConfig:
    """Widths, and depths in blocks; ``codes`` is the size of the tokenizer's codebook."""

    codes: int = 1024
    dim: int = 256
    hidden: int = 512
    layers: int = 3
    kernel: int = 5  # tokens: LOOKAHEAD ahead, the present, two behind
    frame_dim: int = 160
    frame_hidden: int = 320
    frame_layers: int = 3
    frame_kernel: int = 7

    @property
    def pad(self) -> int:
        """The token that says nothing: before the first and after the last."""
        return self.codes


class SpeechDecoder(nn.Module):
    """About 2 M weights; output is in natural units (log power, log Hz, probability)."""

    def __init__(self, config: SpeechDecoderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or SpeechDecoderConfig()
        self.embed = nn.Embedding(c.codes + 1, c.dim)
        self.enter = CausalConv(c.dim, c.dim, c.kernel)
        self.slow = nn.ModuleList(ConvBlock(c.dim, c.hidden, c.kernel) for _ in range(c.layers))
        self.open = nn.Linear(c.dim, TOKEN_FRAMES * c.frame_dim)
        self.fast = nn.ModuleList(
            ConvBlock(c.frame_dim, c.frame_hidden, c.frame_kernel) for _ in range(c.frame_layers)
        )
        self.norm = nn.LayerNorm(c.frame_dim)
        self.head = nn.Linear(c.frame_dim, N_MELS + PITCH)

    def state(self, batch: int = 1) -> State:
        """What a stream starts from; the order of ``state_names``."""
        return (self.enter.tail(batch), *(b.tail(batch) for b in self._blocks()))

    def state_names(self) -> tuple[str, ...]:
        """Graph input names of the state tensors; outputs are the same with ``_out``."""
        count = 1 + self.config.layers + self.config.frame_layers
        return tuple(f"conv_state_{i}" for i in range(count))

    def _blocks(self) -> list[ConvBlock]:
        return [b for b in (*self.slow, *self.fast) if isinstance(b, ConvBlock)]

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """tokens int64 [B, n] → mel [B, 80, 8n], pitch [B, 2, 8n], LOOKAHEAD tokens late."""
        x, tail = self.enter.step(self.embed(tokens).transpose(1, 2), state[0])  # [B, dim, n]
        after = [tail]
        for i, (block, tail) in enumerate(zip(self._blocks(), state[1:], strict=True)):
            if i == self.config.layers:
                x = self._open(x)
            x, tail = block.step(x, tail)
            after.append(tail)
        out = self.head(self.norm(x.transpose(1, 2))).transpose(1, 2)  # [B, 82, 8n]
        mel = out[:, :N_MELS] * MEL_SCALE + MEL_MEAN
        log_f0 = out[:, N_MELS : N_MELS + 1] * LOG_F0_SCALE + LOG_F0_MEAN
        pitch = torch.cat([log_f0, out[:, N_MELS + 1 :].sigmoid()], dim=1)
        return mel, pitch, tuple(after)

    def _open(self, x: Tensor) -> Tensor:
        """[B, dim, n] → [B, frame_dim, 8n]."""
        y: Tensor = self.open(x.transpose(1, 2))  # [B, n, 8 * frame_dim]
        return y.reshape(y.shape[0], -1, self.config.frame_dim).transpose(1, 2)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Whole utterances: int64 [B, n] → mel [B, 80, 8n], pitch [B, 2, 8n], in time with them."""
        ends = torch.full_like(tokens[:, :1], self.config.pad).expand(-1, LOOKAHEAD)
        mel, pitch, _ = self.step(torch.cat([tokens, ends], dim=1), self.state(tokens.shape[0]))
        skip = LOOKAHEAD * TOKEN_FRAMES
        return mel[:, :, skip:], pitch[:, :, skip:]
