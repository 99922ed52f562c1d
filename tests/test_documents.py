"""Every command of README.md and docs/ runs as written: default recipe, workers and executor, no setting on top.

What a test machine lacks (own pictures, downloaded weights, public data sets) is replaced by a miniature in
`document_stand_ins`; a command that no entry below explains fails.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from document_stand_ins import (
    ROOT,
    commands,
    documents,
    environment,
    make_arrays,
    make_parquet,
    make_photos,
    make_prepared_task,
    make_results,
    make_table,
    sandbox,
)

STUDY_TASKS = ("aircraft", "caltech101", "cars", "cifar10", "cifar100", "dtd", "flowers", "food101", "pets", "sun397")


@dataclass(frozen=True)
class Entry:
    """How a command of the documents is tried.

    Attributes:
        instead: What runs in its place, where the documents write a placeholder (`ID`, `NAME`, `...`); the command
            itself by default.
        status: Exit statuses that the documents allow.
        creates: Paths that exist afterwards.
        needs: Why it cannot run on a test machine (`a cluster`, `a network`); it is not run then, but see `covered`.
        covered: The tests that stand for a command that is not run.
    """

    instead: tuple[str, ...] = ()
    status: tuple[int, ...] = (0,)
    creates: tuple[str, ...] = ()
    needs: str = ""
    covered: str = ""


def cluster(covered: str) -> Entry:
    return Entry(needs="a cluster", covered=covered)


INSTALLATION = Entry(needs="a fresh environment", covered="Makefile, which every CI run installs by")
REAL = (
    "python tools/few_shot.py configs/few_shot/tiny_real.py --work-dir work_dirs/few_shot --episodes 20 --validation 5"
)
MINE = "data/mine/task.json"
# Runs with their networks, for what is done with them.
TRAIN = "python tools/train.py configs/digits/tiny18.py --work-dir work_dirs/NAME --checkpoint tiny-simclr --protocol"
RUN, OTHER_RUN = (f"work_dirs/NAME/results/*__{protocol}__*.json" for protocol in ("bn", "linear"))

ENTRIES: dict[str, Entry] = {
    # README.md, docs/README.md, docs/install.md, docs/protocols.md, docs/training.md
    "make quickstart": Entry(creates=("work_dirs/quickstart/report.html", "work_dirs/quickstart/correlations.csv")),
    "make test": Entry(needs="the tests themselves", covered=".ci/run"),
    "pip install -r requirements/build.txt": INSTALLATION,
    "pip install -r requirements/base.txt": INSTALLATION,
    "mmbnft install-host": INSTALLATION,
    "make install": INSTALLATION,
    "pip install --no-build-isolation --no-deps --editable .": INSTALLATION,
    "python tools/describe_protocol.py configs/pets/resnet50.py --protocol bn_paper": Entry(),
    "python tools/train.py configs/digits/tiny18.py --protocol bn --checkpoint tiny-simclr --seed 0": Entry(),
    "python tools/benchmark.py configs/benchmarks/published_study.py --dry-run": Entry(),
    "python tools/benchmark.py configs/benchmarks/published_study.py --only task=dtd protocol=linear,bn_paper": Entry(),
    "python tools/results.py failures work_dirs/published_study": Entry(),
    "python tools/few_shot.py configs/few_shot/quickstart.py": Entry(creates=("work_dirs/quickstart/few_shot.md",)),
    "python tools/prepare_data.py folder --images PHOTOS --name mine": Entry(creates=(MINE,)),
    "python tools/checkpoints.py verify weights/a.pth": Entry(),
    "python tools/train.py configs/own/resnet50.py --protocol bn --checkpoint weights/a.pth": Entry(),
    "python tools/benchmark.py --task data/mine --checkpoints weights/a.pth weights/b.pth weights/c.pth "
    "--protocols linear bn finetune": Entry(creates=("work_dirs/mine/report.html",)),
    # docs/analysis.md
    "python tools/predict.py RESULT.json photos/ --out photos.csv": Entry(
        (f"{TRAIN} bn", f"{TRAIN} linear", f"python tools/predict.py {RUN} photos/ --out photos.csv"),
        creates=("photos.csv",),
    ),
    "python tools/export.py RESULT.json classifier.pth": Entry(
        (f"python tools/export.py {RUN} classifier.pth",), creates=("classifier.pth",)
    ),
    "python tools/export.py RESULT.json classifier.pt": Entry(
        (f"python tools/export.py {RUN} classifier.pt",), creates=("classifier.pt",)
    ),
    "python tools/analyze.py work_dirs/NAME --out analysis": Entry(creates=("analysis/analysis.html",)),
    "python tools/analyze.py RESULT.json RESULT2.json --images data/other --most 500": Entry(
        (f"python tools/analyze.py {RUN} {OTHER_RUN} --images data/other --most 500",)
    ),
    "python tools/analyze.py work_dirs/NAME --no-images": Entry(),
    "python tools/benchmark.py configs/benchmarks/layers.py --dry-run": Entry(),
    "python tools/benchmark.py configs/benchmarks/ablation.py --dry-run": Entry(),
    # docs/benchmark.md
    "python tools/benchmark.py --task data/NAME --checkpoints moco-v2 swav supervised --protocols linear bn finetune": (
        Entry(
            (
                "python tools/benchmark.py --task data/NAME --checkpoints weights/a.pth weights/b.pth random "
                "--protocols linear bn finetune",
            ),
            creates=("work_dirs/NAME/report.html",),
        )
    ),
    "python tools/select.py --task data/mine --checkpoints weights/a.pth weights/b.pth weights/c.pth "
    "--budget 60%": Entry(creates=("work_dirs/select_mine/selection.html",)),
    # docs/select.md
    "python tools/select.py --task data/NAME --checkpoints moco-v2 swav supervised --budget 30%": Entry(
        (
            "python tools/select.py --task data/NAME --checkpoints weights/a.pth weights/b.pth weights/c.pth "
            "--budget 30%",
        )
    ),
    "python tools/select.py --shortest work_dirs/NAME": Entry(
        ("python tools/select.py --shortest work_dirs/select_NAME",), status=(0, 2)
    ),
    "python benchmarks/select_replay.py --out docs/select_replay": Entry(
        (
            "python benchmarks/select_replay.py --table data/published/sfda2022_ssl_finetune.csv --repetitions 1 "
            "--thrift 1 --hyperband-every 11",
        )
    ),
    "python tools/results.py list work_dirs/NAME --only task=dtd status=ok": Entry(
        ("python tools/results.py list work_dirs/NAME --only task=NAME status=ok",)
    ),
    "python tools/results.py export work_dirs/NAME --csv all.csv": Entry(creates=("all.csv",)),
    "python tools/results.py export work_dirs/NAME --archive runs.tar.xz": Entry(creates=("runs.tar.xz",)),
    "python tools/results.py failures work_dirs/NAME": Entry(),
    "python tools/results.py remove work_dirs/NAME --only task=dtd protocol=bn": Entry(
        ("python tools/results.py remove work_dirs/NAME --only task=NAME protocol=bn",)
    ),
    "python tools/results.py stale work_dirs/NAME --config configs/benchmarks/NAME.py": Entry(status=(0, 1)),
    "python tools/results.py merge machine1/NAME machine2/NAME work_dirs/NAME": Entry(),
    "pip install 'mmbnft[ray]'": INSTALLATION,
    "python tools/benchmark.py CONFIG --executor ray --ray-address auto --gpus-per-run 0.5": cluster(
        "tests/test_grid/test_ray.py"
    ),
    # docs/checkpoints.md
    "python tools/checkpoints.py list [--group study12|tiny|tiny-early]": Entry(
        ("python tools/checkpoints.py list", "python tools/checkpoints.py list --group tiny-early")
    ),
    "python tools/checkpoints.py show ID": Entry(("python tools/checkpoints.py show moco-v2",)),
    "python tools/checkpoints.py fetch ID [ID ...]": Entry(needs="a network", covered="tests/test_zoo"),
    "python tools/checkpoints.py verify FILE|ID [--format ID] [--mean R G B --std R G B] [--branch NAME] [--json] "
    "[--allow-partial]": Entry(
        (
            "python tools/checkpoints.py verify tiny-simclr --json",
            "python tools/checkpoints.py verify weights/a.pth --format tiny",
        )
    ),
    "python tools/checkpoints.py convert FILE|ID OUT [the same options]": Entry(
        ("python tools/checkpoints.py convert weights/a.pth out.pth",), creates=("out.pth",)
    ),
    # docs/few_shot.md
    "python tools/few_shot.py configs/few_shot/own.py --task data/mine --checkpoints moco-v2 swav --k-shot 1 5 "
    "--n-way 5 --methods logistic bn finetune --episodes 10 --validation 3": Entry(
        (
            "python tools/few_shot.py configs/few_shot/own.py --task data/mine --checkpoints weights/a.pth "
            "weights/b.pth --k-shot 1 5 --n-way 5 --methods logistic bn finetune --episodes 10 --validation 3",
        ),
        creates=("work_dirs/own/few_shot.md",),
    ),
    "python tools/few_shot.py --table work_dirs/own/results": Entry(),
    "python tools/rank.py work_dirs/own/results --target fewshot-finetune-5way-5shot": Entry(status=(0, 2)),
    "python tools/few_shot.py configs/few_shot/tiny_real.py --work-dir work_dirs/tiny_real --task a.npz b.npz "
    "[--k-shot 1 5 20] [--episodes 100] [--validation 10] [--methods nearest_mean logistic linear bn finetune]": Entry(
        ("python tools/few_shot.py configs/few_shot/tiny_real.py --work-dir work_dirs/tiny_real --task a.npz b.npz",)
    ),
    # docs/few_shot_results.md
    f"{REAL} --k-shot 5 --task clothing.npz sign_digits.npz coffee_leaf.npz caltech101.npz omniglot.npz": Entry(),
    f"{REAL} --k-shot 20 --task sign_digits.npz": Entry(),
    "python tools/few_shot.py --table docs/few_shot_results/runs.tar.xz --work-dir few_shot": Entry(
        creates=("few_shot/few_shot.md", "few_shot/few_shot.svg")
    ),
    # docs/few_shot_speed.md
    "python benchmarks/few_shot_speed.py": Entry(("python benchmarks/few_shot_speed.py --quick",)),
    # docs/images.md
    "python tools/train.py CONFIG --cache DIR": Entry(
        ("python tools/train.py configs/own/resnet50.py --protocol bn --checkpoint weights/a.pth --cache DIR",),
        creates=("DIR/images",),
    ),
    "python tools/benchmark.py CONFIG": Entry(("python tools/benchmark.py configs/benchmarks/own.py",)),
    "python benchmarks/image_speed.py": Entry(("python benchmarks/image_speed.py --images 8 --repeats 1",)),
    # docs/pretraining.md
    "python tools/pretrain.py --all --resume --data /path/to/101_ObjectCategories": Entry(
        ("python tools/pretrain.py --all --resume --data 101_ObjectCategories --out tiny",),
    ),
    "python tools/pretrain.py --evaluate --task TASK.npz ...": Entry(
        ("python tools/pretrain.py --evaluate --out tiny --task TASK.npz",)
    ),
    # docs/ranking.md
    "python tools/rank.py results/ --target finetune --out report/": Entry(creates=("report/report.html",)),
    "python tools/rank.py mine.csv --target finetune --target-from data/published/sfda2022_ssl_finetune.csv "
    "--out report/": Entry(creates=("report/report.html",)),
    # docs/recipes.md
    "python tools/train.py configs/pets/resnet50.py --protocol bn_paper --checkpoint moco-v2": Entry(
        ("python tools/train.py configs/pets/resnet50.py --protocol bn_paper --checkpoint weights/a.pth",)
    ),
    "python tools/train.py configs/pets/resnet50.py --protocol bn_paper --checkpoint moco-v2 --recipe vpulab": Entry(
        (
            "python tools/train.py configs/pets/resnet50.py --protocol bn_paper --checkpoint weights/a.pth "
            "--recipe vpulab",
        )
    ),
    # docs/ablation.md
    "python tools/analyze.py docs/ablation/runs.tar.xz --no-images --out ablation": Entry(
        creates=("ablation/protocols.svg",)
    ),
    "python tools/analyze.py docs/ablation/lite0.tar.xz --no-images --out lite0": Entry(
        creates=("lite0/protocols.svg",)
    ),
    # docs/study.md
    "python tools/rank.py docs/study/runs.tar.xz --out report": Entry(creates=("report/report.html",)),
    "python tools/analyze.py docs/study/runs.tar.xz --no-images --out analysis": Entry(
        creates=("analysis/analysis.html",)
    ),
    "python tools/rank.py docs/study/many_labels.tar.xz --out many": Entry(creates=("many/report.html",)),
    "python tools/analyze.py docs/study/many_labels.tar.xz --no-images --out many": Entry(creates=("many/curves.svg",)),
    "python tools/results.py export docs/study/lite.tar.xz --csv lite.csv": Entry(creates=("lite.csv",)),
    # docs/tasks.md
    "python tools/prepare_data.py NAME [--archive PATH ...] [--download] [--check] [--root data]": Entry(
        needs="archives of a public data set", covered="tests/test_tasks/test_preparers"
    ),
    "python tools/prepare_data.py folder --images DIR --name NAME [--lists FILE ...] [--groups FILE]": Entry(
        ("python tools/prepare_data.py folder --images DIR --name folders --check",),
        creates=("data/folders/task.json",),
    ),
    "python tools/prepare_data.py csv --file FILE --name NAME [--images DIR] [--groups FILE]": Entry(
        ("python tools/prepare_data.py csv --file table.csv --name table --images DIR",),
        creates=("data/table/task.json",),
    ),
    "python tools/prepare_data.py npz --file FILE --name NAME": Entry(
        ("python tools/prepare_data.py npz --file arrays.npz --name arrays",), creates=("data/arrays/task.json",)
    ),
    "python tools/prepare_data.py parquet --file FILE --name NAME": Entry(
        ("python tools/prepare_data.py parquet --file pictures.parquet --name pictures",),
        creates=("data/pictures/task.json",),
    ),
}
PAGES = [path for path in documents() if commands(path)]
# Their commands take minutes even on miniatures: they run where ALL_PAGES is set (`make documents`), and have to have
# an entry everywhere.
SLOW = {f"docs/{name}.md" for name in ("few_shot", "few_shot_results", "few_shot_speed", "images", "training")}
RUN_PAGES = [
    page for page in (str(path.relative_to(ROOT)) for path in PAGES) if os.environ.get("ALL_PAGES") or page not in SLOW
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout in miniature for each page, since pages use the same names for different things."""
    return lambda page: furnish(sandbox(tmp_path_factory.mktemp(Path(page).stem)), page)


def furnish(folder: Path, page: str) -> Path:
    """What a page takes for granted beside the checkout."""
    if page in ("docs/study.md", "docs/ablation.md", "docs/few_shot_results.md"):
        shutil.copytree((ROOT / page).with_suffix(""), (folder / page).with_suffix(""))
    if page in ("README.md", "docs/README.md"):
        make_photos(folder / "PHOTOS")
    if page == "docs/training.md":
        make_prepared_task(folder / "data/mine", "mine")
        for name in STUDY_TASKS:
            make_prepared_task(folder / "data" / name, name)
        make_prepared_task(folder / "data/voc2007", "voc2007", metric="mean_per_class")
    elif page == "docs/select.md":
        make_prepared_task(folder / "data/NAME", "NAME")
    elif page == "docs/analysis.md":
        make_photos(folder / "photos")
        make_prepared_task(folder / "data/other", "other", classes=10)
    elif page == "docs/benchmark.md":
        make_prepared_task(folder / "data/NAME", "NAME")
        for machine in ("machine1", "machine2"):
            (folder / machine / "NAME/results").mkdir(parents=True)
        (folder / "configs/benchmarks/NAME.py").write_text((folder / "configs/benchmarks/quickstart.py").read_text())
    elif page == "docs/few_shot.md":
        make_prepared_task(folder / "data/mine", "mine", classes=6, each=(24, 8, 8))
        for name in ("a", "b"):
            make_arrays(folder / f"{name}.npz", each=70)
    elif page == "docs/recipes.md":
        make_prepared_task(folder / "data/pets", "pets")
    elif page == "docs/ranking.md":
        make_table(folder / "mine.csv", protocols=("linear", "bn"))
        make_results(folder / "results")
    elif page == "docs/few_shot_results.md":
        for name in ("clothing", "sign_digits", "coffee_leaf", "caltech101", "omniglot"):
            make_arrays(folder / f"{name}.npz", each=70 if name == "sign_digits" else 40)
    elif page == "docs/tasks.md":
        make_photos(folder / "DIR")
        names = sorted(path.relative_to(folder / "DIR") for path in (folder / "DIR").rglob("*.png"))
        (folder / "table.csv").write_text("path,label\n" + "".join(f"{name},{name.parent}\n" for name in names))
        make_arrays(folder / "arrays.npz", each=10)
        make_parquet(folder / "pictures.parquet", folder / "DIR")
    elif page == "docs/images.md":
        make_prepared_task(folder / "data/mine", "mine")
    elif page == "docs/pretraining.md":
        make_photos(folder / "101_ObjectCategories", classes=4, each=10)
        make_arrays(folder / "TASK.npz", each=12)
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_has_an_entry(page):
    unknown = [command.text for command in commands(page) if command.text not in ENTRIES]
    assert not unknown, f"{page.name} names commands that no entry explains: {unknown}"
    idle = [text for text, entry in ENTRIES.items() if entry.needs and not entry.covered]
    assert not idle, f"nothing stands for {idle}"


@pytest.mark.parametrize("page", RUN_PAGES)
def test_every_command_runs_as_written(page, place):
    folder = place(page)
    for command in commands(ROOT / page):
        entry = ENTRIES[command.text]
        if entry.needs:
            continue
        for text in entry.instead or (command.text,):
            done = run(text, folder)
            said = f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            assert done.returncode in entry.status, said
            assert "Traceback" not in done.stderr, said
        missing = [path for path in entry.creates if not (folder / path).exists()]
        assert not missing, f"{command.text} did not leave {missing}"


def test_no_entry_is_left_over():
    named = {command.text for page in PAGES for command in commands(page)}
    assert set(ENTRIES) <= named


@functools.cache
def help_text(*words: str) -> str:
    """What a tool says of itself and of the sub-command that a command names."""
    words = tuple("dtd" if word == "NAME" else word for word in words)  # one data set stands for all
    tool, sub = words[0], [word for word in words[1:2] if not word.startswith("-") and "/" not in word]
    said = [subprocess.run([sys.executable, tool, *part, "--help"], cwd=ROOT, env=environment(), capture_output=True,
                           text=True, check=False).stdout for part in ([], sub)]  # fmt: skip
    return "\n".join(said)


@pytest.mark.parametrize("page", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_options_that_a_document_gives_to_a_tool_are_in_its_help(page):
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for found in re.finditer(r"python (tools/\w+\.py)([^\n`]*)", text):
        tool, rest = found[1], re.sub(r"\s#.*", "", found[2])
        options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)
        if options:
            said = help_text(tool, *rest.split()[:1])
            assert [option for option in options if option not in said] == [], f"{page.name}: {tool}{rest}"


def test_the_documents_install_what_the_makefile_installs():
    makefile = (ROOT / "Makefile").read_text()
    for command in commands(ROOT / "docs/install.md"):
        if command.text.startswith(("pip install -", "mmbnft install-host")):
            assert f"$(BIN)/{command.text}\n" in makefile, command.text
