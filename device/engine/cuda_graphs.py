"""CUDA graphs by the driver's own C functions: pycuda has none.

Only the handle of a stream is needed, so this works beside whatever made it. Captured in
thread-local mode: what other threads do meanwhile, a sound driver say, is none of its business.
"""

from __future__ import annotations

import ctypes
from typing import Any

from device.errors import CudaError

LIBRARY = "libcuda.so.1"
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
_HANDLE, _OUT = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
# Every one returns a CUresult, 0 for success. All are there since CUDA 11.4.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuStreamBeginCapture_v2": (_HANDLE, ctypes.c_int),
    "cuStreamEndCapture": (_HANDLE, _OUT),
    "cuGraphInstantiateWithFlags": (_OUT, _HANDLE, ctypes.c_ulonglong),
    "cuGraphLaunch": (_HANDLE, _HANDLE),
    "cuGraphDestroy": (_HANDLE,),
    "cuGraphExecDestroy": (_HANDLE,),
}


class DriverGraphs:
    """Captures streams of the context that is current to the calling thread.

    Raises:
        CudaError: there is no driver, or an older one than these functions.
    """

    def __init__(self, library: str = LIBRARY) -> None:
        try:
            driver = ctypes.CDLL(library)
            self._functions = {name: getattr(driver, name) for name in _FUNCTIONS}
        except (OSError, AttributeError) as error:
            raise CudaError(library, f"cannot be used: {error}", "install the driver") from error
        for name, arguments in _FUNCTIONS.items():
            # Without these a handle would be cut to 32 bits.
            self._functions[name].argtypes = arguments
            self._functions[name].restype = ctypes.c_int

    def _do(self, name: str, *arguments: Any) -> None:
        result = self._functions[name](*arguments)
        if result:
            raise CudaError(name, f"failed with CUresult {result}", "see cuda.h for its meaning")

    def begin(self, stream: int) -> None:
        """Record what is put on ``stream`` from now on."""
        self._do("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)

    def end(self, stream: int) -> int:
        """What was recorded, ready to be launched."""
        graph, ready = ctypes.c_void_p(), ctypes.c_void_p()
        self._do("cuStreamEndCapture", stream, ctypes.byref(graph))
        try:
            self._do("cuGraphInstantiateWithFlags", ctypes.byref(ready), graph, 0)
        finally:
            self._do("cuGraphDestroy", graph)
        return int(ready.value or 0)

    def launch(self, graph: int, stream: int) -> None:
        """Do what was recorded."""
        self._do("cuGraphLaunch", graph, stream)

    def destroy(self, graph: int) -> None:
        """Give a graph back."""
        self._do("cuGraphExecDestroy", graph)
