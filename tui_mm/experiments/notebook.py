"""The reference: what the notebook of lecture part 2 does, in the plain way in which it does it.

Nothing here is tuned, and nothing here is slowed down: lists of lists, one minibatch drawn a step, one update a
parameter, one loss noted a step. What is measured against the notebook is measured against this.
"""

from __future__ import annotations

import random
import time

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from data.corpus import Corpus
from tui_mm.config import RunConfig, make_config

STEPS = 200_000
"""How many steps the lecture's last run takes."""

Windows = list[tuple[Tensor, Tensor]]
"""Contexts int64 (examples, block_size) and targets int64 (examples,), split by split: train, dev, test."""


def number_letters(words: list[str]) -> dict[str, int]:
    """Ids by letter in code point order from 1 on; ``.``, the end of a word, is 0."""
    ids = {letter: number for number, letter in enumerate(sorted(set("".join(words))), start=1)}
    ids["."] = 0
    return ids


def shuffled_parts(words: list[str]) -> list[list[str]]:
    """80/10/10 after a shuffle seeded with 42; the list that is given stays as it is."""
    shuffled = list(words)
    random.seed(42)
    random.shuffle(shuffled)
    first, second = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
    return [shuffled[:first], shuffled[first:second], shuffled[second:]]


def windows_of(words: list[str], ids: dict[str, int], block_size: int) -> tuple[Tensor, Tensor]:
    """Every prediction and the letters before it, by a loop over the letters of every word."""
    contexts, targets = [], []
    for word in words:
        window = [0] * block_size
        for letter in word + ".":
            following = ids[letter]
            contexts.append(window)
            targets.append(following)
            window = window[1:] + [following]  # noqa: RUF005  (the notebook's way)
    return torch.tensor(contexts), torch.tensor(targets)


def windows_of_parts(parts: list[list[str]], ids: dict[str, int], block_size: int) -> Windows:
    return [windows_of(part, ids, block_size) for part in parts]


def windows_of_text(raw: bytes, block_size: int) -> Windows:
    """The whole way: a file's bytes, words, ids, split, windows."""
    words = raw.decode().removesuffix("\n").split("\n")
    return windows_of_parts(shuffled_parts(words), number_letters(words), block_size)


def initial_parameters(
    vocab_size: int, block_size: int, embedding: int, hidden: int, generator: Generator
) -> list[Tensor]:
    """C, W1, b1, W2, b2, drawn in this order, with gradients."""
    shapes = ((vocab_size, embedding), (block_size * embedding, hidden), (hidden,), (hidden, vocab_size), (vocab_size,))
    parameters = [torch.randn(shape, generator=generator) for shape in shapes]
    for parameter in parameters:
        parameter.requires_grad = True
    return parameters


def train(
    parameters: list[Tensor],
    contexts: Tensor,
    targets: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    generator: Generator,
    log_losses: list[float],
) -> None:
    """``steps`` of gradient descent; the log10 of every step's loss is put at the end of ``log_losses``.

    generator: the one the parameters were drawn from; the notebook leaves its minibatches unseeded, and seeding them
        lets the losses of two loops be compared
    """
    C, W1, b1, W2, b2 = parameters
    for _ in range(steps):
        rows = torch.randint(0, contexts.shape[0], (batch_size,), generator=generator, device=contexts.device)

        embedded = C[contexts[rows]]  # (batch_size, block_size, embedding)
        hidden = torch.tanh(embedded.view(batch_size, -1) @ W1 + b1)  # (batch_size, hidden)
        logits = hidden @ W2 + b2  # (batch_size, vocab_size)
        loss = F.cross_entropy(logits, targets[rows])

        for parameter in parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.data += -lr * parameter.grad

        log_losses.append(loss.log10().item())


@torch.no_grad()
def mean_loss(parameters: list[Tensor], contexts: Tensor, targets: Tensor) -> float:
    """Of a whole split at once, as the lecture's cell has it, in nats."""
    C, W1, b1, W2, b2 = parameters
    embedded = C[contexts]
    hidden = torch.tanh(embedded.view(contexts.shape[0], -1) @ W1 + b1)
    return float(F.cross_entropy(hidden @ W2 + b2, targets))


class NotebookLoop:
    """The loop on the windows of a corpus, with the weights and minibatches that the trainer has by the same seed.

    The rate drops as the configuration's schedule ``step`` says: 0.1, then 0.01 from step 100,000 on.
    """

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        words = list(corpus.words())
        self._ids = number_letters(words)
        train_words, self._dev_words, _ = shuffled_parts(words)
        self._windows = windows_of(train_words, self._ids, config.block_size)
        self._generator = Generator().manual_seed(config.seed)
        self._parameters = initial_parameters(
            len(self._ids), config.block_size, config.embedding, config.hidden, self._generator
        )
        self._config = config
        self._drop_at = round(config.decay_at * config.steps)
        self.log_losses: list[float] = []

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return len(self.log_losses)

    def move(self, device: str) -> None:
        """Everything to a device; minibatches are drawn there from then on, others than before."""
        self._parameters = [p.detach().to(device, copy=True).requires_grad_() for p in self._parameters]
        self._windows = self._windows[0].to(device), self._windows[1].to(device)
        self._generator = Generator(device).manual_seed(self._config.seed)

    def train(self, steps: int) -> float:
        """Steps per second."""
        started = time.perf_counter()
        before = min(steps, max(0, self._drop_at - self.step))
        for count, lr in ((before, self._config.lr), (steps - before, self._config.lr * self._config.decay_factor)):
            train(
                self._parameters,
                *self._windows,
                steps=count,
                batch_size=self._config.batch_size,
                lr=lr,
                generator=self._generator,
                log_losses=self.log_losses,
            )
        return steps / (time.perf_counter() - started)

    def dev_loss(self) -> float:
        """Over the whole dev split, as the parameters are."""
        return mean_loss(self._parameters, *windows_of(self._dev_words, self._ids, self._config.block_size))


def lecture_config() -> RunConfig:
    """The lecture's last model, on one thread of the CPU."""
    return make_config("lecture", flags={"threads": 1, "device": "cpu"})
