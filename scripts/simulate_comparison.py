"""How often `fer_exp.compare` would call equal configurations different: simulated, and written into docs/compare.md.

    python scripts/simulate_comparison.py
    python scripts/simulate_comparison.py --trials 20 --no-write

Images differ in how hard they are; some suit one configuration more (or not), and trainings turn out better or worse
(or not). On average over images and seeds both configurations are equal, so a sound test says otherwise in 5 % of the
trials.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from document import markdown, replace_section

from fer_exp.assessment.significance import ALPHA, mcnemar, paired_test

DOCUMENT = Path(__file__).parents[1] / "docs" / "compare.md"
SEEDS, IMAGES = (3, 5), (250, 3500)
SUITS_ONE, SEED_SPREAD = (0.0, 1.0), (0.0, 0.05, 0.2)  # standard deviations of the logit
HARDNESS, MEAN = 1.5, 1.0  # about 70 % right, as on FER2013
TESTS = {
    "p": "min F' (`p`)",
    "replicates": "t over seeds (`p replicates`)",
    "images": "clustered McNemar (`p images`)",
    "added": "McNemar on added-up counts",
}


def main() -> None:
    """Simulates every setting and reports the lowest and the highest rate of each test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="of each setting")
    parser.add_argument("--no-write", action="store_true", help="leave docs/compare.md as it is")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    settings = list(product(SEEDS, IMAGES, SUITS_ONE, SEED_SPREAD))
    rates = pd.DataFrame([false_alarms(random, options.trials, *setting) for setting in settings])
    rows = [(name, f"{rates[key].min():.1%}", f"{rates[key].max():.1%}") for key, name in TESTS.items()]
    table = markdown(pd.DataFrame(rows, columns=["test", "lowest", "highest"]))
    print(table)
    if not options.no_write:
        command = f"`python scripts/simulate_comparison.py`: {len(settings)} settings, {options.trials} trials each"
        replace_section(options.document, "simulation", f"{table}\n\n{command}")


def false_alarms(
    random: np.random.Generator, trials: int, seeds: int, images: int, suits_one: float, seed_spread: float
) -> dict[str, float]:
    """Returns the share of the trials in which each test calls equal configurations different."""
    found = pd.DataFrame([p_values(random, seeds, images, suits_one, seed_spread) for _ in range(trials)])
    return {key: float((found[key] < ALPHA).mean()) for key in TESTS}


def p_values(
    random: np.random.Generator, seeds: int, images: int, suits_one: float, seed_spread: float
) -> dict[str, float]:
    """Returns the p-value of each test for two equal configurations."""
    hardness = random.normal(MEAN, HARDNESS, images)
    first, second = (
        random.random((seeds, images)) < 1 / (1 + np.exp(-logits))
        for logits in (
            hardness + random.normal(0, suits_one, images) + random.normal(0, seed_spread, (seeds, 1)) for _ in range(2)
        )
    )
    test = paired_test(first, second)
    added = mcnemar(sum(pair.only_group for pair in test.pairs), sum(pair.only_baseline for pair in test.pairs))
    return {"p": test.p_value, "replicates": test.p_replicates, "images": test.p_images, "added": added}


if __name__ == "__main__":
    main()
