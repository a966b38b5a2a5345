"""A recorded configuration becomes a command line that leads to it again."""

import shlex
from typing import Any

import pytest
from contracts import compose

from fer_exp import commandline, config, recorded_config
from fer_exp.data import source_choice

WITHOUT = ("name", "resume", "cache_dir", "pruning", "tracking.uri")


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model=mobilenet_v2", "finetune=staged", "model.weights=null", "lr=2e-4", "monitor=val/loss", "fold=1"),
        ("experiment=article_mobilenet", "loss.label_smoothing=0.2"),
        ("experiment=mobilenet_transfer", "early_stopping=null"),
        ("optimizer=sgd", "export=none", "schedule=plateau", "schedule.factor=0.3", "debug=fast"),
    ],
)
def test_the_overrides_of_a_source_lead_to_its_configuration(overrides: tuple[str, ...]) -> None:
    values = compose(*overrides)
    again = compose(*recorded_config.as_overrides(values, WITHOUT))
    for key in ("name", "resume", "cache_dir", "pruning"):
        del values[key], again[key]
    assert again == values


def test_a_value_keeps_its_type_on_the_command_line() -> None:
    value: dict[str, Any] = {
        "a": [1, 2.5e-7, None, True],
        "b": "it's {odd}, 'very'",
        "c": "~/a b",
        "d": "null",
        "e": "1",
    }
    (found,) = recorded_config._different({"extra": value}, {}, ())
    assert commandline.composed([f"+{found}"])["extra"] == value


def test_what_a_configuration_did_not_know_is_as_composed() -> None:
    values = compose("lr=0.02")
    del values["folds"], values["loss"]["label_smoothing"], values["pruning"]
    again = compose(*recorded_config.as_overrides(values, WITHOUT))
    assert (again["lr"], again["folds"], again["loss"]["label_smoothing"]) == (0.02, 5, 0.0)


def test_a_key_that_is_not_known_any_more_is_kept_so_that_it_is_refused() -> None:
    values = compose()
    values["model"] |= {"depth": None}
    assert "model.depth=null" in recorded_config.as_overrides(values, WITHOUT)


COMBINED = "dataset.sources."
DATA = {
    "synthetic": ("dataset.seed=3",),
    "fer2013": ("dataset.path='/data/with space.csv'", "dataset.val=0.1", "dataset.on_bad_row=skip"),
    "ferplus": ("dataset.path=a.csv", "dataset.votes='~/b.csv'", "dataset.classes=7", "dataset.label=majority"),
    "ckplus": ("dataset.path=/CK+", "dataset.frames=1", "dataset.faces=haar", "dataset.contempt=drop"),
    "affectnet": ("dataset.path=/A", "dataset.image_size=64", "dataset.channels=1", "dataset.exclude=x.csv"),
    "rafdb": ("dataset.path=\"/it's\"", "dataset.split_seed=4", "dataset.on_bad_image=skip"),
    "image_folder": ("dataset.path='$HOME/[1], {a}'", "dataset.class_names=[a,'1',no]", "dataset.relabel=/r.csv"),
    "combine": (
        f"{COMBINED}fer2013.path=/f.csv", f"{COMBINED}fer2013.val=0.2", f"{COMBINED}rafdb.path=/r",
        "+dataset@dataset.sources.mine=image_folder", f"{COMBINED}mine.path=/m", f"{COMBINED}mine.exclude=/e.csv",
        f"{COMBINED}mine.val=0.2", "dataset.test=[rafdb,mine]", "dataset.classes=union",
    ),
}  # fmt: skip


@pytest.mark.parametrize("option", sorted(path.stem for path in (config.CONF / "dataset").glob("*.yaml")))
def test_what_a_person_types_leads_to_the_same_data(option: str) -> None:
    values = compose(f"dataset={option}", *DATA[option], "folds=4", "fold=1")
    node = source_choice.given(values["dataset"])  # as an experiment has it
    typed = recorded_config.as_typed({"dataset": node, "folds": 4, "fold": 1})
    again = commandline.composed(shlex.split(typed))
    assert source_choice.given(again["dataset"]) == node
    assert (again["folds"], again["fold"]) == (4, 1)


def test_what_a_person_types_says_what_is_not_the_default_and_can_be_read() -> None:
    node = compose("dataset=fer2013", "dataset.path='/data/with space.csv'", "dataset.val=0.1")["dataset"]
    typed = recorded_config.as_typed({"dataset": node, "folds": 5, "fold": None})
    assert typed == "dataset=fer2013 \"dataset.path='/data/with space.csv'\" dataset.val=0.1"
    node = compose("dataset=fer2013", "dataset.path=/data/fer2013.tar.gz")["dataset"]
    assert recorded_config.as_typed({"dataset": node}) == "dataset=fer2013 dataset.path=/data/fer2013.tar.gz"


def test_a_data_set_put_beside_the_named_ones_is_put_there_by_hydra_itself() -> None:
    values = compose("dataset=combine", *DATA["combine"])
    overrides = recorded_config.as_overrides(values, WITHOUT)
    assert compose(*overrides)["dataset"] == values["dataset"]  # strict, as a run is composed
