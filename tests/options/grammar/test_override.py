"""Overrides: whatever a text holds, it stays that text; what cannot be read is told with how to write it."""

import random
import shlex

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from fer_exp.options import commandline, config
from fer_exp.options.grammar import override

ODD_NAMES = [
    "it's", "p%20", "q?x", "a#b", "a{b}", "a,b", "$x", "a b", " ä ", 'a"b', "it's \"x\"", "${lr}", "\\${lr}",
    "a\\\\${lr}\\", "a\\", "\\'", "[a]", "a=b", "a:b", "null", "true", "1e3", "007", "~/x", "interval(1,2)",
    "", "'", '"', "a\nb",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD_NAMES)
def test_a_quoted_text_is_the_same_text_in_the_configuration(text: str) -> None:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        cfg = hydra.compose("config", [f"name={override.quoted(text)}"])
        assert commandline.plain(cfg)["name"] == text


def test_any_texts_of_signs_survive_quoting_for_hydra_and_for_a_shell() -> None:
    draw = random.Random(0)
    parser = OverridesParser.create()
    for _ in range(300):
        text = "".join(draw.choices("\\'\"${}a ,#(", k=draw.randint(1, 8)))
        word = f"name={override.quoted(text)}"
        assert "${" in text or parser.parse_override(word).value() == text
        assert shlex.split(override.typed(word)) == [word]


def test_what_is_typed_with_quotes_of_hydra_can_be_read() -> None:
    assert override.typed("dataset.path='fer 2013 (1).csv'") == "\"dataset.path='fer 2013 (1).csv'\""
    assert override.typed("lr=1") == "lr=1"


def refusal(*words: str) -> str:
    with pytest.raises(ValueError) as caught:
        override.read_all(words)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "reason", "means"),
    [
        ("dataset.path=fer 2013 (1).csv", "need quotes", "\"dataset.path='fer 2013 (1).csv'\""),
        ("name=ä", "letters beyond a-z need quotes", "\"name='ä'\""),
        ("name=a#b", "need quotes", "\"name='a#b'\""),
        ("name=it's", "a quote in it has no partner", '"name=\\"it\'s\\""'),
        ("name='it's'", "a quote in it has no partner", '"name=\\"it\'s\\""'),
        ("model.widths=[1,2", "a bracket in it has no partner ([)", "\"model.widths='[1,2'\""),
        ("lr=sort(1", "a bracket in it has no partner (()", "\"lr='sort(1'\""),
        ("lr=a=b", "need quotes", "\"lr='a=b'\""),
        ("lr=foo(3)", "foo(3) is a function call that does not work (Unknown function 'foo'", "\"lr='foo(3)'\""),
        ("lr=interval(1)", "(missing a required argument: 'end')", "\"lr='interval(1)'\""),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_the_reason_and_how_to_write_it(
    word: str, reason: str, means: str
) -> None:
    said = refusal(word)
    key = word.partition("=")[0]
    assert said.startswith(f"`{key}` cannot be read: ")
    assert reason in said
    assert said.endswith(f". Received: {word}. If it is a text, write {means}.")


@pytest.mark.parametrize("word", ["lr=[1,2", "name=a#b", "name='", "lr=a=b", "lr=foo(", "a b=3", "=3", "@x", "lr==3"])
def test_no_word_of_the_parser_reaches_a_person(word: str) -> None:
    said = refusal(word).lower()
    assert not [name for name in ("antlr", "exception", "viable", "mismatched", "token", "eof") if name in said]


def test_what_is_nested_without_end_is_told_in_one_short_line() -> None:
    said = refusal(f"lr={'[' * 5000}{']' * 5000}")
    assert "too many brackets" in said
    assert len(said) < 500


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["model", "cnn"], "model=cnn"),
        (["seed", "=", "3"], "seed=3"),
        (["seed=", "3"], "seed=3"),
        (["seed", "=3"], "seed=3"),
    ],
)
def test_an_override_torn_by_blanks_is_told_as_one_word(words: list[str], written: str) -> None:
    key = written.partition("=")[0]
    assert refusal("lr=1", *words) == (
        f"`{key}` must be one word with its value, without blanks. Received: {' '.join(words)}. Write {written}."
    )


def test_blanks_inside_the_word_and_lacking_values_are_told() -> None:
    assert refusal("seed = 3") == "`seed` must be followed by `=`, without blanks. Received: seed = 3. Write seed=3."
    assert refusal("model", "lr=3") == "`model` has no value. Received: model. Write 'model=<value>'."
    assert refusal("+=3") == "A value has no key. Received: +=3. Write '<key>=3'."
    assert refusal("lr=[", "name=#").count("\n") == 1, "all at once"


def test_what_is_meant_as_it_is_stays() -> None:
    words = ["lr=", "~model", "+a.b=1", "model@x=cnn", "seed=1,2", "name='a b'", "hydra.run.dir=a/b"]
    assert [found.input_line for found in override.read_all(words)] == words


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("name=20260913", "name='20260913'"),
        ("name=1e3", "name='1e3'"),
        ("name=1_0", "name='1_0'"),
        ("name=true", "name='true'"),
        ("name=2026,ab", "name='2026',ab"),
        ("name=null", "name=null"),
        ("name=ab", "name=ab"),
        ("name='5'", "name='5'"),
        ("name=[5]", "name=[5]"),
        ("name=${lr}", "name=${lr}"),
        ("name=range(1,3)", "name=range(1,3)"),
        ("~name", "~name"),
    ],
)
def test_numbers_become_the_texts_that_were_typed(typed: str, text: str) -> None:
    assert override.as_text(typed) == text
