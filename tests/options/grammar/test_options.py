"""Hydra's own options: what is no such option, or contradicts itself, is told with what was probably meant."""

from pathlib import Path

import pytest

from fer_exp.errors import ConfigError
from fer_exp.options.grammar import options


def refusal(*arguments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        options.parsed(arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "start", "meant"),
    [
        (["--model", "cnn"], "`--model` is no option of the command line. Received: --model cnn.", "model=cnn."),
        (["--lr=3"], "`--lr` is no option of the command line. Received: --lr=3.", "lr=3."),
        (["-x"], "`-x` is no option of the command line. Received: -x.", "x=<value>."),
        (["--multi-run", "seed=0,1"], "`--multi-run` is no option", "Did you mean --multirun? Keys have no dashes"),
    ],
)
def test_a_key_with_dashes_is_told_without(arguments: list[str], start: str, meant: str) -> None:
    said = refusal("lr=1", *arguments)
    assert said.startswith(start)
    assert meant in said
    assert "usage" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cfg", "job", "-m"], "`--multirun` and `--cfg` exclude each other"),
        (["--resolve"], "`--resolve` goes with --cfg"),
        (["--cfg"], "The command line cannot be read: argument --cfg/-c: expected one argument."),
        (["--cfg", "jobs"], "invalid choice: 'jobs'"),
        (["--config-dir", "nowhere"], "`--config-dir` must be an existing folder. Received: nowhere."),
        (["--config-path", "."], "`--config-path` must begin with /. Received: .."),
        (["--experimental-rerun", "job.pickle"], "reads a pickle, which may run code."),
    ],
)
def test_options_that_cannot_be_followed_are_told_in_a_sentence(arguments: list[str], said: str) -> None:
    assert said in refusal(*arguments)


def test_overrides_may_stand_before_and_behind_options(tmp_path: Path) -> None:
    found = options.parsed(["lr=1", "-m", "seed=0,1", "--config-dir", str(tmp_path), "name=x"])
    assert found.overrides == ("lr=1", "seed=0,1", "name=x")
    assert found.arguments == ("-m", "--config-dir", str(tmp_path), *found.overrides)
    assert (found.multirun, found.shows, found.config_dir) == (True, False, str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "multirun"),
    [(["hydra.mode=MULTIRUN"], True), (["hydra.mode=RUN"], False), (["-m"], True), ([], False)],
)
def test_the_mode_of_hydra_asks_for_a_sweep_like_the_option(arguments: list[str], multirun: bool) -> None:
    assert options.parsed(arguments).multirun is multirun


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--info"], ["--hydra-help"]])
def test_what_only_shows_something_is_known(arguments: list[str]) -> None:
    assert options.parsed(arguments).shows
