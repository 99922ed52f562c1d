import json
import math

import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking import rank, rank_sources
from mmbnft.ranking.controls import Facts
from mmbnft.utils.errors import UserError

NAMES = [f"ckpt{i:02d}" for i in range(12)]


@pytest.fixture(scope="module")
def report(tmp_path_factory, simulated):
    facts = Facts(
        parameters=dict.fromkeys(NAMES, 25600000.0), imagenet_linear_top1={n: 60.0 + i for i, n in enumerate(NAMES)}
    )
    return rank(simulated(), out=tmp_path_factory.mktemp("report"), resamples=1000, facts=facts)


def test_files_have_the_promised_columns(report):
    promised = {
        "correlations.csv": "task,proxy,target,statistic,value,ci_low,ci_high,n",
        "comparisons.csv": "task,proxy_a,proxy_b,statistic,difference,ci_low,ci_high,p_value,p_adjusted,verdict",
        "selection.csv": "task,proxy,k,regret,regret_ci_low,regret_ci_high,recall,rel",
        "ranking.csv": "task,checkpoint,proxy,value,rank,rank_low,rank_high,p_best,tier,spread",
    }
    for name, columns in promised.items():
        assert (report.folder / name).read_text().splitlines()[0] == columns
    for name in ("report.html", "report.md", "report.json", "heat_map.png", "heat_map.svg", "forest.svg", "cost.png"):
        assert (report.folder / name).stat().st_size > 0
    assert (report.folder / "report.html").stat().st_size < 500_000


def test_figures_are_scipys(report, simulated):
    table, written = simulated(), pd.read_csv(report.folder / "correlations.csv")
    for task in ("task0", "task2"):
        wide = table[table["task"] == task].pivot_table(index="checkpoint", columns="protocol", values="value")
        row = written[(written["task"] == task) & (written["proxy"] == "good") & (written["statistic"] == "kendall")]
        assert row["value"].item() == pytest.approx(stats.kendalltau(wide["good"], wide["finetune"]).statistic)
        assert row["ci_low"].item() < row["value"].item() <= row["ci_high"].item()
        assert row["n"].item() == 12


def test_regret_of_the_first_pick_is_what_was_lost(report, simulated):
    wide = simulated().query("task == 'task1'").pivot_table(index="checkpoint", columns="protocol", values="value")
    selection = pd.read_csv(report.folder / "selection.csv").query("task == 'task1' and proxy == 'bad' and k == 1")
    lost = wide["finetune"].max() - wide["finetune"][wide["bad"].idxmax()]
    assert selection["regret"].item() == pytest.approx(lost)
    assert selection["rel"].item() == pytest.approx(1 - lost / wide["finetune"].max())
    assert selection["recall"].item() == (lost == 0)


def test_the_better_proxy_is_named_and_the_cheapest_good_one_too(report):
    assert "good predicts finetune better than bad" in report.study.verdicts["all tasks (mean)"]
    assert report.study.advice.startswith("good is the most trusted proxy (60 s per run, 6.7 % of finetune)")
    front = report.study.costs.set_index("proxy")["pareto"]
    assert front["good"]
    assert front["bad"]


def test_controls_stand_beside_the_proxies_and_a_constant_one_is_a_gap(report):
    rows = report.study.correlations.query("task == 'task0' and statistic == 'kendall'").set_index("proxy")
    assert math.isnan(rows["value"]["control: number of parameters"])
    assert rows["note"]["control: number of parameters"] == "one side is constant: no correlation"
    assert math.isfinite(rows["value"]["control: ImageNet linear"])
    drawn = (report.folder / "heat_map.svg").read_text()
    assert "control: ImageNet linear" in drawn
    assert "control: number of parameters" not in drawn
    # The band of random orders of 12 is known: tau has standard deviation 0.2215.
    assert rows["ci_high"]["control: random"] == pytest.approx(1.96 * 0.2215, abs=0.04)
    assert set(report.study.comparisons["family"]) == {"proxies", "controls"}


def test_other_tasks_control_ranks_by_the_target_elsewhere(report, simulated):
    wide = simulated().query("protocol == 'finetune'").pivot_table(index="checkpoint", columns="task", values="value")
    order = wide[["task1", "task2"]].rank().mean(axis=1)
    expected = stats.kendalltau(order, wide["task0"]).statistic
    rows = report.study.correlations.query("task == 'task0' and statistic == 'kendall'").set_index("proxy")
    assert rows["value"]["control: other tasks"] == pytest.approx(expected)


def test_json_is_whole_and_has_no_nan(report):
    content = json.loads((report.folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert len(content["correlations"]) == len(report.study.correlations)
    assert content["seed"] == 0


def test_same_input_gives_the_same_files_and_the_order_of_rows_does_not_matter(tmp_path, simulated):
    table = simulated(tasks=2, repeats=2)
    for name, rows in (("a", table), ("b", table.sample(frac=1, random_state=1))):
        rank(rows, out=tmp_path / name, resamples=200)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_another_proxy_changes_no_figure_of_the_first(tmp_path, simulated):
    table = simulated(tasks=2)
    alone = rank(table, proxies=["good"], out=tmp_path / "a", resamples=200).study.correlations
    both = rank(table, proxies=["bad", "good"], out=tmp_path / "b", resamples=200).study.correlations
    columns = ["task", "statistic", "value", "ci_low", "ci_high"]
    pd.testing.assert_frame_equal(
        alone[alone["proxy"] == "good"][columns].reset_index(drop=True),
        both[both["proxy"] == "good"][columns].reset_index(drop=True),
    )


def test_one_run_per_cell_has_ranks_but_no_tiers_and_repeats_bring_them(tmp_path, simulated):
    single = rank(simulated(tasks=2), out=tmp_path / "a", resamples=200).study.standings
    assert single["rank"].notna().all()
    assert single["tier"].isna().all()
    many = rank(simulated(tasks=2, repeats=4), out=tmp_path / "b", resamples=500).study.standings
    assert many["tier"].notna().all()
    assert (many["rank_low"] <= many["rank"]).all()
    assert (many["rank"] <= many["rank_high"]).all()
    assert many.groupby(["task", "proxy"])["p_best"].sum().to_numpy() == pytest.approx(1)


def test_a_gap_stays_a_row_with_its_true_n(tmp_path, simulated):
    table = simulated(tasks=2)
    table = table[~((table["task"] == "task0") & (table["protocol"] == "bad") & (table["checkpoint"] > "ckpt01"))]
    found = rank(table, out=tmp_path, resamples=200).study
    row = found.correlations.query("task == 'task0' and proxy == 'bad' and statistic == 'pearson'")
    assert math.isnan(row["value"].item())
    assert row["n"].item() == 2
    assert (found.comparisons.query("task == 'task0' and family == 'proxies'")["verdict"] == "no verdict").all()


def test_names_from_a_file_cannot_break_out_of_the_page(tmp_path, simulated):
    table = simulated(tasks=1)
    table["checkpoint"] = table["checkpoint"].replace("ckpt00", "<script>alert(1)</script>")
    rank(table, out=tmp_path, resamples=200)
    assert "<script>alert" not in (tmp_path / "report.html").read_text()


def test_too_few_resamples_are_refused(tmp_path, simulated):
    with pytest.raises(UserError, match="at least 100, got 5"):
        rank(simulated(), out=tmp_path, resamples=5)


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_target_that_is_the_same_everywhere_has_no_heat_map_and_no_warning(tmp_path):
    rows = [(f"c{n}", "t", protocol, 70.0) for n in range(4) for protocol in ("linear", "finetune")]
    rank(pd.DataFrame(rows, columns=["checkpoint", "task", "protocol", "value"]), out=tmp_path, resamples=100)
    assert not (tmp_path / "heat_map.png").exists()


def test_published_figures_of_a_users_catalogue_are_a_control(tmp_path):
    lines = [f"mine{n},t,{protocol},{60 + n}" for n in range(5) for protocol in ("linear", "finetune")]
    (tmp_path / "table.csv").write_text("\n".join(["checkpoint,task,protocol,value", *lines]))
    own = {f"mine{n}": {"file": f"{n}.pth", "imagenet_linear_top1": 70.0 - n} for n in range(5)}
    (tmp_path / "own.json").write_text(json.dumps(own))
    for catalogue, found in (("", False), (tmp_path / "own.json", True)):
        study = rank_sources([tmp_path / "table.csv"], out=tmp_path / "r", resamples=100, catalogue=catalogue).study
        assert ("control: ImageNet linear" in study.controls) == found
    table = study.correlations
    tau = table[(table["proxy"] == "control: ImageNet linear") & (table["statistic"] == "kendall")]["value"]
    assert set(tau) == {-1.0}
