"""Values at random: the baseline that every sampler must beat."""

import optuna

from fer_exp.signature import NonNegativeInt
from fer_exp.sweeper.sampler import seed_after


def build(trials: int, *, seed: NonNegativeInt | None) -> optuna.samplers.BaseSampler:
    """Builds the sampler.

    Args:
        trials: How many the study holds already.
        seed: Of its random numbers, >= 0; null for another one each time.
    """
    return optuna.samplers.RandomSampler(seed=seed_after(seed, trials))
