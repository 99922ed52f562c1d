"""A report is a list of sections; every rendering has all of them."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from mmbnft.ranking import rank
from mmbnft.ranking.checks import Finding
from mmbnft.ranking.report import section
from mmbnft.ranking.report.sections import sections
from mmbnft.ranking.run_facts import runs_of_table
from mmbnft.ranking.table_files import Source


@pytest.fixture(scope="module")
def report(tmp_path_factory, simulated):
    table = simulated(tasks=3, repeats=2)
    table = table[~((table["checkpoint"] == "ckpt03") & (table["protocol"] == "finetune"))]
    found = (Finding("MB101", "ckpt01 & <b> lacked tensors of its network"),)
    source = Source(table, findings=found, runs=runs_of_table(table))
    return rank(source, out=tmp_path_factory.mktemp("sections"), resamples=200)


def test_sections_are_found_by_themselves_in_their_order():
    names = [part.name for part in sections()]
    assert names == [
        "leaderboard", "correlations", "reliability", "checks", "comparisons", "costs", "networks", "selection",
        "stability",
        "ranking",
    ]  # fmt: skip
    assert len({part.order for part in sections()}) == len(names)


@pytest.mark.parametrize("part", sections(), ids=lambda part: part.name)
def test_every_rendering_has_the_section(report, part):
    table = part.table(report.study)
    written = pd.read_csv(report.folder / f"{part.name}.csv")
    assert list(written.columns) == list(part.columns)
    assert len(written) == len(table)
    content = json.loads((report.folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert len(content[part.name]) == len(table)
    assert content["sentences"][part.name] == part.sentence(report.study)
    if not part.parts(report.study):  # e.g. no result says what its network is
        return
    assert f"## {part.title}\n" in (report.folder / "report.md").read_text()
    html = (report.folder / "report.html").read_text()
    if part.name != "checks":  # they stand on the first screen, by kind
        assert f'<section id="{part.name}"><h2>{part.title}</h2>' in html
    for _, shown in part.parts(report.study):
        assert all(len(row) == len(shown.head) for row in shown.rows)


def test_the_first_thing_said_is_which_checkpoint_to_take(report):
    html = (report.folder / "report.html").read_text()
    assert "<h1>Fine-tune ckpt03 next</h1>" in html
    first = html[html.index("<h1>") : html.index('id="leaderboard"')]
    cards = re.findall(r'<section class="card" id="(\w+)"', first)
    assert cards == ["pick", "regret", "trust", "cost", "checks"]
    assert "finetune has been run on 11 of 12 checkpoints. By " in first


def test_what_was_not_run_is_called_so_and_nothing_is_called_a_gap(report):
    html = (report.folder / "report.html").read_text()
    assert ">not run<" in html
    assert ">gap<" not in html


def test_text_from_outside_is_escaped_everywhere_on_the_page(report):
    html = (report.folder / "report.html").read_text()
    assert "ckpt01 &amp; &lt;b&gt; lacked tensors" in html
    assert html.index("MB101") < html.index("MB308")  # what may change the pick comes before what limits it
    assert "The file lacked tensors of its network" in html
    assert "& <b>" not in html


def test_without_a_target_there_is_a_leaderboard_and_no_empty_table_or_picture(tmp_path, simulated):
    table = simulated(tasks=2)
    rank(table[table["protocol"] != "finetune"], out=tmp_path, resamples=200)
    html = (tmp_path / "report.html").read_text()
    assert "finetune has not been run yet" in html
    assert "data-chart" not in html
    assert '"charts":[{' not in html
    assert not list(tmp_path.glob("*.png"))
    assert re.search(r"<tbody>\s*</tbody>", html) is None


def test_tasks_without_the_target_are_named_once_and_have_no_verdict_and_no_place_in_the_heat_map(tmp_path, simulated):
    table = simulated(tasks=3)
    table = table[(table["task"] == "task1") | (table["protocol"] != "finetune")]
    found = rank(table, out=tmp_path, resamples=200).study
    assert set(found.verdicts) == {"task1", "all tasks (mean)"}
    (finding,) = [finding for finding in found.findings if finding.code == "MB308"]
    assert finding.sentence == "finetune has no value on task0 and task2"
    drawn = (tmp_path / "heat_map.svg").read_text()
    assert "task1" in drawn
    assert not {"task0", "task2"} & set(re.findall(r"task\d", drawn))


def test_one_task_is_not_told_twice(tmp_path, simulated):
    rank(simulated(tasks=1), out=tmp_path, resamples=200)
    html = (tmp_path / "report.html").read_text()
    assert "all tasks (mean)" not in html
    assert "12 checkpoints on 1 task ·" in html


def test_cells_have_fixed_decimals_and_no_negative_zero():
    assert section.interval(0.5, -0.001, 1.0) == section.Cell("0.50 [0.00, 1.00]", 0.5)
    assert section.interval(1.0, np.nan, np.nan)[0] == "1.00"
    assert section.interval(np.nan, 0.0, 1.0) == section.EMPTY
    assert section.p_value(9.999e-05)[0] == "< 0.001"
    assert section.percent(2 / 3)[0] == "67 %"
    shown = section.Shown(["a", "b"], [[section.EMPTY, section.whole(1)], [section.EMPTY, section.whole(2)]])
    assert list(section.without_empty(shown).head) == ["b"]
