"""A real worker process, asked for things through the run's inbox."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from data.corpus import Corpus
from tui_mm.config import RunConfig, make_config
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, create_run
from tui_mm.training.replicas.results import results
from tui_mm.training.replicas.training import build_replicas
from tui_mm.training.trials import Trials, trial_configs
from tui_mm.words import split_for
from tui_mm.worker import protocol as ask
from tui_mm.worker import server as server_module
from tui_mm.worker.client import WorkerClient, WorkerGoneError
from tui_mm.worker.loading import resume_trainer
from tui_mm.worker.session import training_session

PATIENCE_S = 60.0
LONG = 10_000_000


def new_run(corpus: Corpus, **flags: Any) -> Run:
    values = {
        "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "steps": 400, "threads": 1, "device": "cpu",
        "eval_every": 100, **flags,
    }  # fmt: skip
    config: RunConfig = make_config(flags=values)
    facts = {"data": {"name": corpus.name}, "model": {"kind": config.model}}
    return create_run(Home.find(), config, corpus, None, facts)


@asynccontextmanager
async def worker_of(run: Run) -> AsyncIterator[WorkerClient]:
    client = WorkerClient(run)
    client.start_worker()
    try:
        yield client
    finally:
        process = client._process
        client.close()
        if process is not None:
            try:
                await asyncio.to_thread(process.wait, PATIENCE_S if run.status() == "done" else 0.2)
            except Exception:  # noqa: BLE001, a training that was left running is ended
                process.kill()
                process.wait()


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := condition()):
            await asyncio.sleep(0.005)
    return found


def steps_of(run: Run) -> int:
    with run.store() as store:
        return store.steps


def arrays(run: Run) -> dict[str, Any]:
    return load_checkpoint(run.checkpoint("last")).arrays


def same(a: Run, b: Run) -> bool:
    first, second = arrays(a), arrays(b)
    return first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


def train_here(run: Run) -> None:
    """Without a worker: what it is compared with."""
    trainer, splits = resume_trainer(run)
    with training_session(run, trainer, splits) as session:
        session.train()


async def finished(run: Run) -> None:
    await until(lambda: run.status() in ("done", "diverged", "failed"))


def test_a_person_pauses_steps_asks_and_sweeps_and_the_result_is_the_same_to_the_bit(corpus: Corpus) -> None:
    async def scenario() -> None:
        plain, watched = new_run(corpus, steps=3000), new_run(corpus, steps=3000)
        train_here(plain)
        async with worker_of(watched) as client:
            # before the training: names from an untrained model, and a sweep
            early = await client.ask(ask.Sample("em", count=3, seed=1))
            assert early["step"] == 0
            await client.ask(ask.Sweep(points=50))
            assert watched.status() == "created"

            await client.ask(ask.Step(7))
            await until(lambda: watched.status() == "paused")
            assert steps_of(watched) == 7
            await client.ask(ask.Step(1))
            await until(lambda: steps_of(watched) == 8)

            await client.ask(ask.Start())
            sweeping = client.send(ask.Sweep(points=200))
            sample = await client.ask(ask.Sample("em", count=5, seed=1))
            assert len(sample["names"]) == 5
            assert all(n["text"].startswith("em") for n in sample["names"])
            assert math.isclose(sum(sample["next"]), 1)
            evaluated = await client.ask(ask.Evaluate("dev"))
            assert evaluated["loss"] > 0
            await until(lambda: client.answer(sweeping))
            if steps_of(watched) < 3000:
                paused = await client.ask(ask.Pause())
                await client.ask(ask.Checkpoint())
                assert steps_of(watched) == paused["step"] or watched.status() == "done"
                if watched.status() != "done":
                    await client.ask(ask.Start())
            await finished(watched)
            with watched.store() as store:
                exponents, losses = store.sweep_points()
            assert len(exponents) == len(losses) == 200
        assert same(plain, watched)
        with plain.store() as a, watched.store() as b:
            assert np.array_equal(a.losses(), b.losses())
            assert a.samples() == b.samples()

    asyncio.run(scenario())


def test_stop_keeps_a_checkpoint_and_start_goes_on(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG)
        async with worker_of(run) as client:
            await client.ask(ask.Start())
            await until(lambda: steps_of(run) > 50)
            await client.ask(ask.Stop())
            await until(lambda: run.status() == "stopped")
            stopped = steps_of(run)
            assert load_checkpoint(run.checkpoint("last")).values["trainer"]["step"] == stopped
            await client.ask(ask.Start())
            await until(lambda: steps_of(run) > stopped)
            await client.ask(ask.Stop())
            await until(lambda: run.status() == "stopped")
            with run.store() as store:
                assert len(store.losses()) == steps_of(run)

    asyncio.run(scenario())


def test_a_changed_rate_is_part_of_the_run_when_it_is_killed_and_resumed(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG, schedule="constant", lr=0.01)
        async with worker_of(run) as client:
            await client.ask(ask.Step(20))
            await until(lambda: run.status() == "paused")
            await client.ask(ask.SetLr(0.002))
            with pytest.raises(ask.CommandError, match="above 0"):
                await client.ask(ask.SetLr(-1))
            assert client._process is not None
            client._process.kill()
            client._process.wait()
        assert run.status() == "crashed"
        async with worker_of(run) as client:
            await client.ask(ask.Step(30))
            await until(lambda: run.status() == "paused")
            with run.store() as store:
                assert {c.lr for c in store.loss_chunks() if c.first_step > 20} == {0.002}
                assert len(store.losses()) == 50

    asyncio.run(scenario())


def test_a_worker_whose_viewer_leaves_trains_to_the_end_and_goes(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=5_000)
        async with worker_of(run) as client:
            await client.ask(ask.Start())
            client.leave()
            assert client._process is not None
            assert await asyncio.to_thread(client._process.wait, PATIENCE_S) == 0
        assert run.status() == "done"
        assert steps_of(run) == 5_000

    asyncio.run(scenario())


@pytest.mark.parametrize("paused", [False, True])
def test_an_idle_or_paused_worker_goes_with_its_viewer(paused: bool, corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG)
        async with worker_of(run) as client:
            await client.ask(ask.Step(5) if paused else ask.Checkpoint())
            if paused:
                await until(lambda: run.status() == "paused")
            client.leave()
            assert client._process is not None
            assert await asyncio.to_thread(client._process.wait, PATIENCE_S) == 0
        assert run.status() == ("stopped" if paused else "created")

    asyncio.run(scenario())


def test_sigterm_keeps_a_checkpoint_and_a_dropped_line_changes_nothing(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG)
        async with worker_of(run) as client:
            await client.ask(ask.Start())
            assert client._process is not None
            client._process.send_signal(signal.SIGHUP)
            reached = steps_of(run)
            await until(lambda: steps_of(run) > reached + 20)
            client._process.terminate()
            assert await asyncio.to_thread(client._process.wait, PATIENCE_S) == 143
        assert run.status() == "stopped"

    asyncio.run(scenario())


def test_a_worker_that_dies_is_noticed_with_its_last_lines(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus)
        (run.folder / "words.txt").write_bytes(b"\xff")
        async with worker_of(run) as client:
            with pytest.raises(WorkerGoneError, match="not utf-8"):
                await client.ask(ask.Start())
            assert any("not utf-8" in line for line in client.last_lines())

    asyncio.run(scenario())


def test_what_is_refused_says_why_and_the_training_goes_on(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG)
        async with worker_of(run) as client:
            await client.ask(ask.Start())
            for command, word in (
                (ask.Sample("É"), "vocabulary"),
                (ask.Sample(temperature=-1.0), "temperature"),
                (ask.Sample(count=10**9), "count"),
                (ask.Evaluate("all"), "train, dev, test"),
                (ask.Step(0), "whole number"),
                (ask.Sweep(low=1.0, high=0.0), "--from"),
            ):
                with pytest.raises(ask.CommandError, match=word):
                    await client.ask(command)
            reached = steps_of(run)
            await until(lambda: steps_of(run) > reached)

    asyncio.run(scenario())


def test_rates_are_trained_at_beside_a_training_which_stays_the_same_to_the_bit(corpus: Corpus) -> None:
    async def scenario() -> None:
        plain, watched = new_run(corpus, steps=2000), new_run(corpus, steps=2000)
        train_here(plain)
        plan = ask.TrainedSweep(rates=3, seeds=2, steps=300)
        async with worker_of(watched) as client:
            with pytest.raises(ask.CommandError, match="a spread needs two"):
                await client.ask(ask.TrainedSweep(seeds=1))
            with pytest.raises(ask.CommandError, match="--points: 1 is not allowed"):
                await client.ask(ask.TrainedSweep(rates=1))
            client.send(ask.Start())
            sweeping = client.send(plan)
            with pytest.raises(ask.CommandError, match="one is under way"):
                await client.ask(ask.Sweep())
            await until(lambda: client.answer(sweeping))
            await finished(watched)
        assert same(plain, watched)
        with watched.store() as store:
            trials = Trials.of_points(*store.sweep_points())
            assert store.get("trained_sweep") == {"steps": 300, "done": 300, "measured": "dev", "is_final": True}
        assert trials is not None
        assert trials.exponents.tolist() == [-3.0, -1.5, 0.0]
        config = watched.config()
        configs = trial_configs(config, trials.exponents, plan.seeds, plan.steps)
        alone = [p for p in results(build_replicas(configs, split_for(config, corpus))) if p is not None][-1]
        np.testing.assert_allclose(trials.losses.flatten(), alone.losses, rtol=1e-3)

    asyncio.run(scenario())


@pytest.mark.parametrize("plan", [ask.TrainedSweep(rates=3, seeds=2, steps=10**6), ask.Sweep(points=10**6)])
def test_a_sweep_is_ended_and_another_begun(corpus: Corpus, plan: ask.Command) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=2000)
        async with worker_of(run) as client:
            with pytest.raises(ask.CommandError, match="end sweep: none is under way"):
                await client.ask(ask.EndSweep())
            sweeping = client.send(plan)
            with run.store() as store:
                await until(lambda: bool(np.isfinite(store.sweep_points()[1]).any()))
            await client.ask(ask.EndSweep())
            answer = client.answer(sweeping)
            assert answer is not None
            assert answer["ended"] is True
            assert (await client.ask(ask.Sweep(points=20)))["sweep"] == answer["sweep"] + 1
        if isinstance(plan, ask.TrainedSweep):
            with run.store() as store:
                kept = store.get("trained_sweep")
            assert kept["is_final"] is True
            assert 0 < kept["done"] < plan.steps

    asyncio.run(scenario())


def test_hyperparameters_change_before_the_training_and_the_model_is_looked_into(corpus: Corpus) -> None:
    async def scenario() -> None:
        plain, changed = new_run(corpus, hidden=24, lr=0.02), new_run(corpus)
        train_here(plain)
        async with worker_of(changed) as client:
            before = await client.ask(ask.Inspect("layers"))
            sweeping = client.send(ask.Sweep(points=3000))
            with pytest.raises(ask.CommandError, match="sweep is under way"):
                await client.ask(ask.Configure({"hidden": 24}))
            await until(lambda: client.answer(sweeping))
            with pytest.raises(ask.CommandError, match="hidden"):
                await client.ask(ask.Configure({"hidden": -1}))
            with pytest.raises(ask.CommandError, match="max_words"):
                await client.ask(ask.Configure({"max_words": 3}))
            answer = await client.ask(ask.Configure(plain.config().values()))
            after = await client.ask(ask.Inspect("layers"))
            assert [p["shape"] for p in before["parameters"]] != [p["shape"] for p in after["parameters"]]
            assert answer["parameters"] == sum(math.prod(p["shape"]) for p in after["parameters"])
            client.send(ask.Start())
            with pytest.raises(ask.CommandError, match="trained"):
                await client.ask(ask.Configure({"lr": 0.1}))
            for what in ("embedding", "layers", "bigrams"):
                assert (await client.ask(ask.Inspect(what)))["step"] >= 0
            await finished(changed)
            assert (await client.ask(ask.Inspect("bigrams", average=True)))["step"] == 400
        assert same(plain, changed)

    asyncio.run(scenario())


class _Absent:
    """A viewer that is not waited for."""

    gone = True

    def wait(self, seconds: float) -> None:
        pass


def test_old_answers_are_deleted_once_whoever_asked_has_had_the_time_to_read_them(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_TIDY_SECONDS", 0.0)
    run = new_run(corpus)
    trainer, splits = resume_trainer(run)
    with training_session(run, trainer, splits) as session, run.store() as viewer:
        server = server_module.Server(session, _Absent())  # type: ignore[arg-type]
        early = viewer.put_command("me", "evaluate", {})
        for _ in range(300):
            viewer.put_command("me", "pause", {})
        server.serve()
        assert viewer.answer(early) is not None, "answered just now, though 300 commands came since"
        last = viewer.put_command("me", "pause", {})
        server.serve()
        with pytest.raises(RunError, match=f"no command {early}"):
            viewer.answer(early)
        assert viewer.answer(last) is not None
        assert viewer.answer(last - 199) is not None


def test_two_viewers_command_one_worker(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, steps=LONG)
        async with worker_of(run) as first:
            await first.ask(ask.Start())
            second = WorkerClient(run, "the other")
            second.start_worker()
            assert second._process is None, "the run had a worker already"
            await second.ask(ask.Pause())
            assert run.status() == "paused"
            await first.ask(ask.Start())
            await until(lambda: run.status() == "running")
            second.close()

    asyncio.run(scenario())


def test_commands_given_at_once_are_carried_out_in_their_order(corpus: Corpus) -> None:
    """All of them stand in the inbox before the worker has loaded torch."""

    async def scenario() -> None:
        stopped, paused = new_run(corpus, steps=LONG), new_run(corpus, steps=LONG)
        async with worker_of(stopped) as client:
            client.send(ask.Start())
            await client.ask(ask.Stop())
            await until(lambda: stopped.status() == "stopped")
        async with worker_of(paused) as client:
            client.send(ask.Start())
            await client.ask(ask.Pause())
            await until(lambda: paused.status() == "paused")
            reached = steps_of(paused)
            await client.ask(ask.Start())
            await until(lambda: steps_of(paused) > reached and paused.status() == "running")

    asyncio.run(scenario())


def test_after_a_divergence_it_goes_on_from_the_last_good_weights_with_a_lower_rate(corpus: Corpus) -> None:
    async def scenario() -> None:
        run = new_run(corpus, optimizer="sgd", lr=1e30, schedule="constant")
        async with worker_of(run) as client:
            await client.ask(ask.Start())
            await until(lambda: run.status() == "diverged")
            with pytest.raises(ask.CommandError, match="not numbers"):
                await client.ask(ask.Sample())
            await client.ask(ask.SetLr(0.001))
            await client.ask(ask.Start())
            await until(lambda: run.status() == "done")
            with run.store() as store:
                assert np.isfinite(store.losses()).all()
                assert len(store.losses()) == 400

    asyncio.run(scenario())
