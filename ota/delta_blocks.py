"""One block of a file, told as its difference from a block of another: the arithmetic of deltas.

Quantised weights that were trained on a little change by a step or two, nearly all of them: nothing
is left to be matched, but their differences are small numbers. Each method turns a block into bytes
that an entropy coder can make few of; ``encoded`` takes whichever comes out smallest:

* ``copy``: nothing changed, nothing is sent;
* ``nibbles``: 8-bit differences, two to a byte, larger ones apart: int8 weights;
* ``bytes``, ``halves``, ``words``: differences of 8, 16 and 32-bit numbers, by byte planes; the
  wider ones as floats are ordered, so that a small change is a small number;
* ``fresh``: without the other file; ``stored``: as it is.

A decoder takes no more memory than a few blocks, whatever it is given.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt
import zstandard

from ota.errors import Reason, TrustError

BLOCK = 2**20
"""Bytes of target in a block, at most."""
_UNPACKED = 2 * BLOCK
"""Bytes that a payload may decompress to: nibbles with every difference large are 1.5 blocks."""
_ESCAPE = 15
_FAST, _THOROUGH = 1, 3  # levels: entropy coding is all there is to gain on differences

Bytes = npt.NDArray[np.uint8]
Unsigned = npt.NDArray[np.unsignedinteger]


class DeltaError(TrustError):
    """A delta that is none, is damaged, or starts from another file."""

    def __init__(self, problem: str) -> None:
        super().__init__(Reason.WRONG_CONTENT, f"delta: {problem}")


class Method(IntEnum):
    """How a block is told. A number keeps its meaning for ever."""

    COPY = 0
    STORED = 1
    FRESH = 2
    BYTES = 3
    HALVES = 4
    WORDS = 5
    NIBBLES = 6


_WIDTHS = {Method.BYTES: 1, Method.HALVES: 2, Method.WORDS: 4}


def encoded(source: bytes, target: bytes) -> tuple[Method, bytes]:
    """The shortest telling of ``target``; ``source`` has the same length."""
    if source == target:
        return Method.COPY, b""
    found: list[tuple[Method, bytes]] = [
        (Method.STORED, target),
        (Method.FRESH, _packed(target, _THOROUGH)),
    ]
    old, new = np.frombuffer(source, np.uint8), np.frombuffer(target, np.uint8)
    for method, width in _WIDTHS.items():
        found.append((method, _packed(_differences(old, new, width).tobytes(), _FAST)))
    nibbles = _to_nibbles(_differences(old, new, 1))
    found.append((Method.NIBBLES, _packed(nibbles.tobytes(), _FAST)))
    return min(found, key=lambda one: len(one[1]))


def decoded(method: Method, payload: bytes, source: bytes) -> bytes:
    """The block that ``encoded`` was given; ``source`` has its length.

    Raises:
        DeltaError: the payload is damaged, or unpacks to more or less than it should.
    """
    length = len(source)
    if method is Method.COPY:
        found = source if not payload else b""
    elif method is Method.STORED:
        found = payload
    elif method is Method.FRESH:
        found = _unpacked(payload)
    else:
        plain = np.frombuffer(_unpacked(payload), np.uint8)
        if method is Method.NIBBLES:
            plain = _from_nibbles(plain, length)
        if len(plain) != length:
            raise DeltaError("a block has the wrong length")
        found = _restored(np.frombuffer(source, np.uint8), plain, _WIDTHS.get(method, 1)).tobytes()
    if len(found) != length:
        raise DeltaError("a block has the wrong length")
    return found


def _differences(old: Bytes, new: Bytes, width: int) -> Bytes:
    """Zig-zag differences (0, -1, 1, -2 … as 0, 1, 2, 3 …) by byte planes, highest first."""
    whole = len(new) // width * width
    a, b = _ordered(old[:whole], width), _ordered(new[:whole], width)
    signed = (b - a).view(f"<i{width}")
    zigzag = ((signed << 1) ^ (signed >> (8 * width - 1))).view(f"<u{width}")
    planes = zigzag.view(np.uint8).reshape(-1, width)[:, ::-1].T.reshape(-1)
    return np.concatenate([planes, new[whole:] - old[whole:]])


def _restored(old: Bytes, differences: Bytes, width: int) -> Bytes:
    whole = len(old) // width * width
    planes = differences[:whole].reshape(width, -1)[::-1].T
    zigzag = np.ascontiguousarray(planes).reshape(-1).view(f"<u{width}")
    one = zigzag.dtype.type(1)
    # 0 - 1 is all ones, as it should be in unsigned numbers.
    step = (zigzag >> one) ^ (np.zeros_like(zigzag) - (zigzag & one))
    new = _unordered(_ordered(old[:whole], width) + step, width)
    return np.concatenate([new.view(np.uint8), differences[whole:] + old[whole:]])


def _ordered(values: Bytes, width: int) -> Unsigned:
    """Bits of floats as unsigned numbers in the order of the floats; bytes as they are.

    Floats are stored as a sign and a magnitude: without this, numbers around zero lie far apart.
    """
    bits: Unsigned = np.ascontiguousarray(values).view(f"<u{width}")
    if width == 1:
        return bits
    top = bits.dtype.type(1 << (8 * width - 1))
    return np.where(bits & top, ~bits, bits | top)


def _unordered(values: Unsigned, width: int) -> Unsigned:
    if width == 1:
        return values
    top = values.dtype.type(1 << (8 * width - 1))
    return np.where(values & top, values & ~top, ~values)


def _to_nibbles(zigzag: Bytes) -> Bytes:
    """Two to a byte, so that the entropy coder, which spends whole bits, wastes half as many."""
    small = np.minimum(zigzag, _ESCAPE)
    if len(small) % 2:
        small = np.append(small, np.uint8(0))
    return np.concatenate([small[::2] | (small[1::2] << 4), zigzag[zigzag >= _ESCAPE]])


def _from_nibbles(packed: Bytes, length: int) -> Bytes:
    pairs = packed[: (length + 1) // 2]
    small = np.empty(2 * len(pairs), np.uint8)
    small[::2], small[1::2] = pairs & 15, pairs >> 4
    small = small[:length]
    large = small == _ESCAPE
    escaped = packed[len(pairs) :]
    if len(small) != length or np.count_nonzero(large) != len(escaped):
        raise DeltaError("a block has the wrong length")
    small[large] = escaped
    return small


def _packed(data: bytes, level: int) -> bytes:
    return zstandard.ZstdCompressor(level=level).compress(data)


def _unpacked(payload: bytes) -> bytes:
    """Decompress one frame. What it says of its own size is not believed."""
    reader = zstandard.ZstdDecompressor(max_window_size=_UNPACKED).stream_reader(payload)
    try:
        found: bytes = reader.read(_UNPACKED + 1)
    except zstandard.ZstdError as error:
        raise DeltaError("a block is damaged or unpacks to too much") from error
    if len(found) > _UNPACKED:
        raise DeltaError("a block unpacks to too much")
    return found
