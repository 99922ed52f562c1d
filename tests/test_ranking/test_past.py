import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking import past, rank_sources
from mmbnft.ranking.past import past_taus, past_trust, published_tables, trust_sentence
from mmbnft.results import Result, write_result


def said(proxies, target="finetune"):
    return trust_sentence(past_trust(proxies, past_taus(published_tables(), target)), target)


@pytest.fixture
def mine(tmp_path):
    """Three checkpoints measured by two proxies, never fine-tuned."""
    lines = [f"{name},pets,{p},{50 + n}" for n, name in enumerate(("byol", "swav", "pirl")) for p in ("linear", "bn")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["checkpoint,task,protocol,value", *lines]))
    return path


def keep(folder, recipe="clean", count=8):
    """A folder of own results: eight checkpoints on two tasks, `bn` in the order of `finetune` but for one swap."""
    order = [1, 0, *range(2, count)]
    for task in ("birds", "cars"):
        for n in range(count):
            for protocol, value in (("finetune", 60 + n), ("bn", 50 + order[n])):
                key = f"{task}{protocol}{recipe}{n}".ljust(64, "0")
                result = Result(f"c{n}", task, protocol, recipe, 0, 0, key, "ok", float(value), "top1")
                write_result(folder / "results", result)
    return folder


def test_taus_are_those_of_scipy_on_the_published_values():
    taus = past_taus(published_tables(), "finetune").set_index(["table", "proxy", "task"])["tau"]
    table = pd.read_csv(past.PUBLISHED / "ericsson2021_ssl_transfer.csv")
    values = table[table["task"] == "dtd"].pivot(index="checkpoint", columns="protocol", values="value")
    expected = stats.kendalltau(values["linear"], values["finetune"]).statistic
    assert taus["ericsson2021_ssl_transfer", "linear", "dtd"] == pytest.approx(expected)


def test_what_no_table_knows_is_not_spoken_of(monkeypatch, tmp_path):
    assert said(["bn"]) == ""
    assert said(["linear"], "no_such_target") == ""
    monkeypatch.setattr(past, "PUBLISHED", tmp_path)
    assert said(["linear"]) == ""


def test_a_report_without_a_target_says_how_far_published_tables_trust_its_proxies(mine, tmp_path):
    trust = rank_sources([mine], out=tmp_path / "report", resamples=100).study.answer.trust
    assert "unknown here" in trust
    assert "linear 0.54 (ericsson2021_ssl_transfer, mean of 11 tasks" in trust
    assert " bn " not in trust


@pytest.mark.parametrize("named", [True, False])
def test_own_past_results_say_it_of_proxies_that_no_published_table_knows(mine, tmp_path, named):
    folder = keep(tmp_path / "work_dirs" / "old")
    where = [folder] if named else tmp_path / "work_dirs"
    found = rank_sources([mine], out=tmp_path / "report", resamples=100, past=where).study
    # One of 28 pairs is out of order: 1 - 2 / 28.
    assert f"bn 0.93 ({folder}, mean of 2 tasks, range 0.93 to 0.93)" in found.answer.trust
    assert "In past tables" in (tmp_path / "report" / "report.html").read_text()


def test_a_damaged_neighbour_and_a_handful_of_checkpoints_have_no_say(mine, tmp_path):
    root = tmp_path / "work_dirs"
    keep(root / "small", count=7)
    (root / "broken" / "results").mkdir(parents=True)
    (root / "broken" / "results" / "a.json").write_text("{")
    trust = rank_sources([mine], out=tmp_path / "report", resamples=100, past=root).study.answer.trust
    assert "bn 0" not in trust


def test_a_report_with_a_target_of_its_own_asks_no_past(tmp_path):
    folder = keep(tmp_path / "work_dirs" / "old")
    found = rank_sources([folder], out=tmp_path / "report", resamples=100, past=[tmp_path / "none"])
    assert found.study.past.empty
    assert "past" not in found.study.answer.trust


def test_recipes_are_tables_of_their_own(tmp_path):
    keep(keep(tmp_path / "old"), recipe="vpulab")
    names = past.stored_tables([tmp_path / "old"])
    assert list(names) == [f"{tmp_path / 'old'}, recipe clean", f"{tmp_path / 'old'}, recipe vpulab"]
