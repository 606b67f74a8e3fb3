"""What every model keeps, whatever its layout: losses, histories, and names through the one sampler."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

import data.vocabulary
import data.windows
from data.corpus import Corpus
from data.splits import Split, Splits, split_words
from data.windows import context_windows
from models.base import BOUNDARY, IGNORED, LanguageModel, Layout
from models.mlp import MLP, MLPConfig
from models.ngram import NGram, NGramConfig
from models.sampling import Sample, SamplingConfig, next_distribution, sample
from tui_mm.config import validate
from tui_mm.kinds import KINDS
from tui_mm.training.events import Finished
from tui_mm.training.rows import Rows, all_rows, mean_loss, partial_losses
from tui_mm.training.setup import build_trainer

CPU = torch.device("cpu")
LIMIT = 6  # block size of the models that have a choice: less than many words, so that rows go on


class TinyGRU(LanguageModel):
    """A sequence model as makemore.py has them: causal, with logits at every position."""

    layout: ClassVar[Layout] = "sequence"

    def __init__(self, vocab_size: int, block_size: int, generator: Generator) -> None:
        super().__init__(vocab_size, block_size)
        self.embedding = nn.Embedding(vocab_size, 5)
        self.cells = nn.GRU(5, 8, batch_first=True)
        self.head = nn.Linear(8, vocab_size)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, contexts: Tensor) -> Tensor:
        states, _ = self.cells(self.embedding(contexts))
        return torch.as_tensor(self.head(states))


def make_gru(splits: Splits) -> TinyGRU:
    return TinyGRU(len(splits.vocabulary), LIMIT, Generator().manual_seed(1))


def make_mlp(splits: Splits) -> MLP:
    return MLP(MLPConfig(len(splits.vocabulary), LIMIT, 4, 16), Generator().manual_seed(2))


def make_bigram(splits: Splits) -> NGram:
    model = NGram(NGramConfig(len(splits.vocabulary)))
    model.observe(*Rows(splits.train, model, CPU).take(torch.arange(splits.train.examples)))
    return model


SIZES: dict[str, Any] = {"block_size": LIMIT, "embedding": 8, "hidden": 12, "heads": 2, "layers": 2}
TRAINING: dict[str, Any] = {"steps": 80, "batch_size": 32, "eval_every": 80, "lr": 0.02, "threads": 1, "device": "cpu"}
VARIANTS: dict[str, dict[str, Any]] = {
    "ngram": {"model": "ngram", "block_size": 3},
    "interpolated": {"model": "interpolated", "block_size": 2},
    "backoff": {"model": "backoff", "block_size": 3},
    "neural-bigram": {"model": "neural-bigram", "init": "lecture", "optimizer": "sgd", "lr": 20.0},
    "deep-mlp": {"activation": "relu", "norm": "batch", "dropout": 0.3, "init": "torch"},
    "blank-mlp": {"padding": "blank", "direct": "yes"},
    "mixture": {"mixture": "by-frequency", "layers": 1},
    "wavenet": {"model": "wavenet", "dropout": 0.2},
    "bow": {"model": "bow"},
    "rnn": {"model": "rnn"},
    "gru": {"model": "gru"},
    "lstm": {"model": "lstm"},
    "transformer": {"model": "transformer", "dropout": 0.2},
}
"""Of every model that the program builds: hyperparameters that make a small one with all its parts."""


_TRAINED: dict[str, LanguageModel] = {}


def make_variant(splits: Splits, name: str) -> LanguageModel:
    """A copy of one that was trained on the words for some steps, so that its names end."""
    if name not in _TRAINED:
        trainer = build_trainer(validate(TRAINING | SIZES | VARIANTS[name]), splits)
        assert isinstance(list(trainer.events())[-1], Finished)
        _TRAINED[name] = trainer.model.eval()
    return copy.deepcopy(_TRAINED[name])


@pytest.fixture
def splits(corpus: Corpus) -> Splits:
    return split_words(corpus)


@pytest.fixture(params=[make_gru, make_mlp, make_bigram, *VARIANTS], ids=["sequence", "window", "counting", *VARIANTS])
def model(request: pytest.FixtureRequest, splits: Splits) -> LanguageModel:
    if isinstance(request.param, str):
        return make_variant(splits, request.param)
    make: Callable[[Splits], LanguageModel] = request.param
    return make(splits)


def words_of(splits: Splits, split: Split) -> list[list[int]]:
    return [splits.vocabulary.encode(splits.corpus.word(i)) for i in split.order.tolist()]


def contexts_of(model: LanguageModel, word: list[int]) -> list[list[int]]:
    """What the model sees of a word at each of its predictions, without padding."""
    seen = [BOUNDARY, *word]
    if model.layout == "window":
        return [seen[max(0, n - model.block_size) : n] for n in range(1, len(seen) + 1)]
    return [seen[(n - 1) // model.block_size * model.block_size : n] for n in range(1, len(seen) + 1)]


def slow_loss(model: LanguageModel, words: list[list[int]]) -> float:
    """Mean loss, one prediction at a time, from contexts that are not padded more than the model asks for."""
    losses = []
    for word in words:
        for context, target in zip(contexts_of(model, word), (*word, BOUNDARY), strict=True):
            if model.layout == "window":
                context = [BOUNDARY] * (model.block_size - len(context)) + context
            logits = model(torch.tensor([context])).reshape(-1, model.vocab_size)[-1]
            losses.append(math.log(sum(math.exp(v) for v in logits.tolist())) - float(logits[target]))
    return sum(losses) / len(losses)


def test_data_and_models_agree_on_the_boundary_and_on_padding() -> None:
    assert data.vocabulary.BOUNDARY == BOUNDARY == 0
    assert data.windows.IGNORED == IGNORED == -1


# --- loss


@torch.no_grad()
def test_the_mean_loss_is_that_of_every_prediction_made_alone(model: LanguageModel, splits: Splits) -> None:
    for _, split in splits:
        expected = slow_loss(model, words_of(splits, split))
        assert mean_loss(model, Rows(split, model, CPU)) == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_the_models_loss_over_all_rows_is_the_mean_loss(model: LanguageModel, splits: Splits) -> None:
    rows = Rows(splits.train, model, CPU)
    contexts, targets = rows.take(torch.arange(len(rows)))
    expected = mean_loss(model, rows)
    assert float(model.loss(contexts, targets)) == pytest.approx(expected, rel=1e-5)
    total = float(model.loss(contexts, targets, reduction="sum"))
    assert total == pytest.approx(expected * splits.train.examples, rel=1e-5)
    each = model.loss(contexts, targets, reduction="none")
    assert float(each[targets.flatten() != IGNORED].double().mean()) == pytest.approx(expected, rel=1e-5)


def test_parts_of_the_loss_add_up_to_every_example(
    model: LanguageModel, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = mean_loss(model, Rows(splits.train, model, CPU))
    monkeypatch.setattr("tui_mm.training.rows._CHUNK_TOKENS", 10)
    parts = list(partial_losses(model, Rows(splits.train, model, CPU)))
    done = [count for count, _ in parts]
    assert len(parts) > 2
    assert done == sorted(set(done))
    assert done[-1] == splits.train.examples
    assert parts[-1][1] == pytest.approx(expected, rel=1e-6)


def test_the_mean_loss_leaves_the_model_training_or_not(model: LanguageModel, splits: Splits) -> None:
    rows = Rows(splits.dev, model, CPU)
    for training in (True, False):
        model.train(training)
        mean_loss(model, rows)
        assert model.training is training


def test_rows_are_those_of_the_layout(model: LanguageModel, splits: Splits) -> None:
    rows = all_rows(splits, model, CPU)
    assert list(rows) == ["train", "dev", "test"]
    contexts, targets = rows["dev"].take(torch.arange(len(rows["dev"])))
    assert contexts.shape[1] == model.block_size
    logits = model(contexts)
    if model.layout == "window":
        assert len(contexts) == splits.dev.examples
        assert targets.shape == contexts.shape[:1]
        assert logits.shape == (len(contexts), model.vocab_size)
    else:
        assert int((targets != IGNORED).sum()) == splits.dev.examples
        assert targets.shape == contexts.shape
        assert logits.shape == (*contexts.shape, model.vocab_size)


def test_padding_in_a_sequence_costs_nothing_and_teaches_nothing(splits: Splits) -> None:
    model = make_gru(splits)
    contexts = torch.tensor([[0, 1, 2, 0, 0, 0]])
    targets = torch.tensor([[1, 2, 0, IGNORED, IGNORED, IGNORED]])
    loss = model.loss(contexts, targets)
    alone = model.loss(contexts[:, :3], targets[:, :3])
    assert loss.item() == pytest.approx(alone.item(), rel=1e-6)
    filled = contexts.clone()
    filled[:, 3:] = 5  # whatever stands in the padding
    assert model.loss(filled, targets).item() == pytest.approx(loss.item(), rel=1e-6)
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert gradient[[0, 1, 2]].abs().sum(1).min() > 0
    assert not gradient[3:].any()


@pytest.mark.parametrize("make", [make_gru, make_mlp])
def test_a_step_down_the_gradient_lowers_the_loss(make: Callable[[Splits], LanguageModel], splits: Splits) -> None:
    model = make(splits)
    rows = Rows(splits.train, model, CPU)
    contexts, targets = rows.take(torch.arange(len(rows)))
    before = model.loss(contexts, targets)
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.01 * parameter.grad)
    assert mean_loss(model, rows) < float(before.detach())


# --- histories


@torch.no_grad()
def test_next_logits_are_those_of_the_padded_context(model: LanguageModel, splits: Splits) -> None:
    """For every history that fits the block: the same as in the rows that are trained on."""
    for word in words_of(splits, splits.dev):
        for length in range(min(len(word), model.block_size - 1) + 1):
            history = torch.tensor([word[:length]], dtype=torch.int64)
            found = model.next_logits(history)
            assert found.shape == (1, model.vocab_size)
            if model.layout == "window":
                context = [BOUNDARY] * model.block_size + word[:length]
                expected = model(torch.tensor([context[-model.block_size :]]))
            else:
                padding = [BOUNDARY] * (model.block_size - 1 - length)
                expected = model(torch.tensor([[BOUNDARY, *word[:length], *padding]]))[:, length]
            assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_next_logits_see_the_last_of_a_longer_history(model: LanguageModel) -> None:
    history = torch.arange(1, 13).remainder(model.vocab_size)[None]
    block = history[:, -model.block_size :]
    expected = model(block).reshape(1, -1, model.vocab_size)[:, -1]
    assert torch.allclose(model.next_logits(history), expected, rtol=1e-5, atol=1e-6)
    other = history.clone()
    other[:, : -model.block_size] = 3
    assert torch.equal(model.next_logits(other), model.next_logits(history))


@torch.no_grad()
def test_histories_side_by_side_do_not_touch_each_other(model: LanguageModel) -> None:
    histories = torch.tensor([[1, 2, 3], [4, 5, 6], [1, 1, 1]])
    together = model.next_logits(histories)
    for row in range(3):
        assert torch.allclose(together[row], model.next_logits(histories[row : row + 1])[0], rtol=1e-5, atol=1e-6)


def test_every_model_of_the_program_is_among_those_tested() -> None:
    named = {values.get("model", "mlp") for values in VARIANTS.values()} | {"bigram"}
    assert named == set(KINDS)


@torch.no_grad()
def predictions_of(model: LanguageModel, word: list[int]) -> Tensor:
    """The logits of every prediction of a word, from the rows it is trained on: (len(word) + 1, V)."""
    split = Split(np.array([*word, BOUNDARY], dtype=np.uint8), np.zeros(1, dtype=np.uint32))
    contexts, targets = Rows(split, model, CPU).take(torch.arange(len(Rows(split, model, CPU))))
    logits = model(contexts)
    return logits if model.layout == "window" else logits[targets != IGNORED]


LETTERS = st.lists(st.integers(1, 20), max_size=9)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_later_character_never_changes_an_earlier_prediction(name: str, splits: Splits) -> None:
    model = make_variant(splits, name)
    size = model.vocab_size - 1

    @settings(derandomize=True, deadline=None, max_examples=25)
    @given(LETTERS, LETTERS, LETTERS)
    def hold(start: list[int], one: list[int], other: list[int]) -> None:
        shared, *ends = ([1 + i % size for i in part] for part in (start, one, other))
        first, second = (predictions_of(model, shared + end)[: len(shared) + 1] for end in ends)
        assert torch.allclose(first, second, rtol=1e-5, atol=1e-6)

    hold()


@torch.no_grad()
def test_a_prediction_does_depend_on_what_came_before(model: LanguageModel, splits: Splits) -> None:
    """A model that saw nothing would pass for causal, too."""
    after: dict[int, list[Tensor]] = {}
    longest = model.block_size - 1 if model.layout == "sequence" else 5
    for word in words_of(splits, splits.train):
        for length in range(1, min(len(word), longest) + 1):
            after.setdefault(word[length - 1], []).append(predictions_of(model, word[:length])[length])
    alone = [predictions_of(model, [letter])[1] for letter in (1, 5, 13)]
    assert not torch.allclose(alone[0], alone[1]) or not torch.allclose(alone[0], alone[2])
    if model.block_size > 1:
        assert any(not torch.allclose(seen[0], other) for seen in after.values() for other in seen[1:])


@torch.no_grad()
def test_a_sequence_model_sees_nothing_of_what_is_to_come(splits: Splits) -> None:
    model = make_gru(splits)
    contexts = torch.tensor([[0, 1, 2, 3, 4, 5]])
    logits = model(contexts)
    for position in range(LIMIT - 1):
        changed = contexts.clone()
        changed[:, position + 1 :] = 7
        assert torch.allclose(model(changed)[:, : position + 1], logits[:, : position + 1], rtol=1e-5, atol=1e-6)
        assert not torch.allclose(model(changed)[:, position + 1 :], logits[:, position + 1 :])


@torch.no_grad()
def test_what_there_is_to_look_at_fits_the_model(model: LanguageModel, splits: Splits) -> None:
    contexts, _ = Rows(splits.dev, model, CPU).take(torch.arange(3))
    for values in model.activations(contexts).values():
        assert len(values) == 3
    table = model.embedding_table()
    assert table is None or table.shape[0] == model.vocab_size


@torch.no_grad()
def test_the_mlp_shows_its_embedding_and_its_tanh(splits: Splits) -> None:
    model = make_mlp(splits)
    contexts = torch.tensor([[0, 0, 0, 1, 2, 3]])
    assert model.embedding_table() is model.C
    (hidden,) = model.activations(contexts).values()
    assert list(model.activations(contexts)) == ["tanh"]
    assert torch.equal(hidden, torch.tanh(torch.addmm(model.b1, model.C[contexts].flatten(1), model.W1)))
    assert torch.equal(model(contexts), torch.addmm(model.b2, hidden, model.W2))


def test_parameters_are_counted(splits: Splits) -> None:
    size = len(splits.vocabulary)
    gru = 3 * 8 * (5 + 8 + 2)
    assert make_gru(splits).parameter_count() == 5 * size + gru + 8 * size + size
    assert make_mlp(splits).parameter_count() == 4 * size + LIMIT * 4 * 16 + 16 + 16 * size + size
    assert make_bigram(splits).parameter_count() == size * size


# --- names


def one_after_another(
    model: LanguageModel, count: int, generator: Generator, prefix: tuple[int, ...], config: SamplingConfig
) -> list[Sample]:
    """The lectures' sampling loop, one character after another, one name after another."""
    names = []
    for _ in range(count):
        tokens = list(prefix)
        chances: list[float] = []
        while True:
            probabilities = next_distribution(model, torch.tensor([tokens], dtype=torch.int64), config)[0].tolist()
            u = float(torch.rand(1, dtype=torch.float64, generator=generator)) * sum(probabilities)
            token = int(np.searchsorted(np.cumsum(probabilities), u, side="right"))
            if token != BOUNDARY and len(tokens) >= config.max_length:
                names.append(Sample(tuple(tokens), tuple(chances), False))
                break
            chances.append(probabilities[token])
            if token == BOUNDARY:
                names.append(Sample(tuple(tokens), tuple(chances), True))
                break
            tokens.append(token)
    return names


@pytest.mark.parametrize(
    ("prefix", "config"),
    [
        ((), SamplingConfig()),
        ((5, 2), SamplingConfig(temperature=0.7)),
        ((), SamplingConfig(max_length=3)),
        ((1, 2, 3, 4, 5, 6, 7, 8), SamplingConfig(top_k=4, max_length=12)),
    ],
)
def test_names_in_a_batch_are_those_drawn_one_after_another(
    model: LanguageModel, prefix: tuple[int, ...], config: SamplingConfig
) -> None:
    found = sample(model, 12, generator=Generator().manual_seed(3), prefix=prefix, config=config)
    expected = one_after_another(model, 12, Generator().manual_seed(3), prefix, config)
    assert [(s.tokens, s.ended) for s in found] == [(s.tokens, s.ended) for s in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.probabilities == pytest.approx(theirs.probabilities, rel=1e-4)


@torch.no_grad()
def test_the_probabilities_of_a_name_are_those_of_its_loss(model: LanguageModel) -> None:
    """For names that fit the block: what sampling reports is what evaluation counts."""
    drawn = sample(model, 60, generator=Generator().manual_seed(4))
    fitting = [s for s in drawn if s.ended and (model.layout == "window" or len(s.tokens) < model.block_size)]
    assert len(fitting) > 5
    for name in fitting:
        nll = -sum(math.log(p) for p in name.probabilities) / len(name.probabilities)
        assert nll == pytest.approx(slow_loss(model, [list(name.tokens)]), rel=1e-4)


def test_an_observed_bigram_gives_the_loss_of_its_counts(splits: Splits) -> None:
    model = make_bigram(splits)
    contexts, targets = context_windows(splits.train.tokens, 1)
    table = torch.ones(model.vocab_size, model.vocab_size, dtype=torch.float64)
    for (first,), second in zip(contexts.tolist(), targets.tolist(), strict=True):
        table[first, second] += 1
    logits = (table / table.sum(1, keepdim=True)).log()
    expected = F.nll_loss(logits[contexts[:, 0].tolist()], torch.from_numpy(targets).long())
    assert mean_loss(model, Rows(splits.train, model, CPU)) == pytest.approx(float(expected))
