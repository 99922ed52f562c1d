"""The shipped benchmarks expand to the runs they promise, on miniature prepared folders."""

import dataclasses
import itertools
import json
from collections import Counter
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmbnft.analysis.protocol_gains import protocol_table
from mmbnft.evaluation.run_spec import load_config
from mmbnft.fewshot.report import boards
from mmbnft.grid import plan as plan_module
from mmbnft.grid.plan import Benchmark, plan_runs
from mmbnft.ranking.comparison import A_BETTER, B_BETTER, NOT_SEPARABLE
from mmbnft.ranking.ranking_report import rank_sources
from mmbnft.result_files import read_results
from mmbnft.utils.files import sha256_json
from mmbnft.zoo import Checkpoint

SHIPPED = Path(__file__).parents[2] / "configs/benchmarks"
STUDY, ABLATION, FEW_SHOT = (
    Path(__file__).parents[2] / "docs" / name for name in ("study", "ablation", "few_shot_results")
)
ELEVEN = (
    "aircraft",
    "caltech101",
    "cars",
    "cifar10",
    "cifar100",
    "dtd",
    "flowers",
    "food101",
    "pets",
    "sun397",
    "voc2007",
)


PLANNED = ("knn", "nearest_class_mean", "logme", "linear", "bn", "bn_paper", "bn_frozen_stats", "finetune")


def prepare(root, name, splits, tone=None):
    """A prepared folder of two classes and one tiny image a list."""
    (root / "images").mkdir(parents=True)
    multi = name == "voc2007"
    # Each task has images of its own.
    tone = 20 * (ELEVEN.index(name) if name in ELEVEN else len(ELEVEN)) if tone is None else 7 + 20 * tone
    facts = dict(name=name, classes=["a", "b"], metric="map11" if multi else "top1", multi_label=multi)
    (root / "task.json").write_text(json.dumps(facts))
    for number, part in enumerate(("train", "val", "test")):
        for label in range(2):
            pixels = np.full((8, 8, 3), tone + 5 * number + label, np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{part}{label}.png")
        for split in range(splits):
            path = root / "lists" / str(split) / f"{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{part}0.png {'0,1' if multi else 0}\n{part}1.png 1\n")


def named(name):
    return dataclasses.replace(Checkpoint.random(), name=name, path=f"/{name}", sha256=sha256_json(name))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ELEVEN:
        prepare(tmp_path / "data" / name, name, splits=10 if name in ("dtd", "sun397") else 1)
    monkeypatch.chdir(tmp_path)
    # The weights are not here; their names stand for their content.
    monkeypatch.setattr(plan_module, "resolve_checkpoints", lambda names, **_: tuple(named(name) for name in names))


def plan(name):
    return plan_runs(Benchmark.from_config(load_config(SHIPPED / name)))


def test_the_published_study(folders):
    runs = plan("published_study.py")
    assert len(runs) == 12 * 3 * (9 + 10 + 10)
    assert {run.task for run in runs} == set(ELEVEN)
    assert {run.protocol for run in runs} == {"linear", "bn_paper", "finetune"}
    assert {run.spec.split for run in runs if run.task == "dtd"} == set(range(10))
    by_place = {(run.task, run.protocol): run.spec.recipe for run in runs}
    published = by_place["flowers", "bn_paper"]
    assert (published.name, published.batch_size, published.epochs) == ("vpulab", 16, 70)
    assert by_place["flowers", "finetune"].name == "vpulab-derived"


def test_ericsson(folders):
    runs = plan("ericsson.py")
    assert len({run.checkpoint for run in runs}) == 13 + 1
    assert len(runs) == 14 * 3 * 11
    recipes = {run.protocol: run.spec.recipe for run in runs}
    assert (recipes["finetune"].steps, len(recipes["finetune"].trials())) == (5000, 20)
    assert len(recipes["linear"].probe["weight_decays"]) == 45


def test_the_small_study_has_the_runs_that_its_page_archives(folders, tmp_path):
    real = ("caltech101_small", "coffee_leaf", "omniglot", "sign_digits")
    for number, name in enumerate(real):
        prepare(tmp_path / "data" / name, name, splits=1, tone=number)
    (tmp_path / "pretrained_models").symlink_to(SHIPPED.parents[1] / "pretrained_models")
    runs = plan("small_study.py")
    assert {run.protocol for run in runs} == set(PLANNED)
    assert {run.task for run in runs} == {*real, "digits", "textures"}
    assert len({run.checkpoint for run in runs}) == 12 + 3 + 1
    assert {len(run.spec.recipe.trials()) for run in runs if run.protocol in PLANNED[3:]} == {2}
    page = (STUDY.parent / "study.md").read_text()
    assert all(f"`{protocol}`" in page for protocol in PLANNED)
    archived = read_results(STUDY / "runs.tar.xz")
    assert {result.status for result in archived} == {"ok"}
    planned = {(run.checkpoint, run.task, run.protocol, run.spec.seed) for run in runs}
    assert {(result.checkpoint, result.task, result.protocol, result.seed) for result in archived} == planned


@pytest.mark.parametrize(("archive", "tables"), [("runs", ""), ("many_labels", "many_labels")])
def test_the_tables_beside_the_study_are_those_of_its_runs(archive, tables, tmp_path):
    rank_sources([STUDY / f"{archive}.tar.xz"], out=tmp_path / "report")
    paths = list((STUDY / tables).glob("*.csv"))
    assert paths
    for path in paths:
        kept, made = pd.read_csv(path), pd.read_csv(tmp_path / "report" / path.name)
        pd.testing.assert_frame_equal(kept, made, rtol=1e-6)


def test_the_page_has_the_means_of_the_efficientnets():
    runs = read_results(STUDY / "lite.tar.xz")
    table = pd.DataFrame([(run.checkpoint, run.protocol, run.value) for run in runs], columns=["who", "how", "value"])
    means = table.pivot_table(index="who", columns="how", values="value")
    columns = ["knn", "nearest_class_mean", "linear", "bn", "bn_frozen_stats", "finetune"]
    assert Counter(table["how"]) == dict.fromkeys((*columns, "logme"), 3 * 4 * 3)
    page = (STUDY.parent / "study.md").read_text()
    for number in range(3):
        row = " | ".join(f"{value:.1f}" for value in means.loc[f"efficientnet-lite{number}", columns])
        assert f"| Lite{number} | {row} |" in page


def test_the_few_shot_page_has_the_differences_of_its_runs():
    found = boards(read_results(FEW_SHOT / "runs.tar.xz"))
    assert [len(board.checkpoints) for board in found] == [13] * 6
    page = (FEW_SHOT.parent / "few_shot_results.md").read_text()
    for board in found:
        counts = Counter(one.verdict for one in board.compare_methods("bn", "linear"))
        linear, logistic = (board.overall("bn", reference) for reference in ("linear", "logistic"))
        first, second = (f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]" for one in (linear, logistic))
        told = ", ".join(str(counts[kind]) for kind in (A_BETTER, NOT_SEPARABLE, B_BETTER))
        assert f"| {board.task}, {board.settings.k_shot} | {first} | {told} | {second} |" in page


@pytest.mark.parametrize(
    ("config", "archive", "embedded", "tasks"),
    [
        ("small_study", STUDY / "runs", ("digits", "textures"), 6),
        ("ablation", ABLATION / "runs", ("digits", "textures"), 5),
        ("many_labels", STUDY / "many_labels", ("textures", "blossoms"), 3),
    ],
)
def test_archived_runs_are_what_would_run_today(config, archive, embedded, tasks):
    settings = load_config(SHIPPED / f"{config}.py")
    benchmark = settings["benchmark"]
    benchmark["tasks"] = [task for task in benchmark["tasks"] if task["type"] != "list_task"]
    benchmark["checkpoints"] = [name for name in benchmark["checkpoints"] if name != "efficientnet-lite0"]
    planned = plan_runs(Benchmark.from_config(settings))
    archived = read_results(archive.with_suffix(".tar.xz"))
    assert {result.status for result in archived} == {"ok"}
    assert {run.key for run in planned} == {run.key for run in archived if run.task in embedded}
    found = Counter((run.checkpoint, run.protocol, run.seed) for run in archived)
    assert found == dict.fromkeys(((run.checkpoint, run.protocol, run.spec.seed) for run in planned), tasks)


def test_the_larger_network_of_the_ablation_has_every_run_of_the_design():
    benchmark = load_config(SHIPPED / "ablation.py")["benchmark"]
    archived = read_results(ABLATION / "lite0.tar.xz")
    found = Counter((run.checkpoint, run.protocol, run.seed) for run in archived)
    names = ("efficientnet-lite0", "random timm:tf_efficientnet_lite0")
    cells = itertools.product(names, benchmark["protocols"], benchmark["seeds"])
    assert found == dict.fromkeys(cells, len(benchmark["tasks"]))
    assert {run.protocol for run in archived if run.status != "ok"} == {"bn_paper"}


@pytest.mark.parametrize(("table", "archive"), [("protocols", "runs"), ("protocols_lite0", "lite0")])
def test_the_tables_beside_the_ablation_are_those_of_its_runs(table, archive):
    runs = [run for run in read_results(ABLATION / f"{archive}.tar.xz") if run.status == "ok"]
    pd.testing.assert_frame_equal(pd.read_csv(ABLATION / f"{table}.csv"), protocol_table(runs), rtol=1e-6)


@pytest.mark.parametrize(("table", "archive"), [("protocols", "runs"), ("protocols_lite0", "lite0")])
def test_the_ablation_page_has_the_rows_of_its_tables(table, archive):
    rows = pd.read_csv(ABLATION / f"{table}.csv").query("task == 'all tasks'").set_index(["checkpoints", "protocol"])
    seconds = pd.DataFrame(
        [(run.protocol, run.cost["seconds"]) for run in read_results(ABLATION / f"{archive}.tar.xz") if run.cost],
        columns=["protocol", "seconds"],
    )
    medians = seconds.groupby("protocol").seconds.median()
    page = (ABLATION.parent / "ablation.md").read_text()
    protocols = rows.loc["pre-trained"].index
    assert set(rows.loc["random weights"].index) == set(protocols)
    for protocol in protocols:
        cells = [
            cell
            for row in (rows.loc["pre-trained", protocol], rows.loc["random weights", protocol])
            for cell in (
                f"{row.value:.1f}",
                "" if protocol == "linear" else f"{row.gain:.1f} [{row.low:.1f}, {row.high:.1f}]",
            )
        ]
        share = f"{100 * medians[protocol] / medians['finetune']:.0f} %"
        assert " ".join(f"| `{protocol}` | {' | '.join([*cells, share])} |".split()) in page


SIZED = ("digits", "textures", "sign_digits", "coffee_leaf")


def sized_values(archive):
    """What the archive has by (random weights?, task, protocol, seed)."""
    runs = read_results(ABLATION / archive)
    return {(run.is_control, run.task, run.protocol, run.seed): run.value for run in runs if run.status == "ok"}


def mean_gain(values, control, protocol, seed=0):
    return fmean(values[control, task, protocol, seed] - values[control, task, "linear", seed] for task in SIZED)


def test_the_ablation_page_has_the_values_of_both_image_sizes():
    protocols = ("linear", "bn", "bn_frozen_stats", "bn_stats")
    small, large = sized_values("lite0.tar.xz"), sized_values("lite0_128.tar.xz")
    page = (ABLATION.parent / "ablation.md").read_text()
    for task in SIZED:
        row = " | ".join(f"{values[False, task, how, 0]:.1f}" for values in (small, large) for how in protocols)
        assert f"| {task} | {row} |" in page
    for weights, control in (("ImageNet", False), ("random", True)):
        means = (mean_gain(values, control, how) for values in (small, large) for how in protocols[1:])
        assert f"| {weights} | {' | '.join(f'{mean:.1f}' for mean in means)} |" in page


def test_the_ablation_page_has_the_spread_between_seeds():
    values = sized_values("lite0.tar.xz")
    gains = [
        [mean_gain(values, control, protocol, seed) for seed in range(5)]
        for control, protocol in ((False, "bn"), (True, "bn"), (False, "bn_frozen_stats"))
    ]
    told = [f"between {min(seeds):.1f} and {max(seeds):.1f}" for seeds in gains]
    page = " ".join((ABLATION.parent / "ablation.md").read_text().split())
    assert f"`bn` is {told[0]} with ImageNet weights and {told[1]} with random ones" in page
    assert f"`bn_frozen_stats` with ImageNet weights is {told[2]}" in page


def test_the_ablation_page_has_the_means_with_lower_rates():
    runs = read_results(ABLATION / "lite0_lower.tar.xz")
    means = {how: fmean(run.value for run in runs if run.protocol == how) for how in ("bn", "bn_frozen_stats")}
    page = " ".join((ABLATION.parent / "ablation.md").read_text().split())
    assert Counter(run.protocol for run in runs) == dict.fromkeys(means, 4 * 3)
    assert f"`bn` has {means['bn']:.1f} % on average" in page
    assert f"`bn_frozen_stats` {means['bn_frozen_stats']:.1f} instead" in page
