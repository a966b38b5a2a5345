"""Bad configurations are refused with words that help, all at once; good ones are typed."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from contracts import compose

from fer_exp.errors import ConfigError
from fer_exp.options import config
from fer_exp.options.config import GROUPS
from fer_exp.signature import read

YAMLS = sorted(path for group in GROUPS for path in (ROOT / "conf" / group).rglob("*.yaml"))
PRESETS = [
    f"{path.parent.name}={path.stem}"
    for kind in ("experiment", "debug", "hparams_search")
    for path in (ROOT / "conf" / kind).glob("*")
]


def problems(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.check(compose(*overrides))
    return list(caught.value.problems)


def test_the_defaults_pass() -> None:
    experiment = config.check(compose())
    assert (experiment.option("dataset"), experiment.option("model")) == ("synthetic", "cnn")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes(preset: str, tmp_path: Path) -> None:
    values = compose(preset)
    if "path" in values["dataset"]:  # where the data lie is the user's to say
        values["dataset"]["path"] = str(tmp_path)
    config.check(values)


def test_a_trial_with_a_few_batches_may_be_shorter_than_the_warm_up() -> None:
    config.check(compose("debug=fast", "schedule.warmup_epochs=5"))


@pytest.mark.parametrize("path", YAMLS, ids=lambda p: f"{p.parent.name}={p.stem}")
def test_a_yaml_gives_every_option_of_its_builder_and_a_builder_has_no_defaults_of_its_own(path: Path) -> None:
    node = yaml.safe_load(path.read_text())
    node.pop("defaults", None)
    signature = read(node.pop("_target_"))
    assert list(node) == list(signature.options)
    assert all(field.is_required() for field in signature.schema.model_fields.values())


@pytest.mark.parametrize("path", YAMLS, ids=lambda p: f"{p.parent.name}={p.stem}")
def test_every_option_is_documented_where_it_is_typed_and_its_yaml_shows_the_command(path: Path) -> None:
    node = yaml.safe_load(path.read_text())
    signature = read(node.pop("_target_"))
    assert set(signature.options) <= set(signature.docs)
    assert "python -m fer_exp" in path.read_text().split("_target_")[0]


def test_an_unknown_key_names_the_nearest() -> None:
    assert problems("++model.head_unit=3") == [
        "`model.head_unit` is not an option of model=cnn. Received: model.head_unit=3. Did you mean `model.head_units`?"
    ]


def test_a_key_of_another_option_names_its_owner() -> None:
    (problem,) = problems("schedule=cosine", "++schedule.patience=3")
    assert "It belongs to schedule=plateau; choose one." in problem


def test_an_added_typo_is_found() -> None:
    (problem,) = problems("+epoch=3")
    assert "`epoch` is not an option of the configuration" in problem
    assert "Did you mean `epochs`?" in problem


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=0", "`epochs` must be greater than 0. Received: epochs=0."),
        ("epochs=many", "`epochs` must be a valid integer. Received: epochs='many'."),
        ("lr=-1", "`lr` must be greater than 0. Received: lr=-1."),
        ("folds=1", "`folds` must be greater than or equal to 2. Received: folds=1."),
        ("fold=-1", "`fold` must be greater than or equal to 0. Received: fold=-1."),
        ("seed=true", "`seed` must be a valid integer. Received: seed=True."),
        ("sampling=sqrt", "`sampling` must be 'natural', 'balanced' or 'square_root'. Received: sampling='sqrt'."),
        ("precision=half", "`precision` must be 'auto', 'float32', 'mixed_bfloat16' or 'mixed_float16'. Received:"),
        ("monitor=val/auc", "`monitor` must be 'train/loss', 'train/accuracy', 'val/loss', 'val/accuracy' or"),
        ("early_stopping.patience=0", "`early_stopping.patience` must be greater than 0."),
        ("model.head_dropout=abc", "`model.head_dropout` must be a valid number. Received: model.head_dropout='abc'."),
        ("model.head_dropout=1", "`model.head_dropout` must be less than 1."),
        ("model.widths=[32,a]", "`model.widths.1` must be a valid integer. Received: model.widths.1='a'."),
        ("loss.class_weights={disgust: x}", "`loss.class_weights.disgust` must be a valid number."),
        (
            "export.kinds=[float32,int4]",
            "`export.kinds.1` must be 'float32', 'float16', 'dynamic', 'int8' or 'int8_qat'",
        ),
        ("export.kinds=[]", "`export.kinds` must"),
        (
            "dataset._target_=os.system",
            "`dataset._target_` must be a builder, fer_exp.dataset.<option>.build. Received: os.system.",
        ),
        ("dataset._target_=fer_exp.dataset.fer2013._read", "`dataset._target_` must be a builder"),
        ("model._target_=fer_exp.model.vgg.build", "`model._target_` does not lead to a builder"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(override: str, message: str) -> None:
    assert any(message in problem for problem in problems(override))


def test_the_message_carries_the_sentence_of_the_documentation() -> None:
    assert problems("batch_size=0")[0].endswith("Images a step, over all replicas together, >= 1.")


def test_all_problems_of_all_groups_come_at_once() -> None:
    found = problems("epochs=0", "model.head_units=-1", "++optimizer.beta=3", "+typo=1")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["strategy=mirrored", "strategy.devices=2", "batch_size=33"], "must be divisible by the 2 replicas"),
        (["finetune=staged"], "needs a model with a backbone: model=mobilenet_v1 or model=mobilenet_v2."),
        (["model=mobilenet_v2", "finetune=staged", "epochs=2"], "must give each of the 3 stages one epoch"),
        (["schedule.warmup_epochs=3"], "`schedule.warmup_epochs` must be smaller than epochs=3."),
        (["precision=mixed_float16"], "mixed_float16 needs a GPU"),
        (
            ["strategy=multi_worker"],
            "`resume` must be never with strategy=multi_worker: the state",
        ),
        (["fold=5"], "`fold` must be smaller than folds=5: folds are counted from 0. Received: fold=5."),
        (["limit_batches=1", "overfit_batches=1"], "exclude each other"),
        (["loss=logit_adjusted", "sampling=balanced"], "`sampling` must be natural with loss=logit_adjusted"),
    ],
)
def test_rules_across_groups_are_checked(overrides: list[str], message: str) -> None:
    (problem,) = problems(*overrides)
    assert message in problem


def test_a_missing_required_value_says_how_to_give_it() -> None:
    (problem,) = problems("dataset=fer2013")
    assert "`dataset.path` of dataset=fer2013 must be given: dataset.path=<value>." in problem


def test_a_path_that_does_not_exist_is_found_before_anything_is_imported() -> None:
    found = problems(
        "dataset=fer2013", "dataset.path=/nowhere/fer2013.csv", "model=mobilenet_v2", "model.weights=/no.h5"
    )
    assert len(found) == 2
    assert all("an existing path" in problem for problem in found)


def test_build_refuses_options_that_do_not_fit() -> None:
    node: dict[str, Any] = copy.deepcopy(compose()["optimizer"])
    with pytest.raises(ConfigError, match="optimizer.beta_1"):
        config.build(node, 0.1, beta_1="high")


def test_build_hands_plain_values_and_changes_to_the_builder() -> None:
    schedule = config.build(compose("schedule=constant")["schedule"], 10, 5, peak=0.25)
    assert schedule.learning_rate == 0.25


def test_what_is_asked_of_an_evaluation_is_checked() -> None:
    assert config.check(compose("evaluation.robustness=all")).evaluation.robustness == "all"
    (told,) = problems("evaluation.robustness=[blur,fog]")
    assert told.startswith("`evaluation.robustness.1` must be 'blur', 'noise', 'brightness',")
    assert "Received: evaluation.robustness.1='fog'" in told
    assert problems("evaluation.grad_cam=-1")[0].startswith("`evaluation.grad_cam` must be greater than or equal to 0.")
    assert problems("evaluation.robustness_images=0")[0].startswith(
        "`evaluation.robustness_images` must be greater than 0"
    )


def test_the_corruptions_of_the_configuration_are_those_that_there_are() -> None:
    from typing import get_args

    from fer_exp.assessment.corruptions import CORRUPTIONS

    assert get_args(config.Corruption) == tuple(CORRUPTIONS)


@pytest.mark.parametrize("option", ["path", "exclude", "relabel"])
def test_a_pipe_and_a_device_are_no_input(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    given = {"path": str(tmp_path), option: str(tmp_path / "pipe")}
    (problem,) = problems("dataset=fer2013", *(f"dataset.{key}={value}" for key, value in given.items()))
    assert problem.startswith(f"`dataset.{option}` must be a file or a folder, not a device or a pipe. Received:")
    assert any("not a device" in found for found in problems("dataset=fer2013", "dataset.path=/dev/zero"))
