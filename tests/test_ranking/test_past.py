import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking import past, rank_sources
from mmbnft.ranking.past import published_taus, published_trust


def test_taus_are_those_of_scipy_on_the_published_values():
    taus = published_taus("finetune").set_index(["table", "proxy", "task"])["tau"]
    table = pd.read_csv(past.PUBLISHED / "ericsson2021_ssl_transfer.csv")
    values = table[table["task"] == "dtd"].pivot(index="checkpoint", columns="protocol", values="value")
    expected = stats.kendalltau(values["linear"], values["finetune"]).statistic
    assert taus["ericsson2021_ssl_transfer", "linear", "dtd"] == pytest.approx(expected)


def test_what_no_table_knows_is_not_spoken_of(monkeypatch, tmp_path):
    assert published_trust(["bn"], "finetune") == ""
    assert published_trust(["linear"], "no_such_target") == ""
    monkeypatch.setattr(past, "PUBLISHED", tmp_path)
    assert published_trust(["linear"], "finetune") == ""


def test_a_report_without_a_target_says_how_far_published_tables_trust_its_proxies(tmp_path):
    lines = [f"{name},pets,{p},{50 + n}" for n, name in enumerate(("byol", "swav", "pirl")) for p in ("linear", "bn")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["checkpoint,task,protocol,value", *lines]))
    trust = rank_sources([path], out=tmp_path / "report", resamples=100).study.answer.trust
    assert "unknown here" in trust
    assert "linear 0.54 (ericsson2021_ssl_transfer, mean of 11 tasks" in trust
    assert " bn " not in trust
