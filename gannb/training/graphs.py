"""CUDA graphs of one run: captured into memory that they share; a capture that fails leaves the process usable."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_FAILED: list[torch.cuda.CUDAGraph] = []
"""Graphs whose capture failed: allocators keep a pointer to them."""


class GraphMemory:
    """The memory that all graphs of a run share: each one's results are copied out before another one runs.

    Args:
        device: of the run.

    Attributes:
        on_cuda: whether there is anything to capture.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.on_cuda = device, device.type == "cuda"
        self._graphs: weakref.WeakSet[torch.cuda.CUDAGraph] = weakref.WeakSet()

    def reserved(self) -> int:
        """Bytes that are reserved for the graphs there are."""
        pools = {graph.pool() for graph in self._graphs}
        segments = torch.cuda.memory_snapshot() if pools else []
        return sum(segment["total_size"] for segment in segments if tuple(segment["segment_pool_id"]) in pools)

    def aside(self, body: Callable[[], Tensor]) -> Tensor:
        """Run on the stream of captures, for which libraries set up workspaces; the body's result, of any shape."""
        if not self.on_cuda:
            return body()
        here, side = torch.cuda.current_stream(self.device), _side_stream(self.device)
        side.wait_stream(here)
        with torch.cuda.stream(side):
            results = body()
        here.wait_stream(side)
        return results

    def capture(self, body: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Capture what a body computes; the function returned replays it, and copies the result, of any shape.

        Raises:
            RuntimeError: CUDA does not let something of it be captured. Nothing was computed.
        """
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        # a pool whose graphs are all gone must not be captured into again
        pool = next((other.pool() for other in self._graphs), None) or torch.cuda.graph_pool_handle()
        torch.cuda.synchronize(self.device)
        try:
            with _capturing(graph, self.device, pool):
                results = body()
        except BaseException:
            torch.cuda.set_stream(here)  # older versions of torch leave the stream of captures in place
            self._end_failed(graph, pool, here.device.index)
            raise
        self._graphs.add(graph)

        def replay() -> Tensor:
            graph.replay()
            return results.clone()

        return replay

    def _end_failed(self, graph: torch.cuda.CUDAGraph, pool: Any, index: int) -> None:
        """Finish what torch leaves open when the end of a capture fails, or neither captures nor dropout work later."""
        _FAILED.append(graph)
        self._graphs.clear()  # the next capture takes another pool
        with contextlib.suppress(RuntimeError):  # the end came further: the pool takes no allocations any more
            torch._C._cuda_endAllocateToPool(index, pool)
            torch._C._cuda_releasePool(index, pool)
        with _capturing(torch.cuda.CUDAGraph(), self.device):  # its end sets the default generator right
            torch.zeros((), device=self.device)


def _capturing(graph: torch.cuda.CUDAGraph, device: torch.device, pool: Any = None) -> torch.cuda.graph:
    return torch.cuda.graph(graph, pool=pool, stream=_side_stream(device), capture_error_mode="thread_local")


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
