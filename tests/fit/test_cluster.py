"""TF_CONFIG says which process this is, or is refused with an example."""

import json

import pytest

from fer_exp.errors import ConfigError
from fer_exp.fit import cluster

ADDRESSES = ["10.0.0.1:5001", "10.0.0.2:5001"]


def tf_config(index: object = 0, kind: str = "worker", **jobs: list[str]) -> str:
    return json.dumps({"cluster": jobs or {"worker": ADDRESSES}, "task": {"type": kind, "index": index}})


def test_the_first_worker_is_the_chief() -> None:
    first, second = (cluster.place({"TF_CONFIG": tf_config(index)}) for index in (0, 1))
    assert (first.index, first.processes, first.chief) == (0, 2, True)
    assert (second.index, second.processes, second.chief) == (1, 2, False)


def test_without_it_the_message_shows_one() -> None:
    with pytest.raises(ConfigError) as caught:
        cluster.place({})
    assert str(caught.value) == (
        'strategy=multi_worker needs TF_CONFIG in the environment: {"cluster": {"worker": ["10.0.0.1:5001", '
        '"10.0.0.2:5001"]}, "task": {"type": "worker", "index": 0}} on the first machine, with index 1 on the second.'
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        tf_config(index=2),
        tf_config(index="0"),
        tf_config(kind="evaluator"),
        tf_config(worker=ADDRESSES[:1]),
        tf_config(worker=ADDRESSES, ps=["10.0.0.3:5001"]),
    ],
)
def test_an_incomplete_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cluster.place({"TF_CONFIG": text})
    message = str(caught.value)
    assert message.startswith("`TF_CONFIG` must name two workers or more, and which of them this is: ")
    assert message.endswith(f"Received: {text}.")
