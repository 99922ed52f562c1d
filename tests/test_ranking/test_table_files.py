import pandas as pd
import pytest

from mmbnft.ranking import rank, rank_sources
from mmbnft.ranking.checkpoint_facts import facts
from mmbnft.ranking.checks import Finding
from mmbnft.ranking.table_files import read_source, read_sources, with_targets
from mmbnft.results import Result, write_result
from mmbnft.utils.errors import UserError


def result(checkpoint="a", protocol="linear", value=80.0, **changes):
    settings = dict(task="dtd", recipe="r1", split=1, seed=0, key=checkpoint + protocol, status="ok", metric="top1")
    return Result(checkpoint=checkpoint, protocol=protocol, value=value, **{**settings, **changes})


def test_a_results_folder_keeps_costs_provenance_and_names_failures(tmp_path):
    details = {
        "hashes": {"checkpoint": "c0ffee", "lists": {"train": "1"}},
        "versions": {"torch": "2"},
        "certificate": {"parameters": 25},
    }
    write_result(tmp_path, result(cost={"seconds": 3.0, "images": 40, "peak_memory_bytes": 9}, details=details))
    write_result(tmp_path, result("b", value=None, status="failed", reason="out of memory", kind="memory"))
    source = read_source(tmp_path)
    assert source.table["cost_images"].tolist() == [40]
    assert source.provenance["checkpoints"] == {"a": "c0ffee"}
    assert source.provenance["versions"] == [{"torch": "2"}]
    assert source.networks == {"a": {"parameters": 25}}
    (finding,) = source.findings
    assert finding.code == "MB104"
    assert finding.sentence == "1 of 2 runs failed (memory): linear of b on dtd (split 1, seed 0): out of memory"


def test_a_control_that_two_benchmarks_called_differently_is_one_row(tmp_path):
    for name, network, protocol in (
        ("random", "small", "linear"),
        ("random small", "small", "finetune"),
        ("random large", "large", "linear"),
    ):
        details = {"certificate": {"format": "random"}, "network": {"name": network}}
        write_result(tmp_path, result(name, protocol, details=details))
    source = read_source(tmp_path)
    assert set(source.table["checkpoint"]) == {"random small", "random large"} == set(source.networks)


def test_controls_of_two_networks_in_two_folders_are_two_rows(tmp_path):
    for folder, network in (("a", "small"), ("b", "large")):
        details = {"certificate": {"format": "random"}, "network": {"name": network}}
        write_result(tmp_path / folder, result("random", details=details))
    source = read_sources([tmp_path / "a", tmp_path / "b"])
    assert source.table["checkpoint"].tolist() == ["random small", "random large"]
    assert set(source.networks) == {"random small", "random large"} == {run.checkpoint for run in source.runs}


def test_one_protocol_under_two_recipes_is_a_finding(tmp_path):
    write_result(tmp_path, result())
    write_result(tmp_path, result("b", recipe="r2"))
    assert "linear was run with different recipes (r1, r2)" in read_source(tmp_path).findings[0].sentence


def test_the_search_over_val_and_micro_batches_are_told(tmp_path):
    searches = [[40.0, 60.0, 50.0], [10.0, 70.0, None]]
    for name, vals, parts in zip("ab", searches, (1, 4), strict=True):
        search = [dict(lr=lr, val=val) for lr, val in enumerate(vals)]
        write_result(tmp_path, result(name, details=dict(search=search, accumulation=parts)))
    source = read_source(tmp_path)
    told = source.provenance["val over the search grid, mean over runs (%)"]
    assert told == {"linear": {"best": 65.0, "median": 45.0, "mean": 45.0}}
    (finding,) = source.findings
    assert finding.code == "MB107"
    assert "micro-batches for lack of memory: linear of b on dtd" in finding.sentence


def test_wide_tables_are_melted(tmp_path):
    (tmp_path / "w.csv").write_text("checkpoint,dtd,pets\na,1,2\nb,3,4\n")
    table = read_source(tmp_path / "w.csv", wide="linear").table
    assert table.query("checkpoint == 'b' and task == 'pets'")["value"].item() == 4
    assert set(table["protocol"]) == {"linear"}


def test_aliases_join_the_spellings_of_two_sources_and_say_so(tmp_path):
    class Entry:
        aliases = ("MoCo_v2", "mocov2")
        imagenet_linear_top1 = 71.1

    known = facts({"moco-v2": Entry(), "other": object()})
    assert known.imagenet_linear_top1 == {"moco-v2": 71.1}
    (tmp_path / "a.csv").write_text("checkpoint,task,protocol,value\nMOCO_V2,dtd,linear,50\nmine,dtd,linear,60\n")
    (tmp_path / "b.csv").write_text("checkpoint,task,protocol,value\nmocov2,dtd,finetune,70\nmine,dtd,finetune,80\n")
    alone = read_sources([tmp_path / "a.csv"], known.aliases)
    assert alone.table["checkpoint"].tolist() == ["MOCO_V2", "mine"]
    assert alone.findings == ()
    both = read_sources([tmp_path / "a.csv", tmp_path / "b.csv"], known.aliases)
    assert both.table["checkpoint"].tolist() == ["moco-v2", "mine"] * 2
    assert both.findings == (Finding("MB206", "MOCO_V2, mocov2 are taken as one checkpoint, moco-v2"),)


def test_published_targets_join_and_what_has_no_partner_is_said():
    ours = pd.DataFrame({"checkpoint": ["a", "b"], "task": "dtd", "protocol": "linear", "value": [1.0, 2.0]})
    theirs = pd.DataFrame(
        {"checkpoint": ["A", "b", "z"], "task": ["DTD", "dtd", "dtd"], "protocol": "finetune", "value": [3.0, 4.0, 5.0]}
    )
    table, findings = with_targets(ours, theirs, "finetune")
    assert table[table["protocol"] == "finetune"]["value"].tolist() == [3, 4]
    assert [finding.code for finding in findings] == ["MB208"]
    assert findings[0].sentence == "only the published targets have the checkpoint z; proxies cannot be judged there"
    with pytest.raises(UserError, match="no published target matches"):
        with_targets(ours, theirs.assign(task="pets"), "finetune")
    with pytest.raises(UserError, match="it has finetune"):
        with_targets(ours, theirs, "full")
    with pytest.raises(UserError, match="already have values"):
        with_targets(theirs, theirs, "finetune")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "cannot be read as CSV"), ("checkpoint,dtd\na,1\n", "lacks the column"), (None, "there is no source")],
)
def test_unreadable_sources_are_refused_in_a_sentence(tmp_path, text, message):
    if text is not None:
        (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_source(tmp_path / "x.csv")


def test_a_leaderboards_export_is_read_and_written(tmp_path, simulated):
    first = rank(simulated(tasks=2, repeats=2), out=tmp_path / "a", resamples=100)
    scores = pd.read_csv(tmp_path / "a" / "scores.csv")
    assert list(scores.columns) == ["model", "dataset", "metric", "score"]
    assert len(scores) == 2 * 3 * 12
    second = rank_sources([tmp_path / "a" / "scores.csv"], out=tmp_path / "b", resamples=100)
    for one, two in zip(first.study.scores.tasks, second.study.scores.tasks, strict=True):
        assert one.means("finetune") == pytest.approx(two.means("finetune"))


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path, simulated):
    (tmp_path / "results.csv").write_text(simulated(tasks=1).to_csv(index=False))
    with pytest.raises(UserError, match=r"there is no source .*result.csv; name .*; did you mean '.*results.csv'\?"):
        rank_sources([tmp_path / "result.csv"], out=tmp_path / "out")
    with pytest.raises(UserError, match=r"target 'finetun' is not in the table; it has .*; did you mean 'finetune'\?"):
        rank_sources([tmp_path / "results.csv"], "finetun", out=tmp_path / "out")
