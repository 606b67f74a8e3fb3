"""How long a training will take, before it is started: a cost model, and a machine's speed against it. No torch.

A step costs its overhead, the multiply-adds of its rows, the values that pass through memory, and its update; an
evaluation costs a forward pass over the distinct contexts. The figures are one thread's of the machine it was
calibrated on (two cores of a 2020s x86 server), for batches from 1 to 4,096, 3,000 to 1,300,000 parameters and both
optimizers: within 1.25 times of the best measured. A full batch of a long list, which fits no cache, takes twice as
long. Other machines, threads and devices differ by a factor that ``speed_of`` learns.
"""

from __future__ import annotations

import math

from tui_mm.config import RunConfig, unused
from tui_mm.kinds import KINDS, size_text
from tui_mm.sizes import levels_of, parameter_count

_STEP = 320e-6  # seconds: the calls of one step
_MULTIPLY_ADD = 7e-11  # forward and backward, of one parameter for one row
_VALUE = 9.5e-9  # of an embedding, a hidden unit or a logit, for one row
_UPDATE = {"sgd": 0.6e-9}  # of one parameter
_ADAPTIVE_UPDATE = 2.3e-9  # by an optimizer that keeps two averages
_EVALUATED_ROW = 0.5e-6  # the loss of a row's followers
_EVALUATED_MULTIPLY_ADD = 6e-11
_RECURRENCE = {"rnn": 40e-6, "gru": 100e-6, "lstm": 100e-6}  # of one position's calls
_RECURRENT_VALUES = {"rnn": 2, "gru": 6, "lstm": 9}  # in states
_FORWARD = 0.5  # of a step's cost, what a forward pass alone takes
_WORD, _PADDED_WORD = 7, 12  # predictions of a word, and the longest of a minibatch's words
_COUNTED = 0.3e-6  # an example of a model that counts, or of the first evaluation, which sorts them
_DISTINCT = 0.35  # of a long list's contexts, those that differ when they are long: beginnings are shared
_BRANCHES = 0.75  # of the characters, those that make up the contexts of a short list

_LEAST, _MOST = 1e-3, 1e3  # of a speed: a run of a few milliseconds tells little


def expected_seconds(config: RunConfig, vocab_size: int, train_examples: int, speed: float = 1.0) -> float:
    """Seconds of a whole training with its evaluations, on a machine ``speed`` times as fast as the calibrated one.

    ``vocab_size``: characters with the boundary; ``train_examples``: predictions in the train split.
    """
    if "steps" in unused(config.values()):
        return _COUNTED * train_examples / speed
    parameters = parameter_count(config, vocab_size)
    values = values_of(config, vocab_size)
    sequence = KINDS[config.model].sequence
    rows = config.batch_size or (train_examples / _WORD if sequence else train_examples)
    positions = rows * min(config.block_size, _PADDED_WORD) if sequence else rows
    step = (
        _STEP
        + config.block_size * _RECURRENCE.get(config.model, 0.0)
        + positions * (parameters * _MULTIPLY_ADD + values * _VALUE)
        + parameters * _UPDATE.get(config.optimizer, _ADAPTIVE_UPDATE)
    )
    evaluations = 1 + math.ceil(config.steps / config.evaluation_interval)
    dev_examples = round(train_examples * config.dev_fraction / config.train_fraction)
    if sequence:
        contexts: float = train_examples + dev_examples
        evaluation = contexts * _FORWARD * (parameters * _MULTIPLY_ADD + values * _VALUE)
    else:
        contexts = distinct_contexts(config.context, vocab_size, train_examples)
        contexts += distinct_contexts(config.context, vocab_size, dev_examples)
        evaluation = contexts * (_EVALUATED_ROW + parameters * _EVALUATED_MULTIPLY_ADD)
    return (config.steps * step + evaluations * evaluation + _COUNTED * train_examples) / speed


def values_of(config: RunConfig, vocab_size: int) -> float:
    """How many numbers a prediction makes on its way through the model, operations that copy counted again."""
    c, d, h = config, config.embedding, config.hidden
    if c.model == "neural-bigram":
        return 1.0 + vocab_size
    if c.model == "wavenet":
        return c.block_size * d + 2.0 * h * ((1 << levels_of(c.block_size)) - 1) + vocab_size
    if c.model == "bow":
        return 4 * d + h + vocab_size
    if c.model == "transformer":
        return d + 12.0 * d * c.layers + vocab_size
    if c.model in _RECURRENT_VALUES:
        return d + _RECURRENT_VALUES[c.model] * h + vocab_size
    return c.block_size * d + c.layers * h * (3 if c.norm == "batch" else 1) + vocab_size


def speed_of(config: RunConfig, vocab_size: int, train_examples: int, measured_seconds: float) -> float:
    """How many times as fast as the calibrated machine one is that took ``measured_seconds`` for this training.

    For a run that ended early, give its configuration with the steps it made.
    """
    if not 0 < measured_seconds < math.inf:
        return 1.0
    return min(_MOST, max(_LEAST, expected_seconds(config, vocab_size, train_examples) / measured_seconds))


def distinct_contexts(block_size: int, vocab_size: int, examples: int) -> float:
    """About how many different contexts there are among ``examples``: all that are possible for short ones, a share
    of the examples for long ones."""
    if not examples:
        return 0.0
    possible = math.exp(min(700.0, block_size * math.log(max(1.0, _BRANCHES * vocab_size))))
    return 1 / (1 / possible + 1 / (_DISTINCT * examples))


def examples_of(config: RunConfig, known: RunConfig, words: int, train_examples: int) -> int:
    """About how many train examples ``config`` makes of a list that, under ``known``, has ``words`` words of which
    the train split makes ``train_examples``."""
    taken = min(config.max_words, words) if config.max_words else words
    return round(train_examples * taken * config.train_fraction / (words * known.train_fraction))


def outlook(config: RunConfig, vocab_size: int, train_examples: int, speed: float = 1.0) -> list[str]:
    """What a configuration comes to, in words: its parameters, its time, its steps."""
    steps = f"{config.steps:,} step{'s' if config.steps > 1 else ''} of {config.batch_size or 'all'}"
    return [
        size_text(config.model, parameter_count(config, vocab_size)),
        f"about {clock(expected_seconds(config, vocab_size, train_examples, speed))} on this machine",
        "counted once" if "steps" in unused(config.values()) else steps,
    ]


def clock(seconds: float) -> str:
    """``0:09``, ``1:02:03``, ``12 days``."""
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:,.0f} days"
    whole = max(1, math.ceil(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
