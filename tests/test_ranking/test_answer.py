import numpy as np
import pytest

from mmbnft.ranking import rank_sources


@pytest.mark.parametrize(
    ("gap", "headline"),
    [(0.0, "No two checkpoints are separable; "), (20.0, "Take m5")],
)
def test_the_headline_names_a_pick_only_where_one_can_be_told(tmp_path, gap, headline):
    random = np.random.default_rng(0)
    lines = [
        f"m{n},task{task},{protocol},{40 + gap * (n == 5) + random.normal():.3f}"
        for n in range(6)
        for task in range(6)
        for protocol in ("linear", "finetune")
    ]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["checkpoint,task,protocol,value", *lines]))
    answer = rank_sources([path], "finetune", out=tmp_path / "report", resamples=500).study.answer
    assert answer.headline.startswith(headline)


def test_on_one_task_the_leader_loses_nothing_and_chance_something(tmp_path):
    lines = [f"m{n},task,{protocol},{40 + 10 * n}" for n in range(4) for protocol in ("linear", "finetune")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["checkpoint,task,protocol,value", *lines]))
    regret = rank_sources([path], "finetune", out=tmp_path / "report", resamples=200).study.answer.regret
    # The mean distance of 40, 50, 60 and 70 from 70.
    assert regret.startswith("It has the best finetune value measured here; a random pick loses 15.0 ")
