"""How short trainings may be, from results whose orders are known."""

import numpy as np
import pytest

from mmbnft.results import Result, write_result
from mmbnft.select.past_tables import stored_curves
from mmbnft.select.shortest import judge_lengths, shortest_of
from mmbnft.utils.errors import UserError

WHOLE = {f"c{n}": 70.0 + n for n in range(10)}


def stored(folder, length, values):
    for name, value in values.items():
        search = [{"trial": 0, "length": length, "val": value - 1}, {"trial": 1, "length": length, "val": value}]
        write_result(folder, Result(name, "t", "finetune", "r", 0, 0, f"{length}{name}".ljust(40, "0"), "ok", value,
                                    "top1", evaluated_on="val", details={"search": search}))  # fmt: skip


def test_lengths_that_keep_the_order_are_told_from_those_that_turn_it_round(tmp_path):
    turned = {name: 100 - value for name, value in WHOLE.items()}
    stored(tmp_path, 27, WHOLE)
    stored(tmp_path, 9, {name: value - 5 for name, value in WHOLE.items()})
    stored(tmp_path, 3, turned)
    lines = list(shortest_of(tmp_path, "finetune"))
    assert lines[0].startswith("t: length 3 of 27: tau -1.00 [-1.00, -1.00], n = 10; picking by it loses 9.00 points")
    assert lines[1].startswith("t: length 9 of 27: tau 1.00")
    assert lines[2].startswith("t: length 9 and up keeps the order")


def test_where_nothing_is_sure_it_says_so_and_few_checkpoints_say_nothing(tmp_path):
    mixed = dict(zip(WHOLE, [70.0, 75.0, 71.0, 79.0, 73.0, 72.0, 78.0, 74.0, 77.0, 76.0], strict=True))
    (length,) = judge_lengths({3: mixed, 9: WHOLE})
    assert length.interval[0] < 0.6 < length.interval[1] or length.interval[1] < 0.6
    assert judge_lengths({3: {"a": 1.0, "b": 2.0}, 9: {"a": 1.0, "b": 2.0}}) == []
    stored(tmp_path, 9, WHOLE)
    with pytest.raises(UserError, match="has no results of 'finetune' on val at two lengths"):
        list(shortest_of(tmp_path, "finetune"))


@pytest.mark.parametrize("kind", ["steady", "wild"])
def test_stored_lengths_teach_how_far_short_trainings_are_to_be_trusted(tmp_path, kind):
    rng = np.random.default_rng(0)
    for length in (3, 9, 27):
        wild = 5 * (27 / length) ** 0.5 * rng.standard_normal(10) if kind == "wild" and length < 27 else np.zeros(10)
        stored(tmp_path, length, {name: value + wild[n] - 20 / length for n, (name, value) in enumerate(WHOLE.items())})
    curves, tasks = stored_curves([tmp_path], "finetune", "another")
    assert tasks == 1
    assert curves.sum() == pytest.approx(1)
    assert curves.sum(axis=1).argmax() == (0 if kind == "steady" else 2)
    assert stored_curves([tmp_path], "finetune", "t") == (None, 0)
