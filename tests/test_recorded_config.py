"""A recorded configuration becomes a command line that leads to it again."""

from typing import Any

import pytest
from contracts import compose

from fer_exp import commandline, recorded_config

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
