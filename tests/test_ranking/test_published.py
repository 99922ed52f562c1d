"""The tables of data/published: readable, described, and in agreement with what is said of them."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from mmbnft.ranking.csv_tables import read_csv_table
from mmbnft.ranking.table import score_table

FOLDER = Path(__file__).parents[2] / "data" / "published"
FILES = sorted(FOLDER.glob("*.csv"))


@pytest.fixture(scope="module")
def cases():
    spec = importlib.util.spec_from_file_location("published_cases", "benchmarks/published_cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_table_has_its_provenance_and_is_read_without_a_guess(path):
    assert f"## {path.name}\n" in (FOLDER / "README.md").read_text()
    table, findings = read_csv_table(path, None)
    assert [finding.code for finding in findings] == []
    assert table["value"].between(0, 100).all()
    target = "linear_then_finetune" if path.stem.startswith("kanavati") else "finetune"
    if set(table["protocol"]) != {"finetune"}:
        assert score_table(table, target, None, "percent").is_judged


def test_two_independent_fine_tunings_agree_as_the_page_says(cases, monkeypatch, tmp_path):
    tables = []
    monkeypatch.setattr(cases, "rank", lambda table, *_arguments, **_settings: tables.append(table))
    cases.ceiling(tmp_path, 100)
    (table,) = tables
    assert table["checkpoint"].nunique() == 12
    wide = table.pivot(index=["task", "checkpoint"], columns="protocol", values="value")
    tau = wide.groupby("task").apply(lambda w: stats.kendalltau(w["finetune"], w["finetune_elsewhere"]).statistic)
    page = Path("docs/published_cases.md").read_text()
    assert len(tau) == 11
    for task, value in tau.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {task} |"))
        assert row.split("|")[2].strip().split(" ")[0] == f"{value:.2f}"


def test_tables_measured_elsewhere_put_the_proxies_beside_every_target_task(cases, monkeypatch, tmp_path):
    tables = []
    monkeypatch.setattr(cases, "rank", lambda table, *_arguments, **_settings: tables.append(table))
    cases.elsewhere(tmp_path, 100)
    source = pd.read_csv(FOLDER / "openselfsup_resnet50.csv")
    expected = source.query("checkpoint == 'moco_v2' and task == 'voc07_cls' and protocol == 'svm'")["value"].item()
    found = tables[0].query("checkpoint == 'moco_v2' and protocol == 'voc07_cls svm'")
    assert found.set_index("task")["value"].to_dict() == dict.fromkeys(cases.ELSEWHERE["openselfsup"], expected)
