"""A finished run as pages and descriptions are told of it; what comes from outside is as bad as it can be."""

import numpy as np

from fer_exp.assessment import metrics
from fer_exp.dataset import Split, Splits
from fer_exp.reporting.run_page.contents import About

EVIL = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(1)>"
NAMES = ("angry", EVIL, "sad")
TAGS = {
    "parameters": 1234567, "multiply_adds": 2_500_000, "weights": "random", "precision": "float32", "device": EVIL,
    "threads": 2, "host": "laptop", "version": "0.1.0", "platform": "Python 3", "git_commit": "abc",
}  # fmt: skip


def split(count: int) -> Split:
    return Split.of_images(np.zeros((count, 8, 8, 1), np.uint8), np.arange(count) % 2)


def about(**tags: str) -> About:
    labels = np.array([0, 0, 0, 1])
    evaluation = metrics.evaluate(0.1 + 0.7 * np.eye(3)[[0, 0, 1, 1]], labels, NAMES)
    notes = {"rows_skipped": 0, "corrections": {"excluded_from_train": 12}}
    splits = Splits(
        split(6), split(4), Split.of_images(split(4).images, labels), NAMES, "f" * 64, f"faces/{EVIL}", notes
    )
    commands = [("Again:", "python -m fer_exp reproduce=abc")]
    return About(
        EVIL, "a" * 32, "sqlite:///x.db", commands, {"model": "cnn"}, TAGS | tags, splits, evaluation, (3, 5), 200
    )
