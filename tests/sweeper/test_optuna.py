"""The options of a search, as Hydra's users know them."""

import yaml
from conftest import ROOT
from hydra import compose, initialize_config_dir

from fer_exp.options import commandline, config
from fer_exp.process import credentials
from fer_exp.run.hparams import study


def test_the_keys_are_those_of_hydras_own_plugin_and_a_pruner() -> None:
    options = yaml.safe_load((ROOT / "conf" / "hydra" / "sweeper" / "optuna.yaml").read_text())
    official = {"direction", "storage", "study_name", "n_trials", "n_jobs", "max_failure_rate", "params"}
    assert options.keys() - {"defaults", "_target_", "_recursive_", "builder"} == official
    assert options["defaults"] == [{"sampler": "tpe"}, {"pruner": "median"}]


def test_a_plain_sweep_is_no_search() -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        assert commandline.search_of(compose("config", return_hydra_config=True)) is None


def test_the_password_of_a_storage_is_not_recorded() -> None:
    storage = "hydra.sweeper.storage=postgresql://me:secret@host/optuna"
    jobs = commandline.check(["-m", "hparams_search=cnn", storage])
    assert jobs is not None
    assert jobs.search is not None
    assert jobs.search.storage == "postgresql://me:***@host/optuna"
    assert credentials.whole(study.url_of(jobs.search.storage)) == "postgresql://me:secret@host/optuna"
    assert jobs.overrides[-1] == "hydra.sweeper.storage=postgresql://me:***@host/optuna"


def test_a_preset_says_what_is_searched_and_a_command_more() -> None:
    jobs = commandline.check(["-m", "hparams_search=cnn", "lr=1e-3", "seed=0,1", "hydra.sweeper.n_trials=7"])
    assert jobs is not None
    assert jobs.search is not None
    assert jobs.search.n_trials == 7
    assert "lr" not in jobs.swept_keys, "the command line has fixed it"
    assert {"batch_size", "model.head_units", "seed"} <= set(jobs.swept_keys)
