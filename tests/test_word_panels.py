"""The dashboard at word level: symbols of many letters, at every size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.style import Style

from data.corpus import Corpus
from data.levels import WORD
from data.text import parse_text
from data.tokens import UNKNOWN
from tests.panel_seat import STEPS, alone, bigrams_answer, embedding_at, played, trained
from tui_mm.config import make_config
from tui_mm.dashboard.charts.bigrams import grid
from tui_mm.dashboard.charts.cells import label, wrap
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.timeline import Snapshot, names_over_time
from tui_mm.dashboard.charts.words import describe_words, window_walk
from tui_mm.dashboard.lines import head_line
from tui_mm.dashboard.panels.bigrams import BigramsPanel
from tui_mm.dashboard.panels.embedding import EmbeddingPanel
from tui_mm.dashboard.panels.samples import next_text, sentence_lines
from tui_mm.dashboard.panels.timeline import TimelinePanel
from tui_mm.dashboard.screens.preview import preview
from tui_mm.dashboard.state import ViewState

TALE = Path(__file__).parent / "tale.txt"
PLAIN = (Style.null(), Style.null())
SAID = [
    {"text": "The old man put out the light, and nobody asked him why.", "seen_in": None},
    {"text": "She laughed.", "seen_in": "train"},
    {"text": "", "seen_in": None},
    {"text": f"A {UNKNOWN} of the lighthouse knew.", "seen_in": None},
]


@pytest.fixture
def tale() -> Corpus:
    """Twice, so that most words are in the vocabulary."""
    text = TALE.read_text(encoding="utf-8")
    return parse_text(f"{text}\n\n{text}", "tale")


def described(state: ViewState, width: int, height: int, **more: Any) -> list[str]:
    words = state.words
    assert words is not None
    walked = [(i, words.splits.corpus.word(i)) for i in range(3)]
    text = describe_words(words.statistics, walked, words.splits.vocabulary, 4, width=width, height=height, **more)
    return text.plain.split("\n")


def test_a_word_is_shown_whole_or_cut() -> None:
    assert [label(s, 6) for s in ("a", " ", "lamp", "lighthouse", "\x1b[1m")] == ["a", "␣", "lamp", "light…", "\\x1b[…"]
    assert label("lighthouse", 6, ascii_only=True) == "ligh.."
    assert label(UNKNOWN) == UNKNOWN


def test_text_is_wrapped_at_its_spaces() -> None:
    assert wrap("the old man slept", 8) == ["the old", "man", "slept"]
    assert wrap("new  the old man", 9, indent=2) == ["new  the", "  old man"]
    assert wrap("lighthouse", 4) == ["ligh", "thou", "se"]
    assert wrap("灯台の光", 5, indent=2) == ["灯台", "  の", "  光"]
    assert wrap("a  b", 1) == ["a", "b"]
    assert wrap("", 5) == [""]


def test_the_walk_goes_word_by_word(tale: Corpus) -> None:
    words = trained(tale).words
    assert words is not None
    vocabulary = words.splits.vocabulary
    assert window_walk("She laughed.", vocabulary, 3) == [
        "· · · → She", "· · She → <unk>", "· She <unk> → .", "She <unk> . → ·",
    ]  # fmt: skip
    walk = window_walk("The old man kept the lamp of the lighthouse.", vocabulary, 4, 24, ascii_only=True)
    assert "old man kept the -> lamp" in walk
    assert "lamp of the -> lighthou.." not in walk, "there is room for it"
    assert all(cell_len(line) <= 24 for line in walk)
    assert window_walk("the " * 300, vocabulary, 2)[-1] == "..."


@pytest.mark.parametrize("size", [(24, 14), (32, 14), (76, 20), (116, 34)])
def test_the_dataset_is_told_in_sentences_and_words(tale: Corpus, size: tuple[int, int]) -> None:
    lines = described(trained(tale), *size)
    told = "\n".join(lines)
    assert f"sentences  {len(tale)}" in told
    assert "  unknown  " in told
    assert "· · · · → " in told
    assert "sentence 1 of " in told
    assert "letters" not in told
    assert size[0] < 70 or "length in words" in told
    assert all(cell_len(line) <= size[0] or "→" not in line for line in lines)


@played
async def test_bigrams_have_heads_that_can_be_read(tale: Corpus) -> None:
    state = trained(tale)
    assert state.words is not None
    vocabulary = state.words.splits.vocabulary
    for size in ((76, 18), (84, 15), (60, 12)):
        async with alone(BigramsPanel(state), size) as (app, pilot):
            heading = app.shown.split("\n")[1]
            assert "·" in heading
            assert " the " in heading
            assert f"64 of {len(vocabulary):,} words" in app.shown or len(vocabulary) <= 64
            await pilot.press("b")
            state.inspections["bigrams"] = bigrams_answer(64)
            app.panel.draw()
            assert "model: after that word alone" in app.shown
            await pilot.press("down", "right")
            first, second = vocabulary.symbol(1), vocabulary.symbol(2)
            assert f"{first} → {second}  data " in app.shown
            assert all(cell_len(line) <= size[0] for line in app.shown.split("\n"))
            state.inspections.clear()


def test_characters_keep_their_narrow_cells() -> None:
    assert grid([".", "a", "b"], 1, 80, 20).cell == 2
    assert grid([*"abcdefghijklmnopqrstuvwxyz."], 2, 60, 20).cell == 1
    assert grid(["the", "of"], 1, 80, 20).cell == 4
    assert grid(["lighthouse", "of"], 1, 80, 20).cell == 6


@played
async def test_words_stand_apart_on_the_map(tale: Corpus) -> None:
    state = trained(tale)
    assert state.words is not None
    vocabulary = state.words.splits.vocabulary
    state.inspections["embedding"] = embedding_at(2000, 40, 8)
    for size in ((80, 24), (120, 36)):
        async with alone(EmbeddingPanel(state), size) as (app, _):
            drawn = [line for line in app.shown.split("\n") if "│" in line or "┤" in line]
            shown = {part for line in drawn for part in line.split()}
            words = [vocabulary.symbol(i) for i in range(1, 40) if len(vocabulary.symbol(i)) > 2]
            missing = [w for w in words if not any(w in part for part in shown)]
            whole = [w for w in words if any(part.strip("←→↑↓↖↗↙↘") == w for part in shown)]
            assert len(whole) == len(words) - len(missing), "none touches another"
            assert len(missing) <= 3
            assert "vowels" not in app.shown
            assert "the 40 most frequent words" in app.shown


def test_sentences_are_drawn_over_several_lines() -> None:
    lines, count = sentence_lines(SAID, 30, 9, new=Style(bold=True))
    assert [line.plain for line in lines] == [
        "new  The old man put out the",
        "  light, and nobody asked him",
        "  why.",
        "train  She laughed.",
        "new  (empty)",
        "new  A <unk> of the lighthouse",
        "  knew.",
    ]
    assert count == 4
    lines, count = sentence_lines(SAID, 30, 2, new=Style(bold=True), ascii_only=True)
    assert [line.plain for line in lines] == ["new  The old man put out the", "  light, and nobody asked .."]
    assert count == 1
    for columns in (8, 20, 40):
        for rows in (1, 3, 6):
            lines, _ = sentence_lines(SAID, columns, rows, new=Style())
            assert len(lines) <= rows
            assert all(cell_len(line.plain) <= columns for line in lines)


def test_the_next_words_have_room(tale: Corpus) -> None:
    words = trained(tale).words
    assert words is not None
    size = len(words.splits.vocabulary)
    share = [0.0] * size
    share[words.splits.vocabulary.encode("lighthouse")[0]] = 0.75
    share[words.splits.vocabulary.encode("the")[0]] = 0.25
    answer = {"next": share, "prefix": "put out the", "names": []}
    for width, shown in ((60, "lighthouse"), (30, "lighth…")):
        told = next_text(answer, words, width=width, rows=9, ascii_only=False, styles=PLAIN).plain
        assert f"\n{shown} " in told
        assert "75%" in told
        after_the = words.bigrams.row(words.splits.vocabulary.encode("the")[0])
        lighthouse = after_the.get(words.splits.vocabulary.encode("lighthouse")[0], 0)
        wanted = (lighthouse + 1) / (sum(after_the.values()) + size)
        assert f"{wanted:.0%}" in told.split("\n")[2], "the bigram is that of the last word"
        assert all(cell_len(line) <= width for line in told.split("\n"))


def test_sentences_over_time_take_the_lines_there_are() -> None:
    names = ["The old man put out the light, and nobody asked him why.", "She laughed."]
    snapshots = [Snapshot(step, names) for step in (0, 500)]
    low = names_over_time(snapshots, {}, {names[1]: "train"}.get, [0, 1], "all", Look(80, 5), WORD).plain
    assert "The old man put out the light, and …" in low
    assert "She laughed.=" in low
    high = names_over_time(snapshots, {}, {names[1]: "train"}.get, [0, 1], "all", Look(80, 12), WORD).plain
    assert "nobody asked him why." in high
    assert "…" not in high
    for text in (low, high):
        assert all(cell_len(line) <= 80 for line in text.split("\n"))


@played
async def test_the_timeline_tells_of_sentences(tale: Corpus) -> None:
    state = trained(tale)
    state.follower.snapshots["names"] = [(s, [d["text"] for d in SAID]) for s in STEPS]  # type: ignore[union-attr]
    async with alone(TimelinePanel(state), (80, 6)) as (app, _):
        assert "2 of 4 evaluations" in app.shown
        assert "The old man put out the light" in app.shown
    state.follower.snapshots["names"] = []  # type: ignore[union-attr]
    async with alone(TimelinePanel(state), (80, 6)) as (app, _):
        assert app.shown.startswith("sentences that the model makes")


def test_the_head_line_counts_sentences(tale: Corpus) -> None:
    state = trained(tale)
    state.follower = None
    assert f"tale · {len(tale)} sentences" in head_line(state, 100)
    assert state.level == WORD
    assert ViewState(make_config(flags={"level": "word"})).level == WORD
    assert state.words is not None
    assert [name for name, _ in state.words.baselines][1:] == ["bigram counts", "unigram counts"]


def test_a_text_is_previewed_by_its_sentences(tmp_path: Path) -> None:
    found = preview(str(TALE), tmp_path, "utf-8", "word")
    assert found.words[0] == "The old man kept the lamp of the lighthouse."
    assert found.facts.endswith("26 sentences")
    assert preview("names", tmp_path, "utf-8", "word").fault.startswith("names: is a list of words")
    assert preview(str(tmp_path), tmp_path, "utf-8", "word").fault.endswith("give a file with plain text")
    path = tmp_path / "long.txt"
    path.write_text(TALE.read_text(encoding="utf-8") * 60, encoding="utf-8")
    assert preview(str(path), tmp_path, "utf-8", "word").words[:2] == found.words[:2]


def test_the_whole_dashboard_over_a_text(tmp_path: Path, cli: Callable[..., Any]) -> None:
    picture = tmp_path / "a.svg"
    found = cli(
        "--headless", "--data", TALE, "--level", "word", "--min-count", 2, "--block-size", 3, "--embedding", 4,
        "--hidden", 16, "--batch-size", 8, "--steps", 100, "--threads", 1, "--device", "cpu", "--size", "120x36",
        "--press", "s T h e space o l d escape", "--screenshot", picture,
    )  # fmt: skip
    assert found.code == 0, found.err
    assert json.loads(found.out)["data"]["level"] == "word"
    drawn = picture.read_text(encoding="utf-8").replace("&#160;", " ")
    assert "26 sentences" in drawn
    assert "The old" in drawn
    assert "Traceback" not in drawn
