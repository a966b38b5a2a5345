"""Runs are ranked by validation, never by the test split."""

import numpy as np
import pandas as pd

from fer_exp.run import leaderboard


def test_the_leaderboard_ranks_by_validation_and_puts_runs_without_a_value_last() -> None:
    children = pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "name": ["A", "B", "C"],
            "status": ["FINISHED", "FAILED", "FINISHED"],
            "sweep.lr": ["1", "2", "3"],
            "best_val/loss": [0.5, np.nan, 0.25],
            "test/accuracy": [0.9, np.nan, 0.1],
        }
    )
    table = leaderboard.ranked(children, "val/loss", ["lr"])
    assert table["name"].tolist() == ["C", "A", "B"]
    assert table["lr"].tolist() == ["3", "1", "2"]
    assert table["rank"].tolist() == [1, 2, 3]
