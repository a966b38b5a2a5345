"""Damaged files get an answer; the script with the whole number of them is run by the documentation's tests."""

import random
from pathlib import Path

import fuzz_predict
from answers import NAMES
from made_run import brightness_model

from fer_exp.lite.conversion import convert


def test_damaged_images_models_and_videos_get_an_answer_within_limits(tmp_path: Path) -> None:
    whole = [convert(brightness_model(fuzz_predict.SHAPE), "float32", NAMES)]
    tally = fuzz_predict.fuzz(whole, files=120, video_files=6, seed=1, folder=tmp_path)
    assert tally.defects == []
    assert sum(tally.counts.values()) == 126
    assert tally.longest < fuzz_predict.LONGEST_SECONDS
    assert fuzz_predict.peak_bytes() < fuzz_predict.LARGEST_BYTES
    for kind in ("model", "image"):  # neither too little damage nor too much
        assert tally.counts[kind, "predicted"]
        assert tally.counts[kind, "refused"]


def test_the_damage_is_the_same_for_the_same_seed_and_changes_every_file() -> None:
    content = bytes(range(256)) * 4
    some = [fuzz_predict.damaged(content, random.Random(seed)) for seed in range(50)]
    assert some == [fuzz_predict.damaged(content, random.Random(seed)) for seed in range(50)]
    assert sum(one != content for one in some) > 40
