"""RunConfig: one place for every hyperparameter, and messages that say what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.config import (
    FIELDS,
    NOT_USED,
    ConfigError,
    allowed,
    fields_by_group,
    make_config,
    nearest_preset,
    parse_field,
    text_of,
    unused,
    validate,
)
from tui_mm.presets import PRESET_SUMMARIES, PRESETS


def test_every_field_is_explained_and_grouped() -> None:
    for name, field in FIELDS.items():
        assert field.help, name
        assert field.group in ("Data", "Model", "Training", "Schedule", "Machine")
        assert allowed(name)


def test_every_preset_is_valid_and_has_a_summary() -> None:
    assert set(PRESETS) == set(PRESET_SUMMARIES)
    for name in PRESETS:
        make_config(name)


def test_lecture_preset_is_the_lectures() -> None:
    c = make_config("lecture")
    assert (c.embedding, c.hidden, c.block_size, c.batch_size, c.steps) == (10, 200, 3, 32, 200_000)
    assert (c.optimizer, c.lr, c.schedule, c.decay_at, c.decay_factor, c.init) == (
        "sgd", 0.1, "step", 0.5, 0.1, "lecture",
    )  # fmt: skip
    assert (c.weight_decay, c.momentum, c.train_fraction, c.dev_fraction, c.split_seed) == (0.0, 0.0, 0.8, 0.1, 42)


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("steps = 7\nbatch-size = 8\nembedding = 5\n")
    c = make_config("lecture", file, {"steps": "9"})
    assert (c.steps, c.batch_size, c.embedding, c.hidden) == (9, 8, 5, 200)


def test_the_file_may_name_a_preset_and_an_explicit_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('preset = "lecture-small"\n')
    assert make_config(None, file).hidden == 100
    assert make_config("lecture", file).hidden == 200


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"lr": "-1"}, ["--lr", "'-1'", "above 0"]),
        ({"lr": "nan"}, ["--lr", "nan"]),
        ({"lr": "inf"}, ["--lr", "inf"]),
        ({"steps": "x"}, ["--steps", "'x'", "whole number from 1"]),
        ({"steps": "0"}, ["--steps", "'0'"]),
        ({"batch_size": "2.5"}, ["--batch-size", "'2.5'", "whole number"]),
        ({"init": "foo"}, ["--init", "'foo'", "lecture, output-0.1", "kaiming"]),
        ({"device": "gpu"}, ["--device", "'gpu'", "cuda"]),
        ({"hiden": "3"}, ["hiden", "did you mean hidden?"]),
        ({"train_fraction": ".9", "dev_fraction": ".5"}, ["train_fraction", "0.9", "at most 1"]),
    ],
)
def test_a_wrong_value_names_field_value_and_what_is_allowed(flags: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        make_config(flags=flags)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("steps = = 3", "TOML"),
        ("steps = -3", "steps"),
        ("stepz = 3", "did you mean steps?"),
        ("[training]\nsteps = 3", "training"),
        ("preset = 3", "preset"),
        ("preset = 'lectur'", "did you mean lecture?"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.toml|preset") as error:
        make_config(None, file)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_binary_and_large_files_are_one_line(tmp_path: Path) -> None:
    binary, large = tmp_path / "a.toml", tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe")
    large.write_bytes(b"#" * ((1 << 20) + 1))
    for file, word in ((tmp_path / "none.toml", "cannot be read"), (binary, "is not TOML"), (large, "larger")):
        with pytest.raises(ConfigError, match=word):
            make_config(None, file)


@given(st.dictionaries(st.sampled_from(list(FIELDS)), st.text() | st.integers() | st.floats()))
def test_any_values_give_a_configuration_or_one_clear_line(values: dict[str, object]) -> None:
    try:
        config = make_config(flags=values)
    except ConfigError as error:
        assert str(error).strip()
    else:
        assert make_config(flags=config.values()) == config


def test_evaluation_interval_is_a_twentieth_of_the_steps_by_default() -> None:
    assert make_config(flags={"steps": 1000}).evaluation_interval == 50
    assert make_config(flags={"steps": 3}).evaluation_interval == 1
    assert make_config(flags={"steps": 1000, "eval_every": 7}).evaluation_interval == 7


def test_all_fields_stand_in_groups_in_their_order() -> None:
    groups = fields_by_group()
    assert [name for names in groups.values() for name in names] == list(FIELDS)
    assert groups["Machine"] == ["device", "threads", "engine"]


def test_choices_are_those_of_literal_fields() -> None:
    assert FIELDS["init"].choices[:2] == ("lecture", "output-0.1")
    assert FIELDS["lr"].choices == ()


def test_what_is_not_used_names_fields_and_choices_that_exist() -> None:
    for (field, value), names in NOT_USED.items():
        assert value in FIELDS[field].choices
        assert set(names) <= set(FIELDS)
    assert {value for field, value in NOT_USED if field == "schedule"} == set(FIELDS["schedule"].choices)


@pytest.mark.parametrize(
    ("flags", "name", "by"),
    [
        ({"model": "bigram"}, "steps", "bigram"),
        ({"model": "bigram", "optimizer": "adamw"}, "momentum", "bigram"),
        ({"optimizer": "adamw"}, "momentum", "adamw"),
        ({"optimizer": "sgd"}, "momentum", None),
        ({"schedule": "step"}, "decay_at", None),
        ({"schedule": "cosine"}, "decay_at", "cosine"),
        ({}, "smoothing", "mlp"),
    ],
)
def test_fields_without_use_under_a_choice(flags: dict[str, str], name: str, by: str | None) -> None:
    assert unused(make_config(flags=flags).values()).get(name) == by


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_nearest_to_itself_whatever_the_words(name: str) -> None:
    assert nearest_preset(make_config(name, flags={"data": "x.txt", "encoding": "latin-1"})) == name
    assert nearest_preset(make_config(name, flags={"seed": 1})) == name


@given(st.data())
def test_a_text_gives_the_value_and_the_message_that_the_whole_configuration_gives(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(FIELDS)))
    text = data.draw(
        st.text(max_size=8) | st.integers().map(str) | st.floats().map(str) | st.sampled_from(FIELDS["init"].choices)
    )
    try:
        value = parse_field(name, text)
    except ConfigError as error:
        with pytest.raises(ConfigError) as whole:
            validate({name: text})
        assert str(error) == str(whole.value)
    else:
        assert parse_field(name, text_of(value)) == value
        rest = {"dev_fraction": 0} if name == "train_fraction" else {"train_fraction": 1e-9}
        assert getattr(validate({name: text} if "fraction" not in name else rest | {name: text}), name) == value


@pytest.mark.parametrize(("given", "threads"), [("auto", 0), (" auto ", 0), ("0", 0), (0, 0), ("3", 3), (2, 2)])
def test_threads_take_a_word_for_what_is_chosen_by_the_work(given: object, threads: int, tmp_path: Path) -> None:
    assert make_config(flags={"threads": given}).threads == threads
    file = tmp_path / "run.toml"
    file.write_text(f"threads = {given!r}\n")
    assert make_config(None, file).threads == threads
    assert parse_field("threads", text_of(threads, "threads")) == threads


def test_a_word_of_a_field_is_shown_and_is_of_that_field_alone() -> None:
    assert (text_of(0, "threads"), text_of(2, "threads"), text_of(0, "min_count"), text_of(0)) == (
        "auto",
        "2",
        "0",
        "0",
    )
    assert allowed("threads") == "auto, or a whole number from 0 to 1,024"
    for flags in ({"threads": "Auto"}, {"threads": "-1"}, {"threads": "auto2"}, {"steps": "auto"}):
        with pytest.raises(ConfigError, match="is not allowed; give"):
            make_config(flags=flags)
