"""The set-up screen, the choice of a word list and the question for a rate, driven by Textual's pilot."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static

from tests.calm import settle
from tui_mm.config import FIELDS, PRESETS, make_config
from tui_mm.dashboard.screens.fields import FieldRow, Said, TextField
from tui_mm.dashboard.screens.preview import preview
from tui_mm.dashboard.screens.rate import RateScreen
from tui_mm.dashboard.screens.setup import Form, SetupScreen
from tui_mm.dashboard.screens.words import WordFiles, WordsScreen
from tui_mm.settings import Settings

pytestmark = pytest.mark.usefixtures("prompt_pilot")

PATIENCE_S = 60.0
SIZES = [(50, 15), (80, 24), (120, 36), (200, 60), (300, 100)]
NOTHING = object()


class Seat:
    """A person before one screen."""

    def __init__(self, app: App[None], pilot: Pilot[None], screen: Screen[Any]) -> None:
        self.app, self.pilot, self.screen = app, pilot, screen
        self.result: Any = NOTHING

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    def row(self, field: str) -> FieldRow:
        row = self.screen.query_one(f"#field-{field}")
        assert isinstance(row, FieldRow)
        return row

    async def write(self, field: str, text: str) -> None:
        """Put a text into a field, as typing does."""
        self.row(field).text = text
        await self.pilot.pause()

    def text_of(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).content)

    @property
    def painted(self) -> str:
        """The screen as it stands in the terminal."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()[:height]
        return "\n".join("".join(s.text for s in line)[:width] for line in lines)


@asynccontextmanager
async def seated(screen: Screen[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seat]:
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot, screen)

        def take(result: Any) -> None:
            seat.result = result

        app.push_screen(screen, take)
        await pilot.pause()
        yield seat


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def setup_screen(preset: str = "default", *, ascii_only: bool = False, **flags: Any) -> SetupScreen:
    return SetupScreen(
        make_config(preset, flags=flags),
        Settings(),
        datasets=Path("none"),
        words=32_033,
        vocab_size=27,
        train_examples=182_625,
        ascii_only=ascii_only,
    )


def test_every_field_has_a_row_and_the_same_configuration_comes_back() -> None:
    config = make_config("lecture-small", flags={"data": "a\x1b[2J.txt", "lr": 0.25})

    async def scene() -> None:
        screen = SetupScreen(config, Settings(), datasets=Path("none"))
        async with seated(screen) as seat:
            assert [row.field for row in screen.query("*") if isinstance(row, FieldRow)] == list(FIELDS)
            assert "\x1b" not in seat.painted
            assert r"a\x1b[2J.txt" in seat.painted
            assert "no words are read" in seat.text_of("#outlook")
            await seat.pilot.press("f2")
            await seat.until(lambda: seat.result == config)

    play(scene())


def test_a_field_is_typed_into_and_marked_and_explained() -> None:
    async def scene() -> None:
        async with seated(setup_screen("lecture")) as seat:
            assert "11,897 parameters · about 1:" in seat.text_of("#outlook")
            assert "200,000 steps of 32" in seat.text_of("#outlook")
            while getattr(seat.app.focused, "field", "") != "hidden":
                await seat.pilot.press("down")
            explained = "hidden: units of a hidden layer, or of a recurrent state; a whole number from 1 to 65,536"
            assert explained in seat.text_of("#explained")
            await seat.pilot.press("backspace", "backspace", "backspace", "3", "0", "0")
            assert "* hidden" in seat.painted
            assert "preset: 200" in seat.painted
            assert "17,697 parameters" in seat.text_of("#outlook")
            await seat.pilot.press("ctrl+s")
            await seat.until(lambda: seat.result == make_config("lecture", flags={"hidden": 300}))

    play(scene())


def test_threads_are_shown_and_taken_by_their_word() -> None:
    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            row = seat.app.screen.query_one("#field-threads", TextField)
            assert row.text == "auto"
            assert row.said == Said(preset="auto")
            row.text = "2"
            await seat.until(lambda: row.said == Said(True, "auto"))
            row.text = "auto"
            await seat.until(lambda: row.said == Said(preset="auto"))
            row.text = "3"
            await seat.pilot.press("f2")
            await seat.until(lambda: seat.result == make_config(flags={"threads": 3}))

    play(scene())


def test_a_wrong_value_is_said_at_its_field_and_refused() -> None:
    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            await seat.pilot.press("tab", "tab", "x")
            assert seat.row("max_words").said.fault == "max_words: '0x' is not allowed; give a whole number from 0 on"
            assert "! max_words: '0x' is not allowed; give a whole number from 0 on" in seat.painted
            assert seat.text_of("#outlook") == "! not allowed: max_words"
            await seat.pilot.press("pagedown", "f2")
            assert seat.result is NOTHING
            assert seat.app.focused is seat.row("max_words")
            await seat.pilot.press("backspace")
            assert "not allowed" not in seat.painted
            await seat.pilot.press("f2")
            await seat.until(lambda: seat.result == make_config())

    play(scene())


def test_what_is_wrong_between_fields_is_said_at_each_of_them() -> None:
    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            await seat.write("train_fraction", "0.95")
            for field in ("train_fraction", "dev_fraction"):
                assert "0.95 and 0.1 are more than the whole" in seat.row(field).said.fault
            await seat.write("dev_fraction", "x")
            assert not seat.row("train_fraction").said.fault
            await seat.write("dev_fraction", "0.05")
            assert not seat.row("dev_fraction").said.fault
            await seat.write("hidden", "65536")
            await seat.write("embedding", "4096")
            for field in ("block_size", "embedding", "hidden"):
                assert "more than the 268,435,456 allowed" in seat.row(field).said.fault

    play(scene())


def test_a_preset_fills_all_fields_but_the_words() -> None:
    async def scene() -> None:
        async with seated(setup_screen(data="my.txt")) as seat:
            await seat.pilot.press("up")
            assert "best quality in about ten seconds" in seat.text_of("#explained")
            await seat.pilot.press("enter", "down", "down", "down", "enter")
            await seat.until(lambda: seat.row("steps").text == "1000")
            assert "1,000 steps of all" in seat.text_of("#outlook")
            await seat.until(lambda: "full batch, no dev or test split; it fills" in seat.text_of("#explained"))
            await seat.write("steps", "7")
            await seat.write("optimizer", "adamw")
            await seat.pilot.press("ctrl+r", "f2")
            await seat.until(lambda: seat.result == make_config("five-words", flags={"data": "my.txt"}))

    play(scene())


def test_what_a_choice_leaves_out_is_said() -> None:
    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            while getattr(seat.app.focused, "field", "") != "model":
                await seat.pilot.press("down")
            await seat.pilot.press("right")
            assert seat.row("model").text == "bigram"
            assert seat.row("steps").said.note == seat.row("decay_at").said.note == "not used by bigram"
            assert seat.row("smoothing").said.note == ""
            assert "counted once" in seat.text_of("#outlook")
            await seat.pilot.press("m")
            assert seat.row("model").text == "mlp"
            assert seat.row("momentum").said.note == "not used by adamw"

    play(scene())


def test_a_choice_turns_through_all_and_back() -> None:
    choices = {name: field.choices for name, field in FIELDS.items() if field.choices}
    assert len(choices) >= 10

    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            for name, of in choices.items():
                row = seat.row(name)
                row.focus()
                await seat.pilot.pause()
                before, seen = row.text, set()
                for _ in of:
                    await seat.pilot.press("space")
                    seen.add(row.text)
                assert (seen, row.text) == (set(of), before)
                await seat.pilot.press("left", "enter")
                assert row.text == before
                await seat.pilot.click(row, offset=(18, 0))
                assert row.text == of[(of.index(before) + 1) % len(of)]
                await seat.pilot.press("left")

    play(scene())


@pytest.mark.parametrize("size", [SIZES[0], SIZES[-1]])
def test_the_field_that_has_the_focus_is_seen(size: tuple[int, int]) -> None:
    async def scene() -> None:
        async with seated(setup_screen(), size) as seat:
            for field in FIELDS:
                assert getattr(seat.app.focused, "field", "") == field
                assert seat.row(field).region in seat.screen.query_one(Form).region
                await seat.pilot.press("down")
            assert "Machine" in seat.painted

    play(scene())


def test_every_size_and_key_is_borne() -> None:
    async def scene() -> None:
        async with seated(setup_screen(), SIZES[0]) as seat:
            keys = "up tab shift+tab pagedown pageup home end left right space enter x backspace ctrl+r ctrl+u delete"
            await seat.pilot.press(*keys.split())
            for size in SIZES:
                await seat.pilot.resize_terminal(*size)
                await seat.pilot.press("pagedown", "x", "up")
            assert seat.app.is_running
            await seat.pilot.press("escape")
            await seat.until(lambda: seat.result is None)

    play(scene())


def test_ascii_only_paints_ascii() -> None:
    async def scene() -> None:
        async with seated(setup_screen(ascii_only=True)) as seat:
            assert [c for c in seat.painted if ord(c) > 126 and c not in "▁▂▃▄▅▆▇█▔▕▊▎╸╺━"] == []  # a scrollbar's

    play(scene())


def test_no_color_paints_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            await seat.write("max_words", "x")
            assert "! max_words" in seat.painted
            strips = seat.screen._compositor.render_strips()
            colors = {s.style.color for line in strips for s in line if s.style is not None and s.style.color}
            assert colors
            assert all(len(set(color.get_truecolor())) == 1 for color in colors)

    play(scene())


def test_the_cursor_does_not_blink_and_buttons_act() -> None:
    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            assert not any(field.cursor_blink for field in seat.screen.query(Input))
            await seat.write("lr", "1")
            await seat.pilot.click("#back")
            assert seat.row("lr").text == "0.015"
            await seat.pilot.click("#cancel")
            await seat.until(lambda: seat.result is None)

    play(scene())


def test_a_word_list_is_chosen_for_the_data_field(words_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(words_file.parent)

    async def scene() -> None:
        async with seated(setup_screen()) as seat:
            await seat.pilot.press("ctrl+o")
            picker = seat.app.screen
            assert isinstance(picker, WordsScreen)
            await seat.pilot.press("shift+tab")
            assert isinstance(seat.app.focused, Input)
            await seat.pilot.press(*"words.txt", "enter")
            await seat.until(lambda: seat.row("data").text == str(words_file))
            assert seat.app.screen is seat.screen
            assert "with the words of now" in seat.text_of("#outlook")
            await seat.pilot.press("ctrl+o", "escape", "f2")
            await seat.until(lambda: seat.result == make_config(flags={"data": str(words_file)}))

    play(scene())


# -- the choice of a word list


def words_screen(folder: Path, recent: list[str] | None = None, *, ascii_only: bool = False) -> WordsScreen:
    return WordsScreen(datasets=folder / "datasets", recent=recent or [], folder=folder, ascii_only=ascii_only)


def test_sets_recent_lists_and_what_is_missing(words_file: Path) -> None:
    async def scene() -> None:
        screen = words_screen(words_file.parent, [str(words_file), "names"])
        async with seated(screen) as seat:
            await seat.until(lambda: "bundled with the program" in seat.text_of("#preview"))
            await seat.pilot.press("down")
            await seat.until(lambda: "makemore-tui data fetch lecture-names" in seat.text_of("#preview"))
            await seat.pilot.press("enter", "f2")
            await seat.pilot.pause()
            assert seat.result is NOTHING
            await seat.pilot.press("down")
            await seat.until(lambda: "61 words" in seat.text_of("#preview"))
            assert screen.query_one(OptionList).option_count == 3
            await seat.pilot.press("enter")
            await seat.until(lambda: seat.result == str(words_file))

    play(scene())


def test_a_file_is_found_in_the_folders(words_file: Path) -> None:
    folder = words_file.parent
    (folder / "deep").mkdir()
    (folder / "deep" / "\x1b[2Jred.txt").write_text("anna\n")
    for name in ("picture.png", ".hidden.txt"):
        (folder / name).write_text("x")

    async def scene() -> None:
        async with seated(words_screen(folder)) as seat:
            tree = seat.screen.query_one(WordFiles)
            tree.focus()
            await seat.until(lambda: len(tree.root.children) == 2)
            assert [str(node.label) for node in tree.root.children] == ["deep", "words.txt"]
            await seat.pilot.press("down", "enter")
            await seat.until(lambda: tree.root.children[0].children)
            await seat.pilot.press("down")
            await seat.until(lambda: "1 word\n\nanna" in seat.text_of("#preview"))
            assert "\x1b" not in seat.painted
            assert r"\x1b[2Jred.txt" in seat.painted
            await seat.pilot.press("enter")
            await seat.until(lambda: seat.result == str(folder / "deep" / "\x1b[2Jred.txt"))

    play(scene())


def test_the_choice_of_words_bears_every_size_and_key(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o000)

    async def scene() -> None:
        async with seated(words_screen(tmp_path, ["/none"], ascii_only=True), SIZES[0]) as seat:
            keys = "down enter up tab down right left space enter backspace f2 tab home end pagedown pageup x y enter"
            for key in keys.split():
                await seat.pilot.press(key)
                await settle(seat.pilot)
            for other in SIZES:
                await seat.pilot.resize_terminal(*other)
                await seat.pilot.press("tab", "down")
            assert seat.app.is_running
            await seat.pilot.press("escape")
            await seat.until(lambda: seat.result is None)

    play(scene())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a\0b", "NUL"),
        (b"ab\n\xff\xfe", "line 2: is not utf-8"),
        (b"anna\n" * 20_000 + b"\xff", None),  # beyond what is looked into
        (b"\xff" * 100_000, "is not utf-8"),
        ("ü".encode() * 50_000, None),  # a character cut in two at the end of the part
    ],
)
def test_a_preview_reads_a_part_and_says_why_it_cannot(content: bytes, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    found = preview(str(path), tmp_path, "utf-8")
    if words is None:
        assert found.words
        assert "begins with" in found.facts
    else:
        assert words in found.fault
        assert "\n" not in found.fault


def test_a_preview_of_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source, words in (
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "none"), "no such file"),
        (str(tmp_path / "pipe"), "no plain file"),
        (str(tmp_path / ("x" * 300)), "cannot be read"),
        ("a\0b", "cannot be read"),
        ("~nobody-of-that-name/x", "cannot be read"),
        ("-", "standard input"),
    ):
        assert words in preview(source, tmp_path, "utf-8").fault
    (tmp_path / "a.txt").write_text("anna\n" * 20_000)
    for encoding in ("klingon", "hex", "zlib", "undefined"):
        assert f"{encoding!r} is not a text encoding" in preview(str(tmp_path / "a.txt"), tmp_path, encoding).fault


# -- the question for a rate


def test_a_rate_is_asked_for_until_it_is_allowed_or_left() -> None:
    async def scene() -> None:
        async with seated(RateScreen(0.1), (50, 15)) as seat:
            for wrong in ("-1", "nan", "inf", "x", ""):
                seat.screen.query_one(Input).value = wrong
                await seat.pilot.press("enter")
                assert seat.result is NOTHING
                assert f"lr: {wrong!r} is not allowed; give a number above 0" in seat.text_of("#fault")
            seat.screen.query_one(Input).value = "0.25"
            await seat.pilot.press("enter")
            await seat.until(lambda: seat.result == 0.25)
        async with seated(RateScreen(0.1)) as seat:
            await seat.pilot.press("escape")
            await seat.until(lambda: seat.result is None)

    play(scene())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_nearest_to_itself_on_the_screen(name: str) -> None:
    assert setup_screen(name)._preset == name
