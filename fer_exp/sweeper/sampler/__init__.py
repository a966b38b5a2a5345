"""Contract of a sampler: `build(trials: int, *, ...) -> optuna.samplers.BaseSampler`.

Called by `search` through `config.build`; chosen with `hydra/sweeper/sampler=<option>`, its options are
`hydra.sweeper.sampler.*`. `trials` is how many the study holds already.
"""


def seed_after(seed: int | None, trials: int) -> int | None:
    """Returns the seed of a sampler that goes on, so that it does not suggest once more what it suggested first.

    Args:
        seed: Of the search; None for another one each time.
        trials: How many the study holds already.
    """
    return None if seed is None else seed + trials
