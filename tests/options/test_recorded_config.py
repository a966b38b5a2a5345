"""A recorded configuration becomes a command line that leads to it again."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from contracts import compose

from fer_exp.data import source_choice
from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config, fingerprint, recorded_config

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


def test_keys_of_a_mapping_are_texts_so_that_runs_can_be_told_apart() -> None:
    values = commandline.composed(["dataset=image_folder", "dataset.path=/a", "dataset.class_names={0: sad, x: happy}"])
    assert values["dataset"]["class_names"] == {"0": "sad", "x": "happy"}
    assert fingerprint.of(values) != fingerprint.of({**values, "dataset": {**values["dataset"], "class_names": None}})


def test_data_sets_recorded_before_they_had_an_option_have_its_default_and_their_own_values() -> None:
    values = compose("dataset=image_folder", "dataset.path=/a", "dataset.val=0.1")
    del values["dataset"]["codes"]  # there was none, and 0.1 was the default of val
    again = compose(*recorded_config.as_overrides(values, WITHOUT))
    assert (again["dataset"]["val"], again["dataset"]["codes"]) == (0.1, None)
    values = compose("dataset=fer2013", "dataset.path=/a.csv")
    del values["dataset"]["classes"]
    assert compose(*recorded_config.as_overrides(values, WITHOUT))["dataset"]["classes"] == 7


def test_a_key_that_is_not_known_any_more_is_kept_so_that_it_is_refused() -> None:
    values = compose()
    values["model"] |= {"depth": None}
    assert "model.depth=null" in recorded_config.as_overrides(values, WITHOUT)


@pytest.mark.parametrize(
    "class_names",
    ["{0: neutral, 1: happy}", "{a b: x, a\\:b: 'is, {c}', 0_x: null}", "['高兴=happy','a=null']", "[a,b]"],
)
def test_names_of_class_folders_lead_to_themselves(class_names: str) -> None:
    overrides = ["dataset=image_folder", "dataset.path=/a", f"dataset.class_names={class_names}"]
    values = commandline.composed(overrides)
    again = commandline.composed(recorded_config.as_overrides(values, WITHOUT))
    assert again["dataset"] == values["dataset"]
    config.check({**compose(*overrides[:2]), "dataset": {**values["dataset"], "path": str(config.CONF)}})


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


def refused(folder: Path, text: str) -> str:
    (folder / "resolved.yaml").write_text(text)
    try:
        recorded_config.as_overrides(recorded_config.yaml_mapping(folder / "resolved.yaml", "It"), WITHOUT)
    except ConfigError as error:
        return str(error)
    pytest.fail("it was not refused")


@pytest.mark.parametrize(
    "key",
    ["hydra", "+hydra.callbacks", "++hydra.job.name", "hydra/launcher", "+dataset@x", "~model", "lr=1 +hydra.mode"],
)
def test_a_recorded_key_that_no_experiment_has_never_becomes_an_override(tmp_path: Path, key: str) -> None:
    node = {"x": {"_target_": "psutil.Popen", "args": ["sh", "-c", "id"]}}
    message = refused(tmp_path, yaml.safe_dump(compose() | {key: node}))
    assert message.startswith(f"`{key}` is not an option of the configuration. Received: ")


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("dataset", "psutil.Popen"),
        ("dataset", "fer_exp.launcher.processes.build"),
        ("model", "fer_exp.model.cnn._block"),
        ("model", "fer_exp.model.../../../tmp/evil.build"),
        ("model", "fer_exp.model.cnn +hydra.callbacks=x.build"),
    ],
)
def test_a_recorded_builder_is_one_of_its_group(tmp_path: Path, group: str, target: str) -> None:
    values = compose()
    values[group] = {"_target_": target}
    assert f"`{group}._target_` must be fer_exp.{group}.<option>.build" in refused(tmp_path, yaml.safe_dump(values))


@pytest.mark.parametrize("target", ["fer_exp.hydra/launcher.ray.build", "os.system", "fer_exp.model.cnn"])
def test_a_builder_inside_a_node_is_one_of_its_group_too(tmp_path: Path, target: str) -> None:
    values = compose("dataset=combine")
    values["dataset"]["sources"]["mine"] = {"_target_": target, "path": "/x"}
    assert "`dataset.sources.mine._target_` must be" in refused(tmp_path, yaml.safe_dump(values))


@pytest.mark.parametrize("key", ["a=1", "x: {y", "_target_ +hydra", "sp ace", ""])
def test_a_recorded_name_of_an_option_is_a_name(tmp_path: Path, key: str) -> None:
    values = compose()
    values["model"][key] = 1
    assert "names of letters, digits, _ and -" in refused(tmp_path, yaml.safe_dump(values))


@pytest.mark.parametrize(
    "text", ["${oc.env:HOME}", "a \\${b} ${c}", "\\\\${oc.env:HOME}\\", "it's ${x}'", "$ {x}", "${"]
)
def test_a_recorded_text_is_a_text_whatever_stands_in_it(text: str) -> None:
    (found,) = recorded_config._different({"name": text}, {}, ())
    assert commandline.composed([found])["name"] == text


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", [BOMB, "a: " + "[" * 5000, "a: " + "[" * 60 + "]" * 60, "{a: " * 5000, "x: [" + "1, " * 50_001 + "]"]
)
def test_a_yaml_that_is_deep_or_grows_is_refused_at_once(tmp_path: Path, text: str) -> None:
    assert "It must have at most 50,000 values, at most 50 deep" in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "? [1]\n: 2", "a: 2001-99-99", "- 1", "a: *b", "\x00"])
def test_what_is_no_plain_mapping_is_one_sentence(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text).startswith("It must ")


def test_the_aliases_of_a_preset_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [1, 2]\nb: *a\n")
    assert recorded_config.yaml_mapping(tmp_path / "a.yaml", "It") == {"a": [1, 2], "b": [1, 2]}
