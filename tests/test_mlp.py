"""The perceptron of part 2, by the lecture's numbers."""

from __future__ import annotations

import math
import string

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from data.corpus import Corpus, parse_words
from data.splits import split_words
from data.vocabulary import Vocabulary
from models.base import CountingModel
from models.initialization import Initialization
from models.mlp import MLP, MLPConfig
from tui_mm.training.rows import Rows, mean_loss

CPU = torch.device("cpu")
SEED = 2147483647
FIVE = "emma\nolivia\nava\nisabella\nsophia\n"


def lecture_mlp(embedding: int, hidden: int, init: Initialization = "lecture") -> tuple[MLP, Generator]:
    """The model for 27 characters, and its generator after the draws."""
    generator = Generator().manual_seed(SEED)
    return MLP(MLPConfig(27, 3, embedding, hidden, init=init), generator), generator


def five_words(model: MLP) -> Rows:
    vocabulary = Vocabulary(string.ascii_lowercase)
    splits = split_words(parse_words(FIVE, "five"), vocabulary, train_fraction=1, dev_fraction=0)
    return Rows(splits.train, model, CPU)


def all_of(rows: Rows) -> tuple[Tensor, Tensor]:
    return rows.take(torch.arange(len(rows)))


def hidden_of(model: MLP, contexts: Tensor) -> Tensor:
    emb = model.C[contexts]
    return torch.tanh(emb.view(len(contexts), -1) @ model.W1 + model.b1)


# --- shape


@pytest.mark.parametrize(("embedding", "hidden", "parameters"), [(2, 100, 3_481), (2, 300, 10_281), (10, 200, 11_897)])
def test_the_lectures_models_have_the_lectures_parameters(embedding: int, hidden: int, parameters: int) -> None:
    assert lecture_mlp(embedding, hidden)[0].parameter_count() == parameters


@pytest.mark.parametrize(("V", "block", "d", "h"), [(2, 1, 1, 1), (27, 8, 24, 300), (500, 5, 7, 11)])
def test_parameters_follow_the_formula(V: int, block: int, d: int, h: int) -> None:
    model = MLP(MLPConfig(V, block, d, h), Generator())
    assert model.parameter_count() == V * d + block * d * h + h + h * V + V


def test_the_default_is_the_lectures_last_model() -> None:
    assert MLPConfig(27) == MLPConfig(27, block_size=3, embedding=10, hidden=200, init="lecture")


def test_it_is_a_window_model_that_learns_by_gradients() -> None:
    model, _ = lecture_mlp(2, 100)
    assert model.layout == "window"
    assert not isinstance(model, CountingModel)
    assert (model.vocab_size, model.block_size) == (27, 3)
    assert all(parameter.requires_grad for parameter in model.parameters())


# --- initialisation


def test_the_draws_are_the_notebooks_in_its_order() -> None:
    model, after = lecture_mlp(10, 200)
    g = Generator().manual_seed(SEED)
    C = torch.randn((27, 10), generator=g)
    W1 = torch.randn((30, 200), generator=g)
    b1 = torch.randn(200, generator=g)
    W2 = torch.randn((200, 27), generator=g)
    b2 = torch.randn(27, generator=g)
    for mine, theirs in zip((model.C, model.W1, model.b1, model.W2, model.b2), (C, W1, b1, W2, b2), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(after.get_state(), g.get_state())


def test_the_kaiming_start_is_the_same_draws_made_small() -> None:
    plain, _ = lecture_mlp(10, 200)
    scaled, _ = lecture_mlp(10, 200, "kaiming")
    assert torch.equal(scaled.C, plain.C)
    assert torch.allclose(scaled.W1, plain.W1 * (5 / 3) / math.sqrt(30))
    assert torch.allclose(scaled.b1, plain.b1 * 0.01)
    assert torch.allclose(scaled.W2, plain.W2 * 0.01)
    assert not scaled.b2.any()
    assert scaled.b2.requires_grad


def test_the_kaiming_start_is_nearly_uniform_and_not_saturated() -> None:
    scaled, _ = lecture_mlp(10, 200, "kaiming")
    plain, _ = lecture_mlp(10, 200)
    rows = five_words(scaled)
    assert mean_loss(scaled, rows) == pytest.approx(math.log(27), abs=0.05)
    assert mean_loss(plain, rows) > 10
    contexts, _ = all_of(rows)
    saturated = [float((hidden_of(model, contexts).abs() > 0.97).float().mean()) for model in (scaled, plain)]
    assert saturated[0] < 0.3 < 0.6 < saturated[1]


# --- what it computes


@torch.no_grad()
def test_logits_are_those_of_the_notebooks_cells() -> None:
    model, _ = lecture_mlp(10, 200)
    contexts, _ = all_of(five_words(model))
    expected = hidden_of(model, contexts) @ model.W2 + model.b2
    assert torch.allclose(model(contexts), expected, rtol=1e-4, atol=1e-4)


def test_the_loss_of_the_first_32_examples_is_the_lectures() -> None:
    model, _ = lecture_mlp(2, 100)
    rows = five_words(model)
    contexts, targets = all_of(rows)
    assert len(rows) == 32
    assert float(model.loss(contexts, targets).detach()) == pytest.approx(17.76971, abs=5e-5)
    assert mean_loss(model, rows) == pytest.approx(17.76971, abs=5e-5)
    logits = model(contexts).detach()
    counts = logits.exp()
    by_hand = -(counts / counts.sum(1, keepdim=True))[torch.arange(32), targets].log().mean()
    assert float(by_hand) == pytest.approx(17.769711, abs=5e-5)


def test_the_loss_is_finite_at_a_logit_where_the_softmax_by_hand_is_not() -> None:
    model, _ = lecture_mlp(2, 100)
    with torch.no_grad():
        model.b2[1] += 100
    contexts, targets = all_of(five_words(model))
    assert model(contexts).detach().exp().isinf().any()
    assert math.isfinite(float(model.loss(contexts, targets).detach()))


def test_gradients_are_those_of_finite_differences() -> None:
    model = MLP(MLPConfig(4, 2, 2, 3), Generator().manual_seed(1)).double()
    contexts, targets = torch.tensor([[0, 1], [2, 3], [1, 1]]), torch.tensor([2, 0, 3])
    model.loss(contexts, targets).backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for parameter in model.parameters():
        assert parameter.grad is not None
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            at = float(flat[i])
            sides = []
            for sign in (1, -1):
                flat[i] = at + sign * step
                sides.append(float(model.loss(contexts, targets).detach()))
            flat[i] = at
            assert float(gradient[i]) == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-7)


def test_the_five_words_are_overfitted_as_in_the_lecture() -> None:
    model, _ = lecture_mlp(2, 100)
    contexts, targets = all_of(five_words(model))
    losses = {}
    for step in range(1, 1001):
        loss = F.cross_entropy(model(contexts), targets)
        for parameter, gradient in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            parameter.data -= 0.1 * gradient
        losses[step] = float(model.loss(contexts, targets).detach()) if step in (10, 100, 1000) else math.nan
    assert losses[10] == pytest.approx(3.986, abs=5e-3)
    assert losses[100] == pytest.approx(0.3354, abs=5e-4)
    assert losses[1000] == pytest.approx(0.25613, abs=5e-5)
    assert losses[1000] > 5 * math.log(5) / 32  # five names share the context `...`


# --- the lecture's list


@pytest.mark.parametrize(("embedding", "hidden", "loss"), [(2, 100, 19.505), (2, 300, 26.004), (10, 200, 26.006)])
def test_the_lectures_starts_have_the_lectures_loss(lecture: Corpus, embedding: int, hidden: int, loss: float) -> None:
    model, _ = lecture_mlp(embedding, hidden)
    splits = split_words(lecture, train_fraction=1, dev_fraction=0)
    assert mean_loss(model, Rows(splits.train, model, CPU)) == pytest.approx(loss, abs=6e-4)


@pytest.mark.parametrize(
    ("init", "train", "first_batch", "saturated"),
    [
        ("lecture", 26.0047, 27.8817, 0.697),
        ("output-0.1", 4.0688, 4.2326, 0.697),
        ("output-0.01", 3.3079, 3.3221, 0.697),
        ("small", 3.3058, 3.3135, 0.050),
        ("kaiming", 3.3082, 3.3179, 0.194),
        ("zero-output", 3.295837, 3.295837, 0.697),
    ],
)
def test_initialisations_give_the_losses_of_exercise_2(
    lecture: Corpus, init: Initialization, train: float, first_batch: float, saturated: float
) -> None:
    model, g = lecture_mlp(10, 200, init)
    rows = Rows(split_words(lecture).train, model, CPU)
    assert mean_loss(model, rows) == pytest.approx(train, abs=1e-4)
    contexts, targets = rows.take(torch.randint(0, len(rows), (32,), generator=g))
    assert float(model.loss(contexts, targets).detach()) == pytest.approx(first_batch, abs=1e-4)
    contexts, _ = all_of(rows)
    share = float((hidden_of(model, contexts).detach().abs() > 0.97).double().mean())
    assert share == pytest.approx(saturated, abs=6e-4)


@torch.no_grad()
def test_the_start_from_the_unigrams_is_below_the_uniform_loss(lecture: Corpus) -> None:
    model, _ = lecture_mlp(10, 200, "unigram")
    splits = split_words(lecture)
    rows = {name: Rows(split, model, CPU) for name, split in splits}
    model.prepare(rows["train"].distinct(), None)
    assert mean_loss(model, rows["train"]) == pytest.approx(2.8226, abs=1e-4)
    assert mean_loss(model, rows["dev"]) == pytest.approx(2.8210, abs=1e-4)


# --- deeper, and with more parts


def test_layers_are_one_upon_the_other() -> None:
    model = MLP(MLPConfig(27, 3, 4, 6, layers=3, activation="relu", direct=True), Generator().manual_seed(1))
    with torch.no_grad():
        model.direct.normal_(generator=Generator().manual_seed(2))
    contexts = torch.tensor([[0, 1, 2], [5, 6, 7]])
    emb = model.C[contexts].view(2, 12)
    h1 = F.relu(emb @ model.W1 + model.b1)
    h2 = F.relu(h1 @ model.W2 + model.b2)
    h3 = F.relu(h2 @ model.W3 + model.b3)
    assert torch.allclose(model(contexts), h3 @ model.W4 + model.b4 + emb @ model.direct, rtol=1e-4, atol=1e-4)
    values = model.activations(contexts)
    assert list(values) == ["relu1", "relu2", "relu3"]
    assert torch.allclose(values["relu3"], h3, rtol=1e-4, atol=1e-4)


def test_batch_norm_takes_a_batchs_statistics_in_training_and_kept_ones_after() -> None:
    model = MLP(MLPConfig(27, 3, 4, 6, batch_norm=True), Generator().manual_seed(1))
    contexts = torch.randint(0, 27, (50, 3), generator=Generator().manual_seed(1))
    before = model.C[contexts].view(50, 12) @ model.W1
    normal = (before - before.mean(0)) / (before.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(model.activations(contexts)["tanh"], torch.tanh(normal), atol=1e-5)
    model.eval()
    one, all_ = model(contexts[:1]), model(contexts)
    assert torch.allclose(one, all_[:1], atol=1e-6)


def test_a_blank_before_a_word_is_not_the_boundary_that_starts_it() -> None:
    model = MLP(MLPConfig(27, 3, 4, 6, padding="blank"), Generator().manual_seed(1))
    assert model.C.shape == (28, 4)
    assert model.embedding_table().shape == (27, 4)
    emb = model._embed(torch.tensor([[0, 0, 0], [0, 0, 5], [0, 5, 6], [4, 5, 6]])).view(4, 3, 4)
    expected = [[27, 27, 0], [27, 0, 5], [0, 5, 6], [4, 5, 6]]
    assert torch.equal(emb, model.C[torch.tensor(expected)])


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "sigmoid"])
def test_the_kaiming_start_keeps_the_spread_of_deep_layers(activation: str) -> None:
    config = MLPConfig(27, 8, 24, 200, layers=4, activation=activation, init="kaiming")  # type: ignore[arg-type]
    model = MLP(config, Generator().manual_seed(1))
    contexts = torch.randint(0, 27, (500, 8), generator=Generator().manual_seed(1))
    first, *_, last = (float(values.detach().square().mean().sqrt()) for values in model.activations(contexts).values())
    assert 0.5 < last / first < 2
