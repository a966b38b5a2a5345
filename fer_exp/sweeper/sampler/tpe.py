"""Tree-structured Parzen estimator: values like those of good trials and unlike those of bad ones."""

import optuna

from fer_exp.signature import NonNegativeInt, PositiveInt
from fer_exp.sweeper.sampler import seed_after


def build(
    trials: int,
    *,
    seed: NonNegativeInt | None,
    n_startup_trials: NonNegativeInt,
    n_ei_candidates: PositiveInt,
    multivariate: bool,
    constant_liar: bool,
) -> optuna.samplers.BaseSampler:
    """Builds the sampler.

    Args:
        trials: How many the study holds already.
        seed: Of its random numbers, >= 0; null for another one each time.
        n_startup_trials: Trials at random before it learns, >= 0.
        n_ei_candidates: Candidates of which the most promising is suggested, >= 1.
        multivariate: Learn how the keys depend on each other.
        constant_liar: Stay away from trials that are still running; of use when n_jobs is larger than 1.

    Source:
        Bergstra et al., 2011, https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization.
    """
    return optuna.samplers.TPESampler(
        seed=seed_after(seed, trials),
        n_startup_trials=n_startup_trials,
        n_ei_candidates=n_ei_candidates,
        multivariate=multivariate,
        constant_liar=constant_liar,
    )
