"""Many steps as one program: a loop over minibatches that torch can export and compile.

Only the process that compiles imports this: torch's tracing takes seconds to load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import make_fx

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.training.engines.compiled import BlockShape
from tui_mm.training.engines.functional import StepFunction, Tensors, make_step
from tui_mm.training.engines.state import moving_state
from tui_mm.training.optimizers import Optimizer


def export_steps(model: LanguageModel, optimizer: Optimizer, config: RunConfig, shape: BlockShape) -> ExportedProgram:
    """The program whose inputs are the moving state, contexts (steps, rows, length), targets, rates (steps,), and how
    many of the steps to take (); and whose outputs are the losses (steps,) and the state after them.

    How many steps are taken at once changes no bit: each turn of the loop is the same code.
    """
    state = [t.detach().clone() for t in moving_state(model, optimizer)]
    contexts, targets, rates = shape.places(model, state[0])
    function = make_step(model, optimizer, config)
    traced = make_fx(torch.func.functionalize(function.step))
    step = traced(function.enter(state), contexts[0], targets[0], rates[0])
    step.graph.eliminate_dead_code()
    step.recompile()
    example = (state, contexts, targets, rates, torch.tensor(shape.steps))
    with torch.no_grad():
        return torch.export.export(_Loop(step, function, shape.steps), example)


class _Loop(nn.Module):
    def __init__(self, step: nn.Module, function: StepFunction, steps: int) -> None:
        super().__init__()
        self.step = step
        self.function = function
        self.steps = steps

    def forward(self, state: Tensors, contexts: Tensor, targets: Tensor, rates: Tensor, limit: Tensor) -> Tensors:
        def is_under_way(k: Tensor, losses: Tensor, *state: Tensor) -> Tensor:
            return k < limit

        def turn(k: Tensor, losses: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
            # a tensor's own item as index would be a number that the exporter cannot know
            x, y, lr = (torch.index_select(whole, 0, k.view(1))[0] for whole in (contexts, targets, rates))
            after, loss = self.step(list(state), x, y, lr)
            losses = torch.where(torch.arange(self.steps) == k, loss, losses)
            return (k + 1, losses, *after)

        entered = self.function.enter(state)
        begin = (torch.zeros((), dtype=torch.int64), torch.zeros(self.steps, dtype=rates.dtype), *entered)
        _, losses, *after = while_loop(is_under_way, turn, begin)  # type: ignore[no-untyped-call]
        return [losses, *self.function.leave(after)]
