"""`sample` and `eval`: what a kept run can say, and how well."""

from __future__ import annotations

from typing import Any

import click

from data.levels import CHARACTER
from data.lookup import WordIndex
from data.tokens import UNKNOWN
from data.word_vocabulary import WordVocabulary
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import home_option, json_option
from tui_mm.cli.output import print_json, print_samples, say
from tui_mm.config import LECTURE_SEED
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Which, find_run
from tui_mm.sizes import depth
from tui_mm.text import nats, perplexity, printable

MAX_SAMPLES = 1_000_000


def checkpoint_option(command: Any) -> Any:
    return click.option(
        "--checkpoint",
        type=click.Choice(["last", "best"]),
        default="last",
        show_default=True,
        help="The weights at the end, or those with the least dev loss.",
    )(command)


@click.command(
    "sample",
    cls=PagedCommand,
    short_help="Draw names from a run.",
    examples=(
        ("makemore-tui sample last", "twenty names from the newest run"),
        ("makemore-tui sample last -n 5 --prefix em --seed 7", "five that begin with em, the same every time"),
        ("makemore-tui sample last --temperature 0.5 --top-k 5", "more usual ones"),
        ('makemore-tui sample last --prefix "the old"', "of a run at word level: sentences"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option("-n", "--count", type=click.IntRange(1, MAX_SAMPLES), default=20, show_default=True, help="How many.")
@click.option("--prefix", default="", metavar="TEXT", help="What every name (or sentence) begins with.")
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Below 1 more usual, above 1 more daring; 0 always takes the likeliest.",
)
@click.option(
    "--top-k", type=int, default=0, metavar="N", help="Only the N likeliest characters (or words); 0 takes all."
)
@click.option(
    "--top-p",
    type=float,
    default=1.0,
    metavar="X",
    help="Only the likeliest that together reach this probability; 1 takes all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    default=LECTURE_SEED + 10,
    show_default=True,
    metavar="N",
    help="The same seed gives the same names on every machine.",
)
@click.option(
    "--max-length",
    type=int,
    default=200,
    show_default=True,
    metavar="N",
    help="Cut a name after so many characters (or words).",
)
@checkpoint_option
@home_option
@json_option
def sample_command(
    reference: str,
    count: int,
    prefix: str,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    max_length: int,
    checkpoint: Which,
    home: Home,
    as_json: bool,
) -> int:
    """Draw names from a run (or sentences): new ones, or such as stand in its words."""
    run = find_run(home, reference)
    import torch

    from models.sampling import SamplingConfig, sample
    from tui_mm.worker.loading import load_model

    config = SamplingConfig(temperature, top_k, top_p, max_length)
    trained = load_model(run, checkpoint)
    start = trained.vocabulary.encode(prefix)
    if isinstance(trained.vocabulary, WordVocabulary) and (missing := trained.vocabulary.unknown_in(prefix)):
        say(f"{printable(', '.join(missing))}: not in this model's vocabulary, so taken as {UNKNOWN}", err=True)
    torch.set_num_threads(1)
    names = sample(trained.model, count, generator=torch.Generator().manual_seed(seed), prefix=start, config=config)
    index, level = WordIndex(run.splits()), trained.vocabulary.level
    rows = [(trained.vocabulary.decode(name.tokens), name) for name in names]
    if as_json:
        print_json(
            {
                "run": run.id,
                "step": trained.step,
                "samples": [
                    {
                        "text": text,
                        "seen_in": index.find(text),
                        "ended": name.ended,
                        "probabilities": list(name.probabilities),
                    }
                    for text, name in rows
                ],
            }
        )
        return 0
    cut = "..." if level == CHARACTER else " ..."
    print_samples([(text + ("" if name.ended else cut), index.find(text)) for text, name in rows], level)
    return 0


@click.command(
    "eval",
    cls=PagedCommand,
    examples=(
        ("makemore-tui eval last", "loss on the dev split"),
        ("makemore-tui eval last --split test", "on the test split: once, at the very end"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option(
    "--split",
    type=click.Choice(["train", "dev", "test"]),
    default="dev",
    show_default=True,
    help="Over the whole of it.",
)
@checkpoint_option
@home_option
@json_option
def eval_command(reference: str, split: str, checkpoint: Which, home: Home, as_json: bool) -> int:
    """Evaluate a run on a whole split.

    Every look at the test split is counted: choose by dev, and test once.
    """
    run = find_run(home, reference)
    import torch

    from tui_mm.training.devices import choose_threads
    from tui_mm.training.rows import Rows, mean_loss
    from tui_mm.worker.loading import load_model

    trained = load_model(run, checkpoint)
    chosen, level = run.splits().named(split), trained.vocabulary.level
    if not chosen.examples:
        raise RunError(f"--split: run {run.id} has no {split} {level.rows}; give one of those it was split into")
    config = trained.config
    rows = Rows(chosen, trained.model, torch.device("cpu"))
    parameters = 0 if config.counts else trained.model.parameter_count()  # a table is looked up, not multiplied
    at_once, behind = rows.evaluated_at_once, depth(config, config.block_size)
    torch.set_num_threads(choose_threads(config.threads, at_once, parameters, behind))
    loss = mean_loss(trained.model, rows)
    document: dict[str, Any] = {
        "run": run.id,
        "step": trained.step,
        "split": split,
        "examples": chosen.examples,
        "loss": loss if loss == loss and abs(loss) != float("inf") else None,
    }
    tested = None
    if split == "test":
        with run.store() as store:
            tested = store.increment("test_evaluations")
            store.add_event(trained.step, "tested", f"test loss {nats(loss)}, time {tested} that this run was tested")
        document["test_evaluations"] = tested
    if as_json:
        print_json(document)
        return 0
    said = f"{split} loss {nats(loss)}{perplexity(loss, level)}"
    say(f"{said} over {chosen.examples:,} examples (run {run.id}, step {trained.step:,})")
    if tested is not None:
        often = "once" if tested == 1 else f"{tested} times"
        more = "" if tested == 1 else "; a model chosen by its test loss has no test loss any more"
        say(f"this run has been tested {often}{more}")
    return 0
