import numpy as np
import pytest
from matplotlib.figure import Figure

from mmbnft.fewshot.figure import draw_panel
from mmbnft.fewshot.report import boards, write_report
from mmbnft.results import Result
from mmbnft.utils.errors import UserError


def result(checkpoint, method, accuracies, manifest="m" * 64, **changes):
    details = dict(
        accuracies=list(accuracies),
        manifest=manifest,
        episodes=dict(n_way=5, k_shot=1, queries=15, episodes=len(accuracies)),
        config=dict(method=method),
    )
    values = dict(
        checkpoint=checkpoint, task="glyphs", protocol=f"fewshot-{method}-5way-1shot", recipe="small", split=0, seed=0,
        key=checkpoint + method, status="ok", value=float(np.mean(accuracies)), metric="top1", details=details,
    )  # fmt: skip
    return Result(**(values | changes))


@pytest.fixture
def results():
    random = np.random.default_rng(0)
    hardness = random.normal(60, 10, 100)
    shifts = {("a", "linear"): 0, ("a", "bn"): 2, ("b", "linear"): 0.02, ("b", "bn"): 0.03, ("c", "linear"): -5}
    return [result(c, m, hardness + shift + random.normal(0, 1, 100)) for (c, m), shift in shifts.items()]


def test_a_table_shows_means_intervals_and_paired_verdicts(results):
    text = write_report(results)
    first = np.array(results[0].details["accuracies"])
    assert "### glyphs, 5-way 1-shot" in text
    assert "| checkpoint | linear | bn |" in text
    assert f"| a | {first.mean():.2f} ± {1.96 * first.std() / 10:.2f} |" in text
    assert "| minus linear | on average over checkpoints | better | not separable | worse |" in text
    assert "minus logistic" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| bn | ")]
    assert row.endswith("| 1 | 1 | 0 |")  # a gains 2 points, b nothing that shows, c has no bn
    values = [np.array(result.details["accuracies"]) for result in results]
    gain = np.mean([values[1] - values[0], values[3] - values[2]])
    assert row.startswith(f"| bn | {gain:+.2f} [")
    assert "- Best by bn: a; all others are behind it." in text
    (line,) = [line for line in text.splitlines() if line.startswith("- Best by linear")]
    assert "not separable from it: " in line
    assert "c" not in line.rpartition(": ")[2]


def test_results_on_other_episodes_or_by_other_recipes_are_not_mixed(results):
    other = [result("a", "linear", np.ones(100), manifest="n" * 64), result("a", "linear", np.ones(100), recipe="x")]
    assert len(boards([*results, *other])) == 3


def test_failed_runs_are_listed_and_other_results_passed_over(results, tmp_path):
    failed = result("d", "bn", [1.0, 2.0], status="failed", value=None, reason="the network is no network", kind="bug")
    many_shot = result("a", "linear", [1.0], details={}, protocol="linear")
    text = write_report([*results, failed, many_shot], tmp_path / "few_shot.md")
    assert "- d glyphs fewshot-bn-5way-1shot: the network is no network" in text
    assert (tmp_path / "few_shot.md").read_text().endswith(f"\n\n{text}")
    assert "the network is no network" in write_report([failed])


def test_a_cell_that_stands_twice_and_no_results_are_refused(results):
    with pytest.raises(UserError, match="linear of a on glyphs appears twice"):
        write_report([*results, results[0]])
    with pytest.raises(UserError, match="there is no successful few-shot result to show"):
        write_report([])


def test_the_picture_has_a_panel_for_each_method_and_a_mark_for_each_checkpoint(results, tmp_path):
    other = [result("a", method, np.full(100, 50.0), task="digits", manifest="n" * 64) for method in ("linear", "bn")]
    write_report([*results, *other, result("c", "finetune", np.full(100, 70.0))], tmp_path / "few_shot.md")
    shown = (tmp_path / "few_shot.md").read_text().splitlines()[0]
    assert shown == "![Gain of bn, finetune over linear on the same episodes](few_shot.svg)"
    drawing = (tmp_path / "few_shot.svg").read_text()
    for words in ("bn", "finetune", "digits, 5-way 1-shot", "glyphs, 5-way 1-shot", "points above linear"):
        assert f">{words}<" in drawing


def test_gains_are_drawn_where_they_are(results):
    axes, (found,) = Figure().subplots(), boards(results)
    draw_panel(axes, [found], "bn", "linear")
    _, dots, mean = axes.lines
    values = [np.array(r.details["accuracies"]) for r in results]
    assert dots.get_xdata() == pytest.approx([np.mean(values[1] - values[0]), np.mean(values[3] - values[2])])
    overall = found.overall("bn", "linear")
    assert mean.get_xdata() == [overall.value]
    ((left, right),) = axes.collections[0].get_segments()
    assert (left[0], right[0]) == pytest.approx((overall.low, overall.high))


def test_results_without_a_linear_head_have_no_picture(results, tmp_path):
    write_report([one for one in results if one.details["config"]["method"] == "bn"], tmp_path / "few_shot.md")
    assert (tmp_path / "few_shot.md").read_text().startswith("### glyphs")
    assert not (tmp_path / "few_shot.svg").exists()
