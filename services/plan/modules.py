"""The Orin modules, by their data sheets: nominal figures, not one of them measured by us.

TOPS are dense INT8 of the GPU alone; NVIDIA advertises sparse ones with the DLA's. "Super" is the
power mode of JetPack 6.2 and later on the same module.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """One module: memory and its speed in 10^9 bytes, and 10^12 operations per second."""

    name: str
    title: str
    memory_gb: float
    gb_s: float
    int8_tops: float


MODULES = {
    module.name: module
    for module in (
        Module("nano-4", "Orin Nano 4 GB", 4, 34, 10),
        Module("nano-4-super", "Orin Nano 4 GB Super", 4, 51, 17),
        Module("nano-8", "Orin Nano 8 GB", 8, 68, 20),
        Module("nano-8-super", "Orin Nano 8 GB Super", 8, 102, 33),
        Module("nx-8", "Orin NX 8 GB", 8, 102.4, 25),
        Module("nx-16", "Orin NX 16 GB", 16, 102.4, 30),
        Module("nx-16-super", "Orin NX 16 GB Super", 16, 102.4, 38),
        Module("agx-32", "AGX Orin 32 GB", 32, 204.8, 54),
        Module("agx-64", "AGX Orin 64 GB", 64, 204.8, 85),
    )
}
