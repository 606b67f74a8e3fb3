"""`train` and `resume`: the training in the foreground."""

from __future__ import annotations

import math
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from data.bigrams import BigramCounts
from data.levels import CHARACTER, Level
from data.lookup import WordIndex
from data.splits import Splits
from data.tokens import tokenize
from tui_mm.cli.control import let_go_on, start_detached
from tui_mm.cli.hangup import outliving_terminal
from tui_mm.cli.help import PagedCommand
from tui_mm.cli.options import config_from, config_options, detach_option, home_option, json_option
from tui_mm.cli.output import ascii_only, print_json, print_samples, say, terminal_width, use_color
from tui_mm.cli.progress import make_display
from tui_mm.config import RunConfig
from tui_mm.kinds import size_text
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run, find_run
from tui_mm.runs.series import LossSeries
from tui_mm.runs.summary import summarize
from tui_mm.signals import stop_on_signals
from tui_mm.text import nats, perplexity, printable
from tui_mm.words import data_facts, load_words, model_facts, split_for
from tui_mm.worker.client import LOG

if TYPE_CHECKING:
    from tui_mm.training.trainer import Trainer

EXIT_DIVERGED = 1


@click.command(
    "train",
    cls=PagedCommand,
    short_help="Train on a list of words, keep the run.",
    examples=(
        ("makemore-tui train", "the bundled names, about ten seconds"),
        ("makemore-tui train --data words.txt --steps 5000", "your own list, one word a line"),
        ("makemore-tui train --preset lecture --data lecture-names", "the lecture's run"),
        ("makemore-tui train --preset five-words", "overfit five words"),
        ("makemore-tui train --preset bengio --data book.txt", "words of a plain text, as in Bengio et al. 2003"),
        ("cat words.txt | makemore-tui train --data - --json", "for another program"),
    ),
)
@config_options
@click.option("--name", metavar="NAME", help="A name to find the run by.")
@detach_option
@home_option
@json_option
def train_command(home: Home, name: str | None, detach: bool, as_json: bool, **keywords: Any) -> int:
    """Train a model on a list of words and keep the run.

    Ctrl-C stops with a checkpoint; 'makemore-tui resume' goes on from it to the same result, to the bit. A line that
    drops ends nothing: the training goes on, and 'makemore-tui attach' shows it again.
    """
    return train(config_from(keywords), home, name, detach=detach, as_json=as_json)


def train(
    config: RunConfig, home: Home, name: str | None = None, *, detach: bool = False, as_json: bool = False
) -> int:
    """A new run, trained in the foreground, or without a terminal where it is to ``detach``; the exit code."""
    corpus = load_words(config, home.datasets)
    splits = split_for(config, corpus)
    trainer = None
    if not detach:
        from tui_mm.training.setup import build_trainer

        trainer = build_trainer(config, splits)
    home.make()
    facts = {
        "data": data_facts(config, splits, WordIndex(splits).distinct),
        "model": model_facts(config, splits.vocabulary),
    }
    run = create_run(home, config, corpus, name, facts)
    return start_detached(run, as_json=as_json) if trainer is None else _train(run, trainer, splits, as_json=as_json)


@click.command(
    "resume",
    cls=PagedCommand,
    short_help="Go on with a run from its last checkpoint.",
    examples=(
        ("makemore-tui resume last", "go on with the newest run"),
        ("makemore-tui resume 3f --device cpu", "a run by the start of its id, on another device"),
        ("makemore-tui resume last --detach", "without this terminal"),
    ),
)
@click.argument("reference", metavar="RUN")
@click.option("--device", metavar="TEXT", help="Another device than the run had: equal only up to rounding then.")
@detach_option
@home_option
@json_option
def resume_command(reference: str, device: str | None, detach: bool, home: Home, as_json: bool) -> int:
    """Go on with a run that was paused, stopped or killed, from where it is or from its last checkpoint.

    It ends with the weights it would have had without the interruption, to the bit. A finished run is only shown.
    """
    run = find_run(home, reference)
    status = run.status()
    if status == "done":
        say(f"run {run.id} is done already; nothing to resume", err=as_json)
        _report(run, run.splits(), as_json=as_json)
        return 0
    if status == "paused":
        return let_go_on(run, as_json=as_json)
    if detach:
        if device:
            raise click.UsageError("--device cannot be given with --detach: the run goes on where it was")
        return start_detached(run, as_json=as_json)
    with run.training_lock():  # refused before torch is loaded, which takes seconds
        pass
    from tui_mm.worker.loading import resume_trainer

    trainer, splits = resume_trainer(run, device)
    return _train(run, trainer, splits, as_json=as_json)


def _train(run: Run, trainer: Trainer, splits: Splits, *, as_json: bool) -> int:
    from tui_mm.worker.server import Server
    from tui_mm.worker.session import training_session
    from tui_mm.worker.trouble import WaitEndedError
    from tui_mm.worker.viewers import Foreground

    _introduce(run, trainer, splits, err=as_json)
    display = make_display(trainer.total_steps, trainer.step, as_json=as_json)
    with (
        outliving_terminal(run.folder / LOG, display.drop) as terminal,
        training_session(run, trainer, splits, serves=True) as session,
        stop_on_signals() as stop,
        display,
    ):
        show, tell = terminal.shown(display), terminal.shown(display.tell)
        ended = ""
        try:
            server = Server(session, Foreground(), stop, observe=show, tell=tell)
            server.forget_orders()
            finished = server.train()
        except WaitEndedError as error:
            finished, ended = None, str(error)
    if finished is None:
        line = f"stopped at step {trainer.step:,}, checkpoint kept; go on with: makemore-tui resume {run.id}"
        say(printable(ended) or line, err=as_json)
        if as_json:
            print_json(summarize(run))
        return stop.exit_code if stop() else 0
    _report(run, splits, as_json=as_json)
    if finished.reason == "diverged":
        say(
            f"makemore-tui: error: training failed at step {finished.step:,}: {finished.message}; "
            f"train with a lower --lr (it was {trainer.config.lr:g}), 'makemore-tui sweep' helps to find one",
            err=True,
        )
        return EXIT_DIVERGED
    return 0


def _introduce(run: Run, trainer: Trainer, splits: Splits, *, err: bool) -> None:
    import torch

    c, level = trainer.config, splits.corpus.level
    unknown = "" if level == CHARACTER else " and the unknown word"
    examples = " / ".join(f"{split.examples:,} {name}" for name, split in splits if split.examples)
    size = len(splits.vocabulary)
    say(
        f"{printable(splits.corpus.name)}: {len(splits.corpus):,} {level.rows}, {size:,} {level.units} with "
        f"the end of a {level.row}{unknown}, {examples} examples",
        err=err,
    )
    threads = torch.get_num_threads()
    where = f"{trainer.device}, {threads} thread{'s' if threads > 1 else ''}"
    how = f"{c.steps:,} steps of {c.batch_size or 'all'}, {c.optimizer}, lr {c.lr:g} {c.schedule}"
    if c.counts:
        how = "counted once"
    say(f"{c.model}: {size_text(c.model, trainer.model.parameter_count())} on {where}; {how}", err=err)
    say(f"run {run.id}", err=err)


def _report(run: Run, splits: Splits, *, as_json: bool) -> None:
    summary = summarize(run)
    if as_json:
        print_json(summary)
        return
    size = len(splits.vocabulary)
    counts = BigramCounts.of(splits.train.tokens, size)
    on = BigramCounts.of(splits.dev.tokens, size) if splits.dev.examples else None
    counted = [("bigram counts", counts.loss(1, on))]
    if splits.corpus.level != CHARACTER:  # with 1 added to so many pairs, bigram counts of words are easily beaten
        counted.append(("unigram counts", counts.unigram_loss(1, on)))
    with run.store() as store:
        series = LossSeries(store.losses())
        dev = [(e.step, e.dev) for e in store.evaluations() if e.dev is not None]
        samples = store.samples()
    if sys.stdout.isatty() and series.steps > 1:
        from tui_mm.dashboard.charts.look import Colors, Look
        from tui_mm.dashboard.charts.loss import loss_curve

        baselines = [(f"uniform ln {size}", math.log(size)), *counted]
        look = Look(terminal_width(), colors=Colors() if use_color() else None, ascii_only=ascii_only())
        say(loss_curve(series, dev, baselines, look))
    found = summary["losses"]
    level = splits.corpus.level
    taken = [(name, found[name]) for name in ("train", "dev") if found[name] is not None]
    parts = [f"{name} {nats(loss)}{perplexity(loss, level)}" for name, loss in taken]
    if found["best_dev"] is not None and found["best_step"] != summary["steps"]:
        parts.append(f"best dev {nats(found['best_dev'])} at step {found['best_step']:,}")
    parts += [f"{name} {loss:.4f}" for name, loss in (*counted, ("uniform", math.log(size)))]
    say(f"loss: {', '.join(parts)}")
    rate = summary["steps_per_second"]
    speed = f" at {rate:,.0f} steps/s" if rate and summary["steps"] > 1 else ""
    say(f"{summary['steps']:,} steps{speed}, {summary['seconds']:.1f} s with evaluations")
    if samples:
        say("samples:")
        print_samples([(s.text, s.seen_in) for s in samples], level, "  ")
        best = " --checkpoint best" if _has_overfitted(found) else ""
        say(f"more: makemore-tui sample {run.id} --prefix {_beginning(samples[0].text, level)}{best}")


def _beginning(text: str, level: Level) -> str:
    """Of a sample, to be tried as a prefix: two letters, or a word; as a shell takes it where it is a word."""
    if level == CHARACTER:
        return printable(text[:2]) or "a"
    word = next((token for token in tokenize(text) if token[0].isalnum()), "a")
    return shlex.quote(printable(word))


def _has_overfitted(losses: dict[str, Any]) -> bool:
    """Whether dev got clearly worse again, so that the best weights are not the last."""
    best = losses["best_dev"]
    return best is not None and losses["dev"] is not None and losses["dev"] > best + 0.05
