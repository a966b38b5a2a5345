"""Which data sets are trained and tested on, and the words for choices that cannot be."""

import re
from typing import Any

import pytest

from fer_exp.data import source_choice
from fer_exp.data.source_choice import Roles

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (None, None, Roles(NAMES, NAMES)),
        (None, "b", Roles(("a", "c"), ("b",))),
        (["a"], ["b", "a"], Roles(("a",), ("b", "a"))),
        ("c", None, Roles(("c",), ("c",))),
    ],
)
def test_a_source_that_is_tested_on_is_not_trained_on_unless_said(train: Any, test: Any, expected: Roles) -> None:
    assert source_choice.roles(NAMES, train, test) == expected


def test_sources_without_a_path_are_left_out() -> None:
    node = {"train": None, "sources": {"a": {"path": "???"}, "b": {"path": "x"}, "c": {"seed": 0}}}
    assert source_choice.given(node) == {"train": None, "sources": {"b": {"path": "x"}, "c": {"seed": 0}}}
    assert source_choice.given({"path": "???"}) == {"path": "???"}


def test_votes_without_a_path_are_not_left_out_unsaid() -> None:
    sources = {"a": {"path": "???", "votes": "x"}, "b": {"path": "???", "votes": "???"}}
    assert source_choice.given({"sources": sources}) == {"sources": {"a": {"path": "???", "votes": "x"}}}


@pytest.mark.parametrize(
    ("names", "train", "test", "images", "message"),
    [
        ((), None, None, "split", "must hold two data sets or more: give the path of each, .* Received: none"),
        (("a",), None, None, "split", "must hold two data sets or more.* Received: a"),
        (("a", "b.c"), None, None, "split", r"must have names of letters, digits, _ and -\. Received: b\.c"),
        (NAMES, "d", None, "split", r"`dataset\.train` must name sources whose path is given: a, b, c\. Received: d"),
        (NAMES, None, ["a", "d"], "split", r"`dataset\.test` must name sources .*Received: d"),
        (NAMES, None, ["a", "b", "c"], "split", r"`dataset\.test` must leave a source to train on"),
        (NAMES, ["a"], ["a", "b"], "all", r"`dataset\.test_images`=all needs .* Received: a, trained on too"),
    ],
)
def test_a_choice_that_cannot_be_is_told(names: Any, train: Any, test: Any, images: Any, message: str) -> None:
    (problem,) = source_choice.problems(names, train, test, images)
    assert re.search(message, problem)


def test_a_sound_choice_has_no_problems() -> None:
    assert list(source_choice.problems(NAMES, ["a", "b"], "c", "all")) == []
