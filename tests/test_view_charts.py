"""Embedding maps, layer tables, bigram heat maps and names over time, as pure functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from data.bigrams import BigramCounts
from tui_mm.dashboard.charts import bigrams, embedding, layers, timeline
from tui_mm.dashboard.charts.cells import fit, glyph, is_vowel
from tui_mm.dashboard.charts.look import Colors, Look

SIZES = [(20, 6), (46, 9), (82, 15), (160, 40)]
LETTERS = [".", *"abcdefghijklmnopqrstuvwxyz"]


def rng() -> np.random.Generator:
    """Anew for each test: no test's numbers depend on which ran before it."""
    return np.random.default_rng(3)


def look(width: int = 82, height: int = 15, *, ascii_only: bool = False) -> Look:
    return Look(width, height, None, ascii_only)


def lines_within(text: str, width: int, height: int) -> list[str]:
    lines = text.split("\n")
    assert len(lines) <= max(height, 6)
    assert all(cell_len(line) <= width for line in lines), [line for line in lines if cell_len(line) > width]
    return lines


# -- cells


def test_texts_are_cut_and_padded_by_cells_and_never_commands() -> None:
    assert fit("emma", 6) == "emma  "
    assert fit("penelope", 6) == "penel…"
    assert fit("penelope", 6, ascii_only=True) == "pene.."
    assert cell_len(fit("田中田中", 5)) == 5
    assert "\x1b" not in fit("a\x1b[2Jb", 20)
    assert [glyph(s) for s in ("a", " ", "\x1b", "田")] == ["a", "␣", "�", "田"]
    assert glyph(" ", ascii_only=True) == "_"
    assert cell_len(glyph("\u0301")) == 1, "a combining mark gets a place of its own"


def test_vowels_are_known_with_accents_and_not_elsewhere() -> None:
    assert all(map(is_vowel, "aeiouyÉö"))
    assert not any(map(is_vowel, "bz.田"))


# -- embedding


def test_two_dimensions_are_shown_as_they_are_and_one_on_a_line() -> None:
    vectors = np.array([[1.0, 2.0], [-3.0, 0.5]])
    found = embedding.project(vectors)
    assert found.positions.tolist() == vectors.tolist()
    assert found.share == 1.0
    assert embedding.project(np.array([[2.0], [3.0]])).positions.tolist() == [[2.0, 0.0], [3.0, 0.0]]


def test_pca_finds_the_axes_and_their_share() -> None:
    vectors = np.diag([3.0, 2.0, 1.0]) @ np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    vectors = np.concatenate((vectors, -vectors))
    found = embedding.project(vectors)
    assert found.share == pytest.approx((9 + 4) / 14)
    assert np.abs(found.positions).max(axis=0) == pytest.approx([3, 2])
    other = embedding.project(vectors, (1, 2))
    assert other.share == pytest.approx((4 + 1) / 14)
    assert np.abs(other.positions).max(axis=0) == pytest.approx([2, 1])


def test_fewer_characters_than_axes_and_equal_vectors_have_a_place() -> None:
    assert embedding.project(np.ones((2, 8)), (1, 2)).positions.tolist() == [[0, 0], [0, 0]]
    assert embedding.project(np.ones((1, 8))).share == 1.0


@given(st.floats(0, 2 * math.pi), st.booleans())
def test_alignment_undoes_a_turn_and_a_flip(angle: float, flipped: bool) -> None:
    reference = np.array([[1.0, 0.2], [-0.5, 2.0], [0.1, -1.0]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = reference @ turn @ np.diag([1.0, -1.0 if flipped else 1.0])
    assert moved @ embedding.align(moved, reference) == pytest.approx(reference)


def test_vectors_that_are_not_finite_have_no_place() -> None:
    usable = embedding.usable([[1.0, 2.0], [math.nan, 0.0], [None, 1.0], [math.inf, 0.0], [1e200, 0.0]])
    assert usable.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(("width", "height"), SIZES[1:])
def test_every_character_is_on_the_map_once(width: int, height: int) -> None:
    positions = rng().normal(size=(27, 2))
    text = embedding.embedding_map(LETTERS, positions, [], look(width, height)).plain
    shown = "".join(lines_within(text, width, height)[:-2])
    assert all(shown.count(letter) == 1 for letter in LETTERS[1:])


def test_characters_in_one_place_are_nudged_and_what_finds_none_is_told() -> None:
    text = embedding.embedding_map(list("xyz"), np.zeros((3, 2)), ["note"], look(40, 12)).plain
    assert [text.count(c) for c in "xyz"] == [1, 1, 1]
    assert "under others" not in text
    many = [chr(0x61 + i % 26) for i in range(300)]
    crowd = embedding.embedding_map(many, np.zeros((300, 2)), ["note"], look(40, 12)).plain
    assert "255 more lie under others" in crowd


def test_up_is_up_and_right_is_right() -> None:
    text = embedding.embedding_map(list("abcd"), np.array([[-1, 1], [1, 1], [-1, -1], [1, -1]]), [], look(40, 12)).plain
    lines = text.split("\n")
    (top,) = (y for y, line in enumerate(lines) if "a" in line)
    (bottom,) = (y for y, line in enumerate(lines) if "c" in line)
    assert top < bottom
    assert lines[top].index("a") < lines[top].index("b")


def test_a_small_step_of_training_moves_few_rows_and_no_axis() -> None:
    positions = rng().normal(size=(27, 2))
    before = embedding.embedding_map(LETTERS, positions, [], look()).plain.split("\n")
    after = embedding.embedding_map(LETTERS, positions * 1.001, [], look()).plain.split("\n")
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 3
    assert before[-2] == after[-2]


def test_wide_characters_keep_the_columns() -> None:
    text = embedding.embedding_map(["田", "中", "."], np.array([[0.0, 0], [0.01, 0], [5, 1]]), [], look(40, 10)).plain
    lines_within(text, 40, 10)
    assert "田" in text
    assert "中" in text


def test_what_lies_beyond_an_axis_is_drawn_in_its_place_where_there_is_room() -> None:
    positions = np.array([[x, y] for x in (-0.5, 0.0, 0.5) for y in (-10.0, -5.0, 0.0, 5.0, 10.0)] + [[3.0, 0.0]])
    bounds = embedding.Limits(0.0, 1.0), embedding.Limits(0.0, 10.0)
    lines = embedding.embedding_map(LETTERS[:16], positions, [], look(80, 20), bounds).plain.split("\n")
    assert "further out" not in lines[-1]
    (row,) = (line for line in lines if "o" in line)
    zero, far = row.index(LETTERS[7]), row.index("o")
    one = row.index(LETTERS[12]) - zero  # half a unit aside
    assert far - zero == pytest.approx(6 * one, abs=3)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_few_characters_far_out_do_not_squeeze_the_others(ascii_only: bool) -> None:
    near = np.clip(rng().normal(size=(25, 2)), -1.5, 1.5)
    positions = np.vstack((near, [[40.0, 0.0], [0.0, -60.0]]))
    lines = embedding.embedding_map(LETTERS, positions, [], look(70, 18, ascii_only=ascii_only)).plain.split("\n")
    assert any(line.rstrip().endswith("y>" if ascii_only else "y→") for line in lines)
    assert ("zv" if ascii_only else "z↓") in lines[-3], "at the lowest row"
    assert ("> v" if ascii_only else "→ ↓") + ": further out that way" in lines[-1]
    rows = [y for y, line in enumerate(lines[:-2]) if set("abcdefghijklmnopqrstuvwx") & {*line}]
    assert max(rows) - min(rows) > 8


def test_limits_hold_all_but_the_few_and_stay_while_they_do() -> None:
    cloud = np.linspace(-2, 2, 27)
    all_of_it = embedding.limits(cloud)
    assert all_of_it.holds(cloud.min(), cloud.max()), "a cloud has no outliers"
    assert embedding.limits(np.array([0.0, 1, 2, 100])).holds(0, 100), "of four, none is the odd one"
    assert not embedding.limits(np.append(cloud, 100)).holds(0, 100)
    spread = np.concatenate((cloud, [-90, -80, -70, 70, 80, 90]))
    assert embedding.limits(spread).holds(-90, 90), "six of thirty-three are more than a few"
    assert embedding.limits(np.append(cloud, 1e3)) == embedding.limits(np.append(cloud, 1e6))
    assert embedding.limits(0.8 * cloud, all_of_it) == all_of_it
    assert embedding.limits(0.3 * cloud, all_of_it).half < all_of_it.half
    assert embedding.limits(1.5 * cloud, all_of_it).half > all_of_it.half
    assert embedding.limits(np.zeros(9)) == embedding.limits(np.array([])) == embedding.Limits(0.0, 1.0)


# -- layers


def parameter(name: str = "W1", **changes: Any) -> dict[str, Any]:
    values = {"name": name, "shape": [30, 200], "std": 0.2, "grad_norm": 1.5, "grad_std": 0.001, "update_ratio": -3.0}
    return {**values, **changes}


def test_update_ratios_far_from_the_good_one_are_marked() -> None:
    assert [layers.speed_mark(r) for r in (-1.9, -2.5, -4.4, -4.6, None)] == ["^", " ", " ", "v", " "]


def test_histogram_bars_keep_small_shares() -> None:
    assert layers.histogram_bars([0, 0.001, 0.5, 1]) == " ▁▄█"
    assert layers.histogram_bars([0, 0.001, 0.5, 1], ascii_only=True) == " _:#"
    assert layers.histogram_bars([0, 0]) == "  "
    assert layers.histogram_bars([None, 1]) == "?█"


def test_saturated_activations_are_marked() -> None:
    activations = [{"name": "tanh", "saturated": s, "histogram": [1.0] * 20} for s in (0.04, 0.7, None)]
    healthy, saturated, unknown = (line.plain for line in layers.activation_lines(activations, look()))
    assert "4.0% " in healthy
    assert "!" not in healthy
    assert "70.0%!" in saturated
    assert "!" not in unknown


def test_the_table_has_ratios_and_leaves_columns_out_where_narrow() -> None:
    heading, row, fast = (
        line.plain for line in layers.parameter_lines([parameter(), parameter("b", update_ratio=-1.0)], look())
    )
    assert heading.split() == ["name", "shape", "std", "grad", "norm", "grad:data", "log10", "update"]
    assert row.split() == ["A", "W1", "30x200", "0.2", "1.5", "0.005", "-3.00"]
    assert fast.split()[-1] == "-1.00^"
    narrow = [line.plain for line in layers.parameter_lines([parameter()], look(26))]
    assert "log10 update" in narrow[0]
    assert "std" not in narrow[0]
    assert max(map(len, narrow)) <= 26


def test_numbers_that_are_none_are_dashes() -> None:
    nothing = parameter(std=None, grad_norm=None, grad_std=None, update_ratio=None, shape=None)
    assert layers.parameter_lines([nothing], look())[1].plain.split() == ["A", "W1", "-", "-", "-", "-"]


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_ratio_chart_has_a_letter_a_parameter_and_the_good_level(ascii_only: bool) -> None:
    history = [(s, [parameter("W1", update_ratio=-2.5), parameter("b1", update_ratio=-4.0)]) for s in (0, 50, 100)]
    text = layers.ratio_chart(history, 100, look(60, 14, ascii_only=ascii_only))
    assert "A W1" in text
    assert text.count("A") == 4
    (level,) = (line for line in text.split("\n") if line.startswith("-3"))
    assert ("-" * 20 if ascii_only else "┄" * 20) in level
    assert not ascii_only or text.isascii()
    nothing = [(0, [parameter(update_ratio=None), parameter(update_ratio=math.nan)])]
    assert layers.ratio_chart(nothing, 100, look()) == layers.ratio_chart([], 100, look()) == ""


def test_letters_stand_side_by_side_and_evaluations_too_near_are_left_out() -> None:
    five = [parameter(f"p{i}", update_ratio=-3.0) for i in range(5)]
    text = layers.ratio_chart([(s, five) for s in range(0, 101, 5)], 100, look(60, 14))
    (level,) = (line for line in text.split("\n") if line.startswith("-3"))
    groups = [group for group in level.strip("-3┤│").split("┄") if group]
    assert set(groups) == {"ABCDE"}, "no letter is under another"
    assert 5 <= len(groups) < 12, "of twenty-one evaluations, those with room"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_ratio_chart_keeps_its_size_and_ends_with_the_training(width: int, height: int) -> None:
    history = [(s, [parameter(update_ratio=-s / 500), parameter("b", update_ratio=99.0)]) for s in range(0, 2501, 125)]
    lines = lines_within(layers.ratio_chart(history, 2500, look(width, height)), width, height)
    ends = [line.split()[-1] for line in lines if line.strip()]
    assert width < 40 or "2,500" in ends, "the axis does not go on beyond the last step"


def test_hints_tell_what_the_marks_are_and_why_nothing_moves() -> None:
    fast, still = parameter(update_ratio=-1.0), parameter(update_ratio=None)
    assert "^ faster" not in layers.hints([parameter()], 7)[0]
    assert layers.hints([parameter()], 1234)[0].endswith("near -3   step 1,234")
    assert all("^ faster" in text for text in layers.hints([parameter(), fast], 7)[:-1])
    assert all("near -3" not in text and "rate" in text for text in layers.hints([still, still], 7))
    assert "near -3" in layers.hints([still, parameter()], 7)[0], "a bias of zeros alone has no ratio"
    assert "near -3" in layers.hints([parameter(update_ratio=None, grad_norm=0.0)], 7)[0]
    for texts in (layers.hints([fast], 7), layers.hints([still], 7)):
        assert sorted(map(len, texts), reverse=True) == [*map(len, texts)]


@pytest.mark.parametrize("width", range(20, 90))
def test_a_number_of_the_activations_is_whole_or_not_there(width: int) -> None:
    activation = {"name": "tanh", "saturated": 0.348, "low": -1, "high": 1, "mean": 0.033, "std": 0.8125}
    (line,) = layers.activation_lines([activation | {"histogram": [0.05] * 20}], look(width))
    assert ("mean" in line.plain) == ("mean 0.033" in line.plain)
    assert ("std" in line.plain) == ("std 0.81" in line.plain)
    if width >= 76:
        assert all(text in line.plain for text in ("34.8%!", "saturated", "mean", "std"))


# -- bigrams


def test_data_shares_are_counts_without_smoothing() -> None:
    tokens = np.array([1, 1, 2, 0, 2, 0], dtype=np.uint8)  # aab. b.
    counts, shares = bigrams.data_shares(BigramCounts.of(tokens, 4), [0, 1, 2, 3])
    assert counts.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    assert shares[:3].tolist() == [[0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [1, 0, 0, 0]]
    assert np.isnan(shares[3]).all()
    _, part = bigrams.data_shares(BigramCounts.of(tokens, 4), [0, 1])
    assert part.tolist() == [[0, 0.5], [0, 0.5]], "a share is one of all that follows, also where not all is shown"


def test_the_most_frequent_ids_come_in_id_order() -> None:
    tokens = np.array([3, 3, 3, 0, 2, 0, 1, 3, 0], dtype=np.uint8)
    assert bigrams.most_frequent(BigramCounts.of(tokens, 4), 2) == [0, 3]


def test_model_tables_of_any_shape_become_square() -> None:
    table = bigrams.model_shares([[0.5, None, 0.1]], 2)
    assert table[0, 0] == 0.5
    assert np.isnan(table).sum() == 3


def test_levels_tell_shares_apart() -> None:
    shares = np.array([0, 0.019, 0.02, 0.05, 0.1, 0.2, 0.4, 1])
    assert bigrams.levels(shares).tolist() == [0, 0, 1, 2, 3, 4, 5, 5]


def test_windows_hold_the_cursor_and_move_as_little_as_can_be() -> None:
    assert bigrams.window(0, 5, 10, 27) == 0
    assert bigrams.window(0, 10, 10, 27) == 1
    assert bigrams.window(12, 3, 10, 27) == 3
    assert bigrams.window(20, 26, 10, 27) == 17
    assert bigrams.window(5, 1, 10, 3) == 0


def maps(tables: list[bigrams.Table], size: tuple[int, int], cursor: tuple[int, int], how: Look) -> str:
    symbols = LETTERS[: len(tables[0].values)]
    laid_out = bigrams.grid(symbols, len(tables), *size)
    return bigrams.heat_maps(symbols, tables, cursor, (0, 0), laid_out, ["here", "and more"], how).plain


def test_two_tables_stand_side_by_side_in_sixty_columns() -> None:
    assert bigrams.grid(LETTERS, 2, 60, 20) == bigrams.Grid(cell=1, name=2, rows=16, columns=27)
    assert bigrams.grid(LETTERS, 2, 59, 20).columns < 27
    assert bigrams.grid(LETTERS, 1, 56, 99) == bigrams.Grid(cell=2, name=2, rows=27, columns=27)
    assert bigrams.grid(["田", "中"], 1, 20, 9).cell == 2


def test_shades_marks_and_the_cursor_stand_where_they_belong() -> None:
    shares = np.array([[0.0, 0.03, 0.9], [0.45, 0.1, 0.2], [np.nan] * 3])
    lines = maps([bigrams.Table(["data"], shares)], (8, 12), (1, 1), look(8, 12)).split("\n")
    assert lines[:5] == ["data", "  . a b", ".   ··██", "a ██++▓▓", "b ??"]
    assert lines[5] == "here"
    assert "? unknown" not in maps([bigrams.Table(["data"], shares[:2])], (60, 12), (0, 0), look(60, 12))
    assert "? unknown" in maps([bigrams.Table(["data"], shares)], (60, 12), (0, 0), look(60, 12))
    difference = bigrams.Table(["difference"], np.array([[0.05, -0.05], [0.5, -0.5]]), is_difference=True)
    lines = maps([difference], (30, 12), (0, 0), look(30, 12, ascii_only=True)).split("\n")
    assert lines[2:4] == [". ++--", "a ##=="]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_heat_maps_keep_their_size(width: int, height: int, ascii_only: bool) -> None:
    table = bigrams.Table(["model: after that character alone", "model"], rng().dirichlet(np.ones(27) / 4, 27))
    text = maps([table, table], (width, height), (3, 3), look(width, height, ascii_only=ascii_only))
    lines_within(text, width, height)
    assert not ascii_only or text.isascii()


def test_colours_come_from_the_look_and_run_together() -> None:
    colors = Colors(train=(0, 0, 255), band=(0, 0, 100))
    table = bigrams.Table(["data"], np.full((9, 9), 0.5))
    symbols = LETTERS[:9]
    drawn = bigrams.heat_maps(
        symbols, [table], (0, 0), (0, 0), bigrams.grid(symbols, 1, 40, 20), ["here"], Look(40, 20, colors)
    )
    row = drawn.split("\n")[4]
    blue = [span for span in row.spans if span.style and "0000ff" in str(span.style)]
    assert [(span.start, span.end) for span in blue] == [(2, 20)]


# -- over time


def test_columns_are_even_with_the_first_and_the_last() -> None:
    assert timeline.evenly(9, 3) == [0, 4, 8]
    assert timeline.evenly(3, 9) == [0, 1, 2]
    assert timeline.evenly(9, 1) == [8]
    assert timeline.evenly(0, 3) == []


def names_table(width: int, height: int, snapshots: list[timeline.Snapshot], **more: Any) -> list[str]:
    splits = {"emma": "train", "olivia": "dev"}
    text = timeline.names_over_time(
        snapshots,
        {0: "dev 3.300", 1000: "dev 2.500"},
        splits.get,
        range(len(snapshots)),
        "2 of 2",
        look(width, height, **more),
    )
    return lines_within(text.plain, width, height)


def test_names_of_train_and_of_the_other_splits_are_marked() -> None:
    snapshots = [timeline.Snapshot(0, ["xq", "emma"]), timeline.Snapshot(1000, ["olivia", "carmahelaandsofurther"])]
    lines = names_table(80, 15, snapshots)
    assert lines[0].split() == ["step", "0", "step", "1,000"]
    assert lines[1].split() == ["dev", "3.300", "dev", "2.500"]
    assert lines[2].split() == ["xq", "olivia~"]
    assert lines[3].split() == ["emma=", "carmahelaands…"]
    assert "= in train" in lines[4]


def test_wide_and_hostile_names_keep_the_columns() -> None:
    snapshots = [timeline.Snapshot(0, ["田中太郎", "\x1b[2J", ""]), timeline.Snapshot(1000, ["b", "c", "d"])]
    lines = names_table(80, 15, snapshots)
    starts = {cell_len(line[: line.rindex(c)]) for line, c in zip(lines[2:5], "bcd", strict=True)}
    assert len(starts) == 1
    assert "\x1b" not in "\n".join(lines)


def test_names_that_do_not_fit_in_height_are_told() -> None:
    lines = names_table(80, 6, [timeline.Snapshot(0, list("abcdefghij"))])
    assert len(lines) == 6
    assert "3 of 10 names" in lines[-1]


def test_steps_and_losses_are_whole_and_apart_however_short_the_names() -> None:
    snapshots = [timeline.Snapshot(s, ["ann"]) for s in (10_000, 2_000_000)]
    losses = {10_000: "dev 26.265", 2_000_000: "train 2.100"}
    lines = timeline.names_over_time(snapshots, losses, {}.get, [0, 1], "", look(80, 9)).plain.split("\n")
    assert lines[0].split() == ["10,000", "2,000,000"], "no room for the word, so for none"
    assert lines[1].rstrip() == "dev 26.265  train 2.100"
