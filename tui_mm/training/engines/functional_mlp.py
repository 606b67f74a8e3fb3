"""The step of the MLP of one tanh layer as a function, its gradient derived by hand (see ``engines.derived``).

tanh is written by a power of two, and what is added by id as a product with ones and zeros: both are several times
faster in a loop that a compiler makes. The softmax is moved by the greatest logit, so nothing overflows but the power,
whose infinity gives 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_LANE = 16  # sizes of products are filled up to a multiple: the one with 27 columns takes half as long again as with 32
_NEVER = -1e30  # the logit of an id that there is not
_FEW_IDS = 256  # beyond, ones and zeros are more work than adding by id


def tanh(a: Tensor) -> Tensor:
    return 1 - 2 / (torch.exp2(a * (2 / math.log(2))) + 1)


def gradients(parameters: Sequence[Tensor], contexts: Tensor, targets: Tensor) -> tuple[list[Tensor], Tensor]:
    """Of C, W1, b1, W2, b2; and the loss."""
    C, W1, b1, W2, b2 = parameters
    emb = C[contexts].view(len(contexts), -1)
    h = tanh(torch.addmm(b1, emb, W1))
    d, loss = _output(torch.addmm(b2, h, W2), targets)
    d = d / len(contexts)
    da = (d @ W2.t()) * (1 - h * h)
    dC = _added_by_id(torch.zeros_like(C), contexts, da @ W1.t())
    return [dC, emb.t() @ da, da.sum(0), h.t() @ d, d.sum(0)], loss


def enter(parameters: Sequence[Tensor]) -> list[Tensor]:
    """C, W1 with b1 as a row below it, W2 and b2, filled up with rows and columns that no step changes."""
    C, W1, b1, W2, b2 = parameters
    inputs, vocab_size = W1.shape[0], W2.shape[1]
    W = F.pad(torch.cat([W1, b1[None]]), (0, 0, 0, _filled(inputs + 1) - inputs - 1))
    more = 0, _filled(vocab_size) - vocab_size
    return [C, W, F.pad(W2, more), F.pad(b2, more, value=_NEVER)]


def leave(filled: Sequence[Tensor], inputs: int, vocab_size: int) -> list[Tensor]:
    """C, W1, b1, W2, b2 again."""
    C, W, U, c = filled
    parts = [W[:inputs], W[inputs], U[:, :vocab_size], c[:vocab_size]]
    return [C, *(part.clone(memory_format=torch.contiguous_format) for part in parts)]


def descend(filled: Sequence[Tensor], contexts: Tensor, targets: Tensor, lr: Tensor) -> tuple[list[Tensor], Tensor]:
    """One step of plain SGD on what ``enter`` gave; the rate goes into the gradient, so that every product is the
    update itself."""
    C, W, U, c = filled
    rows, inputs = len(contexts), contexts.shape[1] * C.shape[1]
    emb = C[contexts].view(rows, inputs)
    x = F.pad(F.pad(emb, (0, 1), value=1.0), (0, len(W) - inputs - 1))
    h = tanh(x @ W)
    d, loss = _output(torch.addmm(c, h, U), targets)
    d = d * (-lr / rows)
    da = (d @ U.t()) * (1 - h * h)
    C = _added_by_id(C, contexts, (da @ W.t())[:, :inputs])
    return [C, torch.addmm(W, x.t(), da), torch.addmm(U, h.t(), d), c + d.sum(0)], loss


def _output(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, V) and (rows,) to softmax - onehot (rows, V), and the mean loss."""
    greatest = logits.amax(1, keepdim=True)
    powers = torch.exp(logits - greatest)
    total = powers.sum(1, keepdim=True)
    onehot = (targets[:, None] == torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)
    loss = ((total.log() + greatest).squeeze(1) - (logits * onehot).sum(1)).mean()
    return powers / total - onehot, loss


def _added_by_id(table: Tensor, contexts: Tensor, change: Tensor) -> Tensor:
    """``table`` (V, d) and ``change`` (rows, block_size * d), each part of it added to the row of its id."""
    ids, change = contexts.reshape(-1), change.reshape(contexts.numel(), -1)
    if len(table) > _FEW_IDS:
        return torch.index_add(table, 0, ids, change)
    onehot = (ids == torch.arange(len(table), device=table.device)[:, None]).to(table.dtype)
    return torch.addmm(table, onehot, change)


def _filled(size: int) -> int:
    return -(-size // _LANE) * _LANE
