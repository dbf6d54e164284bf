"""Runs a TensorRT plan, state on the GPU: the backend of a Jetson.

One step: the inputs go to page-locked memory and from there to the device, the past is read where
it lies, padded to a bucket that the mask hides, new rows are written where they belong, and only
the outputs come back. A kind of step that comes again is captured as a CUDA graph and launched from
then on, for models of this size wait for launches and not for arithmetic.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from device.engine import buckets
from device.engine.contract import Array, EngineSpec, State
from device.engine.device_state import DeviceState, StateLayout
from device.engine.feeds import FeedCheck
from device.engine.host_copy import download, upload
from device.engine.inference_thread import InferenceThread
from device.engine.states import Rows, fixed_dims
from device.engine.tensorrt_load import LoadedPlan, Shape
from device.engine.tensorrt_log import TensorRT
from device.engine.tensorrt_session import Session
from device.errors import BadFeed, EngineRunError, StateError

SPARE_STATES = 2  # of one size, kept for the next turn: the graphs captured with them fit it


class TensorRtEngine:
    """One part, deserialised and ready to run; may be called from any thread, one at a time.

    Args:
        trt: the ``tensorrt`` module.
        spec: what the manifest says of the part.
        plan: the file that was built for it on this machine.
        thread: the one that owns the GPU.
        graphs: False runs every step eagerly.

    Raises:
        EngineLoadError, CudaError: see ``Session``.
    """

    backend = "tensorrt"

    def __init__(
        self,
        trt: TensorRT,
        spec: EngineSpec,
        plan: Path,
        thread: InferenceThread,
        graphs: bool = True,
    ) -> None:
        self.spec, self._thread, self._graphs = spec, thread, graphs
        self._past = buckets.PastDim.of(spec)
        self._feeds = FeedCheck(spec.part, spec.inputs)
        self._all_feeds = FeedCheck(spec.part, spec.graph_inputs)
        self._states: weakref.WeakSet[DeviceState] = weakref.WeakSet()
        self._spare: dict[_Size, list[tuple[StateLayout, int]]] = {}
        self._session: Session | None = thread.call(Session, trt, spec, plan, thread.cuda)

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise EngineRunError(self.spec.part, "is closed", "open it again")
        return self._session

    @property
    def plan(self) -> LoadedPlan:
        """The plan. Raises EngineRunError once the engine is closed."""
        return self._open.plan

    @property
    def device_bytes(self) -> int:
        """Device memory held beside the plan's own weights."""
        return self._open.arena.held

    @property
    def captured(self) -> int:
        """Kinds of steps that were captured."""
        return len(self._open.graphs)

    def inspect(self) -> str:
        """TensorRT's own description of the plan's layers, as JSON; see ``inspector``."""
        return self._thread.call(self._open.inspect)

    def new_state(self, max_len: int, window: int | None = None) -> DeviceState:
        """Empty caches and tails of zeros; see ``Engine.new_state``."""
        return self._thread.call(self._new_state, Rows(max_len, window))

    def _new_state(self, rows: Rows) -> DeviceState:
        session, size = self._open, (rows.max_len, rows.window)
        spare = self._spare.get(size)
        if spare:
            layout, address = spare.pop()
        else:
            longest = max(rows.max_len, *self._buckets(rows))
            layout = StateLayout.of(self.spec.state, longest, session.new_rows, rows.window)
            address = session.arena.alloc(layout.size)
        # Finite padding; and nothing of one conversation is left for the next.
        session.cuda.zero(address, max(layout.size, 1), session.stream)
        state = DeviceState(layout, address, rows)
        self._states.add(state)
        give_back = partial(self._give_back, size, layout, address)
        # A state may be dropped on any thread; its memory belongs to this one.
        weakref.finalize(state, self._thread.later, give_back).atexit = False
        return state

    def _give_back(self, size: _Size, layout: StateLayout, address: int) -> None:
        if self._session is None:
            return  # closing gave it back
        spare = self._spare.setdefault(size, [])
        if len(spare) < SPARE_STATES:
            spare.append((layout, address))
        else:
            self._session.graphs.forget(address)
            self._session.arena.free(address)

    def run(self, feeds: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        """Run once; see ``Engine.run``."""
        return self._thread.call(self._run, feeds, state)

    def _run(self, feeds: Mapping[str, Array], state: State | None) -> dict[str, Array]:
        session = self._open
        if state is None and self.spec.state:
            return self._run_by_value(session, feeds)
        if state is None:
            self._feeds.check(feeds)
            return session.step(feeds, {}, None, graphs=self._graphs)
        if not isinstance(state, DeviceState) or state not in self._states:
            raise StateError(self.spec.part, "was given another engine's state", "make a new one")
        return self._step(session, feeds, state, graphs=self._graphs)

    def _step(
        self, session: Session, feeds: Mapping[str, Array], state: DeviceState, *, graphs: bool
    ) -> dict[str, Array]:
        self._feeds.check(feeds)
        fed, bucket = state.cache.fed, self._bucket(state.cache)
        wide = dict(feeds)
        for name, axis in self._past.masks if self._past else ():
            if wide[name].shape[axis] < fed:
                problem = f"is {list(wide[name].shape)}, narrower than {fed} rows of the past"
                raise BadFeed(name, problem, "feed it as the manifest says")
            wide[name] = buckets.padded(wide[name], axis, fed, bucket)
        return session.step(wide, self._shapes(bucket), state, graphs=graphs)

    def _shapes(self, past: int) -> dict[str, Shape]:
        """Shapes in which the state is read: caches of ``past`` rows, and the tails."""
        return {
            t.name: (past, *fixed_dims(t.dims[1:])) if t.is_cache else fixed_dims(t.dims)
            for t in self.spec.state
        }

    def _bucket(self, rows: Rows) -> int:
        if self._past is None or not self._past.masks:
            return rows.fed  # nothing could hide the padding
        return buckets.bucket_of(rows.fed, self._buckets(rows))

    def _buckets(self, rows: Rows) -> tuple[int, ...]:
        if rows.window is not None:
            return (rows.window,)  # reached after a few steps, and kept from then on
        return buckets.ladder(rows.max_len, self._most_past)

    @property
    def _most_past(self) -> int:
        """Rows of the past that the plan takes; 1 for one without caches."""
        greatest = self._open.greatest
        return next((greatest[t.name][0] for t in self.spec.state if t.is_cache), 1)

    def _run_by_value(self, session: Session, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """As the contract's run without a state: its tensors are fed and come back."""
        self._all_feeds.check(feeds)
        lengths = {len(feeds[t.name]) for t in self.spec.state if t.is_cache} or {0}
        if len(lengths) > 1:
            problem = f"was fed caches of {sorted(lengths)} rows"
            raise BadFeed(self.spec.part, problem, "feed the same number to all")
        # Of one size, whatever is fed: so its memory is used again.
        state = self._new_state(Rows(self._most_past + session.new_rows))
        sources = state.sources(session.cuda, session.stream, fixed=False)
        for name, address in sources.items():
            upload(session.cuda, session.stream, address, feeds[name])
        state.cache.length = past = lengths.pop()
        inputs = {tensor.name: feeds[tensor.name] for tensor in self.spec.inputs}
        outputs = self._step(session, inputs, state, graphs=False)
        rows = state.layout.caches.starts(state.address, past)
        shapes = self._shapes(state.cache.length - past)
        for tensor in self.spec.state:
            address = rows.get(tensor.name, sources[tensor.name])
            like = np.empty(shapes[tensor.name], tensor.numpy_dtype)
            outputs[tensor.next_name] = download(session.cuda, session.stream, address, like)
        return outputs

    def warm_up(self, sizes: Mapping[str, int]) -> None:
        """Run on zeros of these sizes, as often as it takes to capture that kind of step."""
        feeds = {t.name: np.zeros(t.shape(sizes), t.numpy_dtype) for t in self.spec.inputs}
        past = sizes[self._past.name] if self._past and self._past.name in sizes else 0
        state = self.new_state(self._most_past) if self.spec.state else None
        for _ in range(2):
            if state is not None:
                state.cache.length = past
            self.run(feeds, state)

    def close(self) -> None:
        """Give all memory back; states of this engine are of no use any more."""
        if self._session is not None:
            self._thread.call(self._close)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
            self._spare.clear()


_Size = tuple[int, int | None]
