import pytest

from mmbnft.analysis.figures import MOST_RUNS, figures
from mmbnft.analysis.findings import Run
from mmbnft.results import Result


def run(task, protocol, seed, *losses, recipe="r"):
    curve = [{"loss": loss} for loss in losses]
    result = Result("c", task, protocol, recipe, 0, seed, f"{seed:064x}", "ok", 0.0, "top1", details={"curve": curve})
    return Run(f"{task} {protocol} {seed}", result)


def lines(axes):
    return {line.get_label(): line.get_ydata().tolist() for line in axes.get_lines()}


def test_a_dozen_runs_have_a_line_each():
    runs = [run("t", "bn", seed, 2.0, 1.0) for seed in range(MOST_RUNS)]
    (axes,) = figures(runs)["curves"].axes
    assert lines(axes) == {f"t bn {seed}": [2.0, 1.0] for seed in range(MOST_RUNS)}


def test_more_runs_have_a_mean_for_each_protocol_in_a_panel_for_each_task():
    runs = [run("t", "bn", seed, 2.0, seed) for seed in range(7)]
    runs += [run("u", protocol, 0, 1.0, 0.5, 0.25) for protocol in ("bn", "finetune")]
    runs += [run("u", "finetune", seed, 3.0, 1.5, 0.75) for seed in range(1, 5)]
    first, second = figures(runs)["curves"].axes
    assert [axes.get_title() for axes in (first, second)] == ["training loss, t", "training loss, u"]
    assert lines(first) == {"bn": [2.0, 3.0], "finetune": []}  # the legend of all panels is taken from here
    assert lines(second) == {"bn": [1.0, 0.5, 0.25], "finetune": pytest.approx([2.6, 1.3, 0.65])}


def test_curves_of_different_recipes_are_not_averaged():
    runs = [run("t", "bn", seed, 2.0, 1.0) for seed in range(7)]
    runs += [run("t", "bn", seed, 4.0, recipe="s") for seed in range(7)]
    (axes,) = figures(runs)["curves"].axes
    assert lines(axes) == {"bn r": [2.0, 1.0], "bn s": [4.0]}
