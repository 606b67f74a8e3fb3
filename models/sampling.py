"""One sampler for every model: names from a model, the same on every machine for the same seed.

torch.multinomial differs between torch versions and machines. Here a character is drawn by inverting the cumulative
distribution at u, uniform in [0, 1) from a CPU generator in float64: the index where the cumulative sum passes u.
One generator is drawn on for one character after another and one name after another, as the lectures' cells do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.base import BOUNDARY, LanguageModel, evaluating

_FEW, _MANY = 8, 2048  # starts tried at once: enough for one name of usual length; what a batch holds at most
_MOST_IDS = 512  # with more, a row costs more than the step it is in: sentences are drawn one by one


class SamplingError(ValueError):
    """What cannot be sampled, in one line for a person."""


@dataclass(frozen=True)
class SamplingConfig:
    """How to draw.

    temperature: logits are divided by it; 0 takes the likeliest character always
    top_k: only the k likeliest characters (0: all); top_p: only the likeliest that together reach p (1: all)
    max_length: characters after which a name is cut, prefix included
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_length: int = 200

    def __post_init__(self) -> None:
        for name, ok, allowed in (
            ("temperature", 0 <= self.temperature < float("inf"), "a number from 0 on"),
            ("top-k", self.top_k >= 0, "a whole number from 0 (all) on"),
            ("top-p", 0 < self.top_p <= 1, "a number above 0, at most 1"),
            ("max-length", self.max_length >= 1, "a whole number from 1 on"),
        ):
            if not ok:
                value = getattr(self, name.replace("-", "_"))
                raise SamplingError(f"--{name}: {value} is not allowed; give {allowed}")


@dataclass(frozen=True)
class Sample:
    """One name. ``tokens`` are its ids, prefix included, boundary left out; ``probabilities`` those under which
    each drawn character was drawn, that of the end last; ``ended``: whether it ended by itself."""

    tokens: tuple[int, ...]
    probabilities: tuple[float, ...]
    ended: bool


def next_distribution(model: LanguageModel, histories: Tensor, config: SamplingConfig | None = None) -> Tensor:
    """P(next id | history): int64 (rows, L) to float64 (rows, vocab_size) on the CPU.

    Raises SamplingError when the model's logits are not numbers (it diverged).
    """
    config = config or SamplingConfig()
    with evaluating(model), torch.no_grad():
        logits = model.next_logits(histories.to(_device_of(model))).cpu().double()
    if logits.isnan().any() or (logits == torch.inf).any():
        raise SamplingError(
            "this model's predictions are not numbers: its training diverged; train with a lower learning rate (lr)"
        )
    if config.temperature == 0:
        return torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
    logits = (logits - logits.amax(1, keepdim=True)) / config.temperature  # at most 0: no overflow when cold
    if 0 < config.top_k < logits.shape[1]:
        kept = logits.topk(config.top_k, dim=1)
        logits = torch.full_like(logits, -torch.inf).scatter_(1, kept.indices, kept.values)
    probabilities = logits.softmax(1)
    if config.top_p < 1:
        ordered, index = probabilities.sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered  # what the likelier ones reach without this one
        ordered = ordered.masked_fill(before >= config.top_p, 0.0)
        probabilities = torch.zeros_like(probabilities).scatter_(1, index, ordered)
        probabilities = probabilities / probabilities.sum(1, keepdim=True)
    return probabilities


def sample(
    model: LanguageModel,
    count: int,
    *,
    generator: Generator,
    prefix: Sequence[int] = (),
    config: SamplingConfig | None = None,
) -> list[Sample]:
    """``count`` names that begin with ``prefix`` (ids).

    The first names of a larger count are those of a smaller one. To run many names as one batch and still draw as if
    one after another, a name is begun at every place of the stream of uniform numbers at once; the names kept are the
    chain in which each begins where the one before it ended. Names have some seven characters, so that is seven times
    the rows, in far fewer steps.
    """
    config = config or SamplingConfig()
    names: list[Sample] = []
    stream = torch.empty(0, dtype=torch.float64)  # what is drawn and not used up yet
    while len(names) < count:
        starts = min(_MANY, _FEW * (count - len(names))) if model.vocab_size <= _MOST_IDS else 1
        candidates, stream = _candidates(model, starts, stream, generator, prefix, config)
        at = 0
        while at < starts and len(names) < count:
            names.append(candidates[at])
            # a name that was cut used one more: the draw that said it would not end by itself
            at += len(candidates[at].probabilities) + (not candidates[at].ended)
        stream = stream[at:]
    return names


def sample_each(
    model: LanguageModel, seeds: Sequence[int], *, prefix: Sequence[int] = (), config: SamplingConfig | None = None
) -> list[Sample]:
    """One name for each seed, from a generator of its own: what ``sample`` gives for one name with that generator.

    So the same seeds show how the same names come to be while a model learns.
    """
    config = config or SamplingConfig()
    most = max(0, config.max_length - len(prefix)) + 1
    draws = torch.empty(len(seeds), most, dtype=torch.float64)
    for row, seed in zip(draws, seeds, strict=True):
        row.uniform_(generator=Generator().manual_seed(seed))
    return _draw(model, len(seeds), lambda names, step: draws[names, step], prefix, config)


def _candidates(
    model: LanguageModel,
    starts: int,
    stream: Tensor,
    generator: Generator,
    prefix: Sequence[int],
    config: SamplingConfig,
) -> tuple[list[Sample], Tensor]:
    """A name begun at each of the first ``starts`` places of the stream, and the stream, drawn on as far as needed."""

    def from_stream(names: Tensor, step: int) -> Tensor:
        nonlocal stream
        missing = starts + step - len(stream)
        if missing > 0:
            stream = torch.cat((stream, torch.rand(missing, dtype=torch.float64, generator=generator)))
        return stream[names + step]

    names = _draw(model, starts, from_stream, prefix, config)
    return names, stream


def _draw(
    model: LanguageModel,
    count: int,
    uniform: Callable[[Tensor, int], Tensor],
    prefix: Sequence[int],
    config: SamplingConfig,
) -> list[Sample]:
    """``count`` names as one batch; ``uniform`` gives the numbers in [0, 1) by which names (n,) go on: (n,)."""
    drawn: list[list[int]] = [[] for _ in range(count)]
    chances: list[list[float]] = [[] for _ in range(count)]
    ended = [False] * count
    active = torch.arange(count)
    histories = torch.tensor([list(prefix)] * count, dtype=torch.int64).view(count, len(prefix))
    for step in range(max(0, config.max_length - len(prefix)) + 1):
        probabilities = next_distribution(model, histories, config)
        cumulative = probabilities.cumsum(1)
        u = uniform(active, step)[:, None] * cumulative[:, -1:]  # normalised: rounding leaves sums near 1
        token = torch.searchsorted(cumulative, u, right=True).clamp_(max=model.vocab_size - 1)
        chance = probabilities.gather(1, token)
        going = token[:, 0] != BOUNDARY
        at_limit = histories.shape[1] >= config.max_length
        for row, t, p in zip(active.tolist(), token[:, 0].tolist(), chance[:, 0].tolist(), strict=True):
            if t == BOUNDARY:
                ended[row] = True
            elif at_limit:
                continue  # one draw past the limit only asks whether the name would end here
            else:
                drawn[row].append(t)
            chances[row].append(p)
        active = active[going]
        if at_limit or not len(active):
            break
        histories = torch.cat((histories, token), 1)[going]
    return [Sample((*prefix, *tokens), tuple(ps), end) for tokens, ps, end in zip(drawn, chances, ended, strict=True)]


def _device_of(model: LanguageModel) -> torch.device:
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")
