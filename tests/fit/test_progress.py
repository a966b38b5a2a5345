"""Progress: plain lines in a log file, a live bar on a terminal, the same numbers in both."""

import io

import pytest
from rich.console import Console

from fer_exp.fit.progress import TrainingProgress

LOGS = {"loss": 1.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.5, "val_macro_f1": 0.375}


def watch(*, terminal: bool, width: int = 140, stage: str = "head") -> str:
    file = io.StringIO()
    progress = TrainingProgress(Console(file=file, force_terminal=terminal, width=width), stage, 2, 5, 3, 32)
    progress.on_train_begin()
    progress.on_epoch_begin(2)
    for batch in range(3):
        progress.on_train_batch_end(batch, LOGS)
    progress.on_epoch_end(2, LOGS)
    progress.on_train_end()
    return file.getvalue()


def test_a_log_file_gets_one_plain_line_for_each_epoch() -> None:
    (line,) = watch(terminal=False).splitlines()
    assert "\x1b" not in line
    for text in (
        "epoch   3/5",
        "head",
        "train loss 1.5000 accuracy 0.2500",
        "val loss 1.2500",
        "macro-F1 0.3750",
        "left",
    ):
        assert text in line


def test_a_terminal_gets_a_bar_with_speed_and_the_same_line() -> None:
    shown = watch(terminal=True)
    assert "images/s" in shown
    assert "head: epoch 3/5" in shown
    assert "macro-F1 0.3750" in shown


def test_nothing_of_the_bar_is_cut_on_a_narrow_terminal() -> None:
    shown = watch(terminal=True, width=80, stage="upper_half")
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert "upper_half: epoch 3/5" in shown
    assert "accuracy 0.250" in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_closing_twice_does_no_harm(terminal: bool) -> None:
    progress = TrainingProgress(Console(file=io.StringIO(), force_terminal=terminal), "all", 0, 1, 1, 1)
    progress.on_train_begin()
    progress.close()
    progress.close()
