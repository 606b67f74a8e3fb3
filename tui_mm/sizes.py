"""How many parameters the model of a configuration has, known without building it. No torch."""

from __future__ import annotations

from tui_mm.config import ConfigError, RunConfig

MAX_PARAMETERS = 1 << 28
"""Known before anything is allocated: with AdamW's state and gradients, 4 GiB."""


def parameter_count(config: RunConfig, vocab_size: int) -> int:
    """Numbers that are learnt; of a model that counts, the cells of its table, of which few are kept."""
    c, V = config, vocab_size
    d, h = c.embedding, c.hidden
    if c.counts:
        return int(V ** (c.context + 1))
    if c.model == "neural-bigram":
        return V * V
    if c.model == "wavenet":
        levels = levels_of(c.block_size)
        return V * d + 2 * d * h + (levels - 1) * 2 * h * h + levels * 2 * h + (h + 1) * V
    if c.model == "bow":
        return (V + c.block_size) * d + 2 * d * h + h + d + (d + 1) * V
    if c.model in _STATES:
        maps, starts = _STATES[c.model]
        return V * d + starts * h + maps * h * (d + h + 1) + (h + 1) * V
    if c.model == "transformer":
        block = 12 * d * d + 13 * d  # two norms 4d, attention 4d^2 + 4d, mlp 8d^2 + 5d
        return (V + c.block_size) * d + c.layers * block + 2 * d + d * V
    inputs = c.block_size * d
    biases = 2 * h if c.norm == "batch" else h  # of a hidden layer: gain and shift, or a bias
    total = (V + (c.padding == "blank")) * d + inputs * h + biases
    total += (c.layers - 1) * (h * h + biases) + (h + 1) * V
    return total + (inputs * V if c.direct == "yes" else 0)


def levels_of(block_size: int) -> int:
    """How often WaveNet fuses pairs until one is left."""
    return max(1, (block_size - 1).bit_length())


_STATES = {"rnn": (1, 1), "gru": (3, 1), "lstm": (4, 2)}
"""Of a recurrent cell: its maps, and the states it begins with."""


def depth(config: RunConfig, length: int) -> int:
    """How many products of a forward pass over ``length`` ids stand one behind another: threads wait for each other at
    each."""
    if config.model in _STATES:
        return max(1, length)
    if config.model == "transformer":
        return 4 * config.layers  # attend, project, up, down
    if config.model == "wavenet":
        return levels_of(config.block_size)
    return config.layers if config.model == "mlp" else 1


def check_size(config: RunConfig, vocab_size: int) -> None:
    """Raises ConfigError for a model too large to be built."""
    count = parameter_count(config, vocab_size)
    if not config.counts and count > MAX_PARAMETERS:
        raise ConfigError(
            f"block-size, embedding, hidden: make {count:,} parameters with {vocab_size:,} {config.level}s, more than "
            f"the {MAX_PARAMETERS:,} allowed; give smaller ones"
        )
