"""How tests get a configuration: the real one, composed by Hydra, with overrides."""

import copy
from functools import cache
from typing import Any

import hydra
from omegaconf import OmegaConf

from fer_exp.options import config


def compose(*overrides: str) -> dict[str, Any]:
    """Returns the composed configuration as plain containers, the caller's own."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        values = OmegaConf.to_container(hydra.compose("config", list(overrides)), resolve=True)
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def launcher_node(option: str, **changes: Any) -> dict[str, Any]:
    """Returns the node of a launcher as `config.build` takes it: its builder and its options."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        cfg = hydra.compose("config", [f"hydra/launcher={option}"], return_hydra_config=True)
        values = OmegaConf.to_container(cfg.hydra.launcher, resolve=True)
    options = (
        {str(key): value for key, value in values.items() if key != "_target_"} if isinstance(values, dict) else {}
    )
    return {"_target_": options.pop("builder"), **options, **changes}


def node(group: str, option: str, **changes: Any) -> dict[str, Any]:
    """Returns the yaml of an option, references resolved, with some values changed."""
    values = compose(f"{group}={option}")[group]
    return {**values, **changes}
