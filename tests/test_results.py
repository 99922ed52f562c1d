import dataclasses
import json

import pytest

from mmbnft.result_files import read_results
from mmbnft.results import COLUMNS, Result, read_result, results_table, with_named_controls, write_result
from mmbnft.utils.errors import UserError


def a_result(**changes):
    values = dict(checkpoint="simsiam", task="digits", protocol="bn", recipe="small", split=0, seed=1, key="ab" * 32)
    values |= dict(status="ok", value=91.5, metric="top1", cost={"seconds": 2.5})
    return Result(**(values | changes))


def test_round_trip(tmp_path):
    result = a_result(details={"curve": [{"loss": 0.5}]})
    assert read_result(write_result(tmp_path, result)) == result


def test_name_tells_the_coordinates_and_is_unique_by_key():
    assert a_result().file_name == "simsiam__digits__bn__small__split0__seed1__abababababababab.json"
    assert a_result(key="cd" * 32).file_name != a_result().file_name
    assert "/" not in a_result(checkpoint="a/../b c").file_name


def test_names_of_any_length_and_script_make_a_file(tmp_path):
    names = dict(checkpoint="w" * 202, task="\N{CJK UNIFIED IDEOGRAPH-6587}" * 80, protocol="p" * 90, recipe="r" * 90)
    results = [a_result(**names), a_result(**(names | dict(checkpoint="w" * 201 + "x")))]
    assert len({write_result(tmp_path, result).name for result in results}) == 2
    assert read_results(tmp_path) == sorted(results, key=lambda result: result.file_name)
    assert max(len(path.name.encode()) for path in tmp_path.iterdir()) <= 240


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(value=None), "finite value"),
        (dict(value=float("nan")), "finite value"),
        (dict(status="done"), "ok or failed, got 'done'"),
        (dict(status="failed", value=None), "needs a reason"),
        (dict(status="failed", reason="NaN", kind="bug"), "no value"),
        (dict(status="failed", value=None, reason="NaN"), "kind of a result that is failed must be bug, diverged, .*"),
        (dict(kind="bug"), "kind of a result that is ok must be empty, got 'bug'"),
        (dict(scale="fraction"), "scale of a result that is ok must be percent, score, got 'fraction'"),
        (dict(evaluated_on="all"), "evaluated_on of a result that is ok must be episodes, test, train, trainval"),
    ],
)
def test_what_is_no_result_cannot_be_made(changes, message):
    with pytest.raises(UserError, match=message):
        a_result(**changes)


def test_table_holds_successful_runs_and_their_scale(tmp_path):
    write_result(tmp_path, a_result())
    write_result(tmp_path, a_result(key="cd" * 32, status="failed", value=None, reason="loss is nan", kind="bug"))
    table = results_table(read_results(tmp_path))
    assert tuple(table.columns) == COLUMNS
    assert table.values.tolist() == [["simsiam", "digits", "bn", 0, 1, 91.5, "top1", "percent", 2.5, None]]


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema": 1, "what": 2}', '{"schema": 2, "what": 2}', '{"schema": 99}'])
def test_foreign_json_is_refused_by_name(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=r"x\.json is not a result"):
        read_results(tmp_path)


def test_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_result().value = 1.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("percent", "test", "")),
        (dict(protocol="logme", metric="logme", details=dict(fitted_on="train")), ("score", "train", "")),
        (dict(details=dict(episodes={})), ("percent", "episodes", "")),
        (dict(status="failed", value=None, reason="x"), ("percent", "test", "input")),
        (dict(status="failed", value=None, reason="x", details=dict(traceback="y")), ("percent", "test", "bug")),
    ],
)
def test_results_of_the_first_schema_are_read_with_what_they_meant(tmp_path, changes, expected):
    old = a_result().to_dict() | changes | dict(schema=1)
    for name in ("scale", "evaluated_on", "kind"):
        del old[name]
    (tmp_path / "x.json").write_text(json.dumps(old))
    (result,) = read_results(tmp_path)
    assert (result.scale, result.evaluated_on, result.kind) == expected


def control(make_result, name, network, protocol):
    details = {"certificate": {"format": "random"}, "network": {"name": network}}
    return make_result(name, protocol=protocol, details=details)


def test_random_weights_of_one_network_are_one_checkpoint_whatever_a_benchmark_called_them(make_result):
    runs = [
        make_result("a"),
        control(make_result, "random", "ResNet-18", "linear"),
        control(make_result, "random ResNet-18", "ResNet-18", "finetune"),
        control(make_result, "random timm:net", "timm:net", "linear"),
        make_result("random", value=None),
    ]
    names = [result.checkpoint for result in with_named_controls(runs)]
    assert names == ["a", "random ResNet-18", "random ResNet-18", "random timm:net", "random"]
    assert {result.checkpoint for result in with_named_controls(runs[1:3])} == {"random ResNet-18"}
    alone = [runs[0], runs[1], control(make_result, "random", "ResNet-18", "finetune")]
    assert with_named_controls(alone) == alone
    assert with_named_controls([runs[0], runs[4]]) == [runs[0], runs[4]]


def test_random_weights_of_two_networks_are_two_checkpoints_where_each_benchmark_had_one_network(make_result):
    runs = [control(make_result, "random", network, "linear") for network in ("ResNet-18", "timm:net")]
    assert [result.checkpoint for result in with_named_controls(runs)] == ["random ResNet-18", "random timm:net"]
