"""The app's questions: which screen a key opens, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from tui_mm.config import RunConfig
from tui_mm.dashboard.host import RunHost
from tui_mm.dashboard.screens.quit import Choice, QuitScreen
from tui_mm.runs.differences import LEAST_COMPARED, MOST_COMPARED
from tui_mm.runs.home import RunError
from tui_mm.text import printable
from tui_mm.worker import protocol as ask

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from tui_mm.experiments.kept import KeptExperiment
    from tui_mm.experiments.starting import Process
    from tui_mm.runs.presence import Presence
    from tui_mm.runs.row import RunRow
    from tui_mm.runs.run import Run


@dataclass(frozen=True)
class Leaving:
    """Why the app was left for a while: the run to play back, by its id, and the one to come back to, which is watched
    until then, so that one that is paused stays so."""

    replay: str
    run: Run
    presence: Presence

    def back_to(self) -> str | None:
        """Its id, or None if it is gone: a draft is not kept."""
        return self.run.id if self.run.folder.is_dir() else None


class DialogHost(RunHost):
    """A run's host that can be asked and asks. A screen is loaded when it is opened first."""

    leaving: Leaving | None = None

    class LiveFound(Message):
        """Trainings that go on elsewhere, newest first."""

        def __init__(self, live: Sequence[RunRow]) -> None:
            super().__init__()
            self.live = live

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Shown as it is: a line may quote what stands in a file, and nothing in it is markup or a command."""
        shown = "\n".join(printable(line) for line in message.split("\n"))
        super().notify(shown, title=printable(title), severity=severity, timeout=timeout, markup=False)

    def show_all(self) -> None:
        """What the state has now, in every panel that is seen."""
        raise NotImplementedError

    def action_help(self) -> None:
        from tui_mm.dashboard.panels.every import ALL_PANELS
        from tui_mm.dashboard.screens.compare import CompareScreen
        from tui_mm.dashboard.screens.help import HelpScreen, help_sections
        from tui_mm.dashboard.screens.runs import RunsScreen, RunsTable

        screens = [
            ("Runs (r first)", [*RunsTable.BINDINGS, *RunsScreen.BINDINGS]),
            ("Compare (C first, or c in the runs)", CompareScreen.BINDINGS),
        ]
        self.push_screen(HelpScreen(help_sections(self.BINDINGS, ALL_PANELS, screens)))

    def action_rate(self) -> None:
        from tui_mm.dashboard.screens.rate import RateScreen

        now = self.state.config.lr
        self.push_screen(RateScreen(now), lambda lr: self.set_rate(lr) if lr is not None else None)

    def action_words(self) -> None:
        from tui_mm.dashboard.screens.words import WordsScreen

        def chosen(data: str | None) -> None:
            if data is not None:
                self._set_up(self.state.config.but(data=data))

        screen = WordsScreen(
            datasets=self.home.datasets,
            recent=self.state.settings.recent,
            encoding=self.state.config.encoding,
            level=self.state.config.level,
            ascii_only=self.state.ascii_only,
        )
        self.push_screen(screen, chosen)

    def action_setup(self) -> None:
        from tui_mm.dashboard.screens.setup import SetupScreen

        words = self.state.words
        screen = SetupScreen(
            self.state.config,
            self.state.settings,
            datasets=self.home.datasets,
            words=None if words is None else len(words.splits.corpus),
            vocab_size=None if words is None else len(words.splits.vocabulary),
            train_examples=None if words is None else words.splits.train.examples,
            ascii_only=self.state.ascii_only,
        )
        self.push_screen(screen, lambda config: self._set_up(config) if config is not None else None)

    def _set_up(self, config: RunConfig) -> None:
        """Go over to a configuration; asks what is to become of a training that is under way."""
        if not self.state.is_training:
            self.configure(config)
            return

        def answered(choice: Choice | None) -> None:
            if choice == "stop":
                self.send(ask.Stop())
            if choice == "keep" and self.state.status == "paused":
                self.send(ask.Start())
            if choice in ("stop", "keep"):
                self.begin(config)

        self.push_screen(QuitScreen(), answered)

    def action_runs(self) -> None:
        from tui_mm.dashboard.overlays import overlay
        from tui_mm.dashboard.screens.runs import RunsAnswer, RunsScreen

        def answered(answer: RunsAnswer | None) -> None:
            if answer is None:
                return
            if answer.compare:
                self.compare(answer.compare)
            if answer.replay:
                self.leave_for(answer.replay)
                return
            for line in overlay(self.state, self.home, answer.overlays):
                self.notify(line, severity="error", markup=False)
            if answer.open is not None and answer.open != self._run_id:
                self.reopen(answer.open)
            self.show_all()

        ids = tuple(o.follower.run.id for o in self.state.overlays)
        self.push_screen(RunsScreen(self.home, self._run_id, ids, ascii_only=self.state.ascii_only), answered)

    @work(thread=True, group="live")
    def look_for_live(self) -> None:
        """Offer the trainings that go on elsewhere, if there are any."""
        from tui_mm.runs.live import live_runs

        worker = get_current_worker()
        try:
            live = [row for row in live_runs(self.home) if row.id != self._run_id]
        except RunError:
            return  # a home that cannot be read: said where a run is made in it
        if live and not worker.is_cancelled:
            self.post_message(self.LiveFound(live))

    @on(LiveFound)
    def _offer_live(self, message: LiveFound) -> None:
        from tui_mm.dashboard.screens.offer import OfferScreen

        if self.state.is_training or len(self.screen_stack) > 1:  # a person was quicker
            self.notify(f"run {message.live[0].id} is being trained, too; r opens it")
            return

        def answered(ident: str | None) -> None:
            if ident:
                self.reopen(ident)

        self.push_screen(OfferScreen(message.live), answered)

    def action_compare(self) -> None:
        """The run that is open beside those laid over its chart, or the list of runs to mark some of."""
        own = self.state.follower
        idents = [o.follower.run.id for o in self.state.overlays]
        if own is not None and (own.steps or self.state.is_training) and own.run.id not in idents:
            idents.append(own.run.id)
        if LEAST_COMPARED <= len(idents) <= MOST_COMPARED:
            self.compare(idents)
        else:
            self.action_runs()
            self.notify(f"mark {LEAST_COMPARED} to {MOST_COMPARED} runs with space; c puts them side by side")

    def compare(self, idents: Sequence[str]) -> None:
        """Put runs side by side, by their ids."""
        from tui_mm.dashboard.screens.compare import CompareScreen

        screen = CompareScreen(self.state, self.home, idents, self._ask_models)

        def answered(others: bool | None) -> None:
            if others:
                self.action_runs()
            else:
                self.show_all()

        self.push_screen(screen, answered)

    @property
    def is_covered(self) -> bool:
        """Whether a screen stands over the panels that leaves nothing of them to be seen."""
        return any(getattr(screen, "COVERS_ALL", False) for screen in self.screen_stack)

    def _ask_models(
        self,
        question: ask.Compare,
        take: Callable[[dict[str, Any]], None],
        refused: Callable[[str], None],
        is_new: bool,
    ) -> bool:
        if is_new or self.state.status != "running":  # else another run may have got further than this one
            self.ask_anew("compare")
        return self.ask_for("compare", question, take, refused)

    # -- experiments

    def action_experiment(self, name: str) -> None:
        """Run an exercise of the lectures on the words that are shown, in a process of its own, and look at it."""
        from tui_mm.experiments.starting import start_experiment

        words = None if self.client is None else self.client.run.folder / "words.txt"
        try:
            kept, process = start_experiment(self.home, self.state.config, name, words)
        except RunError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._show_experiment(kept, process)

    def action_experiments(self) -> None:
        from tui_mm.dashboard.screens.experiments import ExperimentsScreen

        screen = ExperimentsScreen(self.home, ascii_only=self.state.ascii_only)
        self.push_screen(screen, lambda kept: self._show_experiment(kept) if kept is not None else None)

    def _show_experiment(self, kept: KeptExperiment, process: Process | None = None) -> None:
        from tui_mm.dashboard.screens.experiment import ExperimentScreen

        state = self.state
        self.push_screen(ExperimentScreen(kept, process, ascii_only=state.ascii_only, color=state.color))

    @property
    def _run_id(self) -> str | None:
        return None if self.client is None else self.client.run.id

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's themes and screenshot, and every action of ours and of the panel in focus: help and quit are
        among these, and one panel alone is our z. Then the lectures' exercises."""
        from tui_mm.experiments.catalog import EXPERIMENTS

        yield from (c for c in super().get_system_commands(screen) if c.title in ("Theme", "Screenshot"))
        listed = set()
        for _, binding, enabled, tooltip in list(screen.active_bindings.values()):
            title = f"{binding.description} ({self.get_key_display(binding)})"
            if enabled and binding.id and tooltip and title not in listed:
                listed.add(title)
                yield SystemCommand(title, tooltip, lambda action=binding.action: self.run_action(action))
        for experiment in EXPERIMENTS.values():
            yield SystemCommand(
                f"Experiment: {experiment.title}", experiment.asks, partial(self.action_experiment, experiment.name)
            )
        yield SystemCommand("Experiments kept", "Those that were run, and what they found", self.action_experiments)

    # -- leaving

    def keep_from_now_on(self, wanted: bool) -> None:
        """Whether settings are kept in the home: those in the state are, or are somebody's for this once."""
        self._keeps_settings = wanted
        self._kept = copy(self.state.settings)

    def keep_changes(self) -> None:
        """So that a dashboard that is killed has remembered what a person chose."""
        if self.state.settings != self._kept and (fault := self.keep_settings()):
            self.state.note(fault)

    def keep_settings(self) -> str:
        """Write them to the home; the line says why that could not be done, "" if it was."""
        self._kept = copy(self.state.settings)
        if not self._keeps_settings:
            return ""
        try:
            self.state.settings.save(self.home)
        except (RunError, OSError) as error:
            return f"the settings could not be kept: {error}"
        return ""

    async def action_quit(self) -> None:
        if isinstance(self.screen, QuitScreen):
            return  # it is being asked already
        if self.state.is_training:
            self.push_screen(QuitScreen(), self._quit_as_chosen)
        else:
            self.leave()

    def _quit_as_chosen(self, choice: Choice | None) -> None:
        if choice == "stop":
            self.send(ask.Stop())
        elif choice == "keep" and self.state.status == "paused":
            self.send(ask.Start())
        if choice in ("stop", "keep"):
            self.leave(goes_on=choice == "keep")

    def leave_for(self, replay: str) -> None:
        """End the app for the replay of a run; whoever has started it comes back then."""
        if self.client is None:
            self.notify("the words are not there yet", severity="warning")
            return
        from tui_mm.runs.presence import Presence

        run = self.client.run
        self.leaving = Leaving(replay, run, Presence(run.folder))
        self.leave(goes_on=self.state.status == "running")

    def leave(self, *, goes_on: bool = False) -> None:
        """End the app; a training goes on if it is under way."""
        line = self.let_go(goes_on=goes_on)
        if fault := self.keep_settings():
            line += f"\n{fault}"
        self.exit("\n".join(printable(part) for part in line.split("\n")))
