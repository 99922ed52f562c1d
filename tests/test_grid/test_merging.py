from mmbnft.grid.listing import open_results
from mmbnft.grid.merging import Merged, merge_stores
from mmbnft.results import write_result


def store(folder, *results):
    for result in results:
        write_result(folder / "results", result)
    return folder


def test_stores_of_two_machines_become_one(make_result, tmp_path):
    first = store(
        tmp_path / "1", make_result("a", value=1.0), make_result("b", value=None), make_result("c", value=3.0)
    )
    second = store(
        tmp_path / "2", make_result("b", value=2.0), make_result("c", value=3.0), make_result("d", value=None)
    )
    assert merge_stores([first, second / "results"], tmp_path / "all") == Merged(added=4, replaced=0, kept=2)
    assert [(r.checkpoint, r.value) for r in open_results(tmp_path / "all")] == [
        ("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", None)
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "all/results").glob("*.json")}
    assert merge_stores([first, second], tmp_path / "all") == Merged(0, 0, 6)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "all/results").glob("*.json")} == before


def test_ok_replaces_failed_and_never_the_other_way(make_result, tmp_path):
    good, bad = make_result("a", value=1.0), make_result("a", value=None)
    into = store(tmp_path / "into", bad)
    assert merge_stores([store(tmp_path / "1", good)], into) == Merged(0, 1, 0)
    assert merge_stores([store(tmp_path / "2", bad)], into) == Merged(0, 0, 1)
    assert open_results(into) == [good]


def test_honest_results_that_differ_are_both_kept_and_the_first_counts(make_result, tmp_path):
    first = store(tmp_path / "1", make_result("a", value=66.0, cost=dict(device="A100")), make_result("b", value=5.0))
    second = store(tmp_path / "2", make_result("a", value=66.3, cost=dict(device="H100")))
    merged = merge_stores([first, second], tmp_path / "into")
    assert (merged.added, merged.replaced, merged.kept) == (2, 0, 1)
    assert merged.notes == ("a t linear split 0 seed 0: kept 66.0 on A100, not 66.3 on H100",)
    a, b = open_results(tmp_path / "into")
    assert (a.value, a.details["other_values"]) == (66.0, [{"value": 66.3, "device": "H100"}])
    assert "other_values" not in b.details
    again = merge_stores([second, first], tmp_path / "into")
    assert (again.added, again.replaced, again.kept, again.notes) == (0, 0, 3, merged.notes)
    assert open_results(tmp_path / "into") == [a, b]


def test_a_benchmark_finds_what_was_merged_into_its_new_folder(make_result, tmp_path):
    first = store(tmp_path / "1", make_result("a", value=1.0))
    merge_stores([first], tmp_path / "new")
    (tmp_path / "empty").mkdir()
    merge_stores([first], tmp_path / "empty")
    merge_stores([first], tmp_path / "named" / "results")
    assert len({path.relative_to(tmp_path).parts[1:] for path in tmp_path.rglob("*.json")}) == 1
    plain = tmp_path / "plain"
    write_result(plain, make_result("b", value=2.0))
    assert merge_stores([first], plain) == Merged(1, 0, 0)
    assert len(list(plain.glob("*.json"))) == 2


def test_a_store_merged_into_itself_stays(make_result, tmp_path):
    into = store(tmp_path / "1", make_result("a"))
    assert merge_stores([into, into / "results"], into) == Merged(0, 0, 0)
    assert len(open_results(into)) == 1


def test_one_run_under_two_names_of_its_checkpoint_is_one_result(make_result, tmp_path):
    key = make_result("a").key
    into = store(tmp_path / "1", make_result("moco_v1", value=None, key=key))
    merge_stores([store(tmp_path / "2", make_result("moco-v1", value=2.0, key=key))], into)
    assert [(r.checkpoint, r.value) for r in open_results(into)] == [("moco-v1", 2.0)]
