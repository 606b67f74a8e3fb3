"""Whole blocks of steps captured once and replayed: CUDA graphs.

On a GPU a small model's step is spent in starting its kernels, one by one. A captured block starts them all with one
call. What it reads and writes stands at places that do not change: minibatches, rates and losses are copied there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.engines.compiled import BlockShape
from tui_mm.training.engines.functional import make_step
from tui_mm.training.engines.state import moving_state
from tui_mm.training.optimizers import Optimizer

Work = Callable[[], None]
Capture = Callable[[Work], Work]
"""Takes work on tensors that stay where they are, and gives what does it again. It may carry it out meanwhile."""


class GraphEngine:
    """Replays ``shape.steps`` captured steps at a time, and what is left over one by one: the same kernels in the same
    order, so the bits do not depend on blocks."""

    def __init__(
        self, model: LanguageModel, optimizer: Optimizer, config: RunConfig, shape: BlockShape, capture: Capture
    ) -> None:
        self._state = [t.detach() for t in moving_state(model, optimizer)]
        self._shape = shape
        self._contexts, self._targets, self._rates = shape.places(model, self._state[0])
        self._losses = torch.zeros_like(self._rates)
        self._function = make_step(model, optimizer, config)
        self._capture = capture
        self._replays: dict[int, Work] = {}

    @torch.no_grad()
    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        rates = torch.tensor(lrs, dtype=self._rates.dtype, device=self._rates.device)
        losses, begin = torch.empty_like(rates), 0
        while begin < len(rates):
            count = self._shape.steps if len(rates) - begin >= self._shape.steps else 1
            at = slice(begin, begin + count)
            for place, values in ((self._contexts, contexts), (self._targets, targets), (self._rates, rates)):
                place[:count] = values[at]
            self._replay(count)
            losses[at] = self._losses[:count]
            begin += count
        return losses

    def _replay(self, count: int) -> None:
        if count not in self._replays:
            kept = [t.clone() for t in self._state]
            self._replays[count] = self._capture(lambda: self._take(count))
            torch._foreach_copy_(self._state, kept)  # what capturing did to it
        self._replays[count]()

    def _take(self, count: int) -> None:
        state = self._function.enter(list(self._state))
        for k in range(count):
            state, self._losses[k] = self._function.step(state, self._contexts[k], self._targets[k], self._rates[k])
        torch._foreach_copy_(self._state, self._function.leave(state))


def cuda_capture(work: Work) -> Work:
    """Captures work on the current CUDA device: once as a rehearsal on a stream of its own, as torch asks for, then
    into a graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
