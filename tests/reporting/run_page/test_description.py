"""The description of a run says what it is and what came out, warnings first, and shows text from outside as text."""

from described_run import EVIL, about

from fer_exp.reporting.run_page import description

NUMBERS = {
    "test/accuracy": 0.5, "tflite/float32/size_mb": 6.4, "tflite/float32/published": 1.0, "tflite/int8/size_mb": 1.66,
    "tflite/int8/published": 0.0,
}  # fmt: skip


def test_it_has_accuracy_model_data_files_and_how_to_run_it_again() -> None:
    text = description.text(about(), [], NUMBERS)
    assert text.startswith("- **test accuracy 75.0 % (30.1-95.4)**, macro-F1 ")
    assert "model cnn, 1,234,567 parameters, 2.5 M multiply-adds an image; epoch 3 of 5 kept; 3 min 20 s" in text
    assert ": 6 / 4 / 4 images to train, validate and test" in text
    assert "files: float32 6.40 MB, int8 withheld" in text
    assert text.endswith("Again:\n\n    python -m fer_exp reproduce=abc")


def test_warnings_come_first_and_markup_from_outside_is_shown() -> None:
    text = description.text(about(), ["It has diverged: [x](http://evil)."], {})
    assert text.startswith(r"**Warning.** It has diverged: \[x\]\(http://evil\).")
    assert EVIL not in text
    assert r"\<script\>" in text
    assert "files:" not in text
