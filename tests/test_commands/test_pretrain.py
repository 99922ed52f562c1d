import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmbnft import commands
from mmbnft.pretraining.small_files import backbone_of
from mmbnft.utils.files import sha256_file

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/pretrain.py"
SMALL = """
_base_ = "{root}/configs/pretrain/simsiam.py"
data = dict(samples_per_gpu=16)
"""


def draw(count, seed):
    return np.random.default_rng(seed).integers(0, 255, (count, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(folder):
    """Run the command in this process: importing the host stack anew for every case would take minutes."""

    def call(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            out, err = [], []
            patch.chdir(folder)
            patch.setattr(sys, "stdout", SimpleNamespace(write=out.append, flush=lambda: None, isatty=lambda: False))
            patch.setattr(sys, "stderr", SimpleNamespace(write=err.append, flush=lambda: None, isatty=lambda: False))
            code = commands.run("pretrain", [*map(str, arguments)])
        return SimpleNamespace(returncode=code, stdout="".join(out), stderr="".join(err))

    return call


def assert_one_sentence(done, words):
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    np.savez(folder / "pictures.npz", images=draw(32, 0))
    labels = np.repeat(np.arange(4), 10)
    images = draw(40, 1)
    np.savez(folder / "task.npz", images=images, labels=labels)
    (folder / "short.py").write_text(SMALL.format(root=ROOT))
    return folder


@pytest.fixture(scope="module")
def trained(run):
    done = run("short.py", "--data", "pictures.npz", "--out", "out", "--epochs", 1)
    assert done.returncode == 0, done.stderr
    return done


def test_checkpoint_record_and_catalogue_are_written(folder, trained):
    out = folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["catalogue.json", "out-short.json", "out-short.pth"]
    meta, _ = backbone_of(out / "out-short.pth")
    record = json.loads((out / "out-short.json").read_text())
    (entry,) = json.loads((out / "catalogue.json").read_text())
    assert entry["sha256"] == record["sha256"] == sha256_file(out / entry["file"])
    assert (entry["id"], entry["method"], entry["record"]) == ("out-short", "SimSiam", "out-short.json")
    assert entry["architecture"] == meta["architecture"] == record["config"]["model"]["backbone"]
    assert (entry["input_size"], entry["epochs"], len(record["losses"])) == (48, 1, 1)
    assert json.loads(meta["config"]) == record["config"]
    assert meta["data_sha256"] == record["data"]["pixels_sha256"]
    assert str(folder) not in (out / "out-short.json").read_text()


def test_resume_skips_what_is_finished_and_repairs_what_is_damaged(run, folder, trained):
    path = folder / "out/out-short.pth"
    arguments = ("short.py", "--data", "pictures.npz", "--out", "out", "--epochs", 1, "--resume")
    before = path.read_bytes()
    assert "already done" in run(*arguments).stderr
    path.write_bytes(before[:1000])
    assert "already done" not in run(*arguments).stderr
    (folder / "before.pth").write_bytes(before)
    old, new = (torch.load(p, weights_only=True)["state_dict"] for p in (folder / "before.pth", path))
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_evaluation_prints_a_table_and_fills_the_record(run, folder, trained):
    done = run("--evaluate", "--task", "task.npz", "--out", "out", "--splits", 2, "--inits", 2)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "| method | epochs | cpu_seconds | task knn | task linear | above random |"
    assert lines[2].startswith("| random weights (2) |")
    assert lines[3].startswith("| SimSiam |")
    record = json.loads((folder / "out/out-short.json").read_text())
    assert [len(record["quality"]["task"][name]) for name in ("knn", "linear")] == [2, 2]
    control = json.loads((folder / "out/random.json").read_text())
    assert [network["seed"] for network in control["networks"]] == [0, 1]
    values = record["quality"]["task"]["knn"]
    assert f"{sum(values) / 2:.1f}" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("short.py",), "--data is missing"),
        (("--data", "pictures.npz"), "no configuration given"),
        (("nothing.py", "--data", "pictures.npz"), "no configuration nothing.py"),
        (("short.py", "--data", "nowhere"), "no file or folder nowhere"),
        (("short.py", "--data", "empty"), "no pictures"),
        (("short.py", "--data", "pictures.npz", "--workers", -1), "--workers"),
        (("--evaluate",), "needs --task"),
        (("--evaluate", "--task", "task.npz", "--out", "empty"), "has no checkpoints"),
    ],
)
def test_mistakes_are_one_sentence(arguments, words, run, folder):
    (folder / "empty").mkdir(exist_ok=True)
    assert_one_sentence(run(*arguments), words)


def test_the_script_itself_ends_with_the_status_of_the_mistake(folder):
    done = subprocess.run(
        [sys.executable, str(TOOL), "nothing.py", "--data", "pictures.npz"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert_one_sentence(done, "no configuration nothing.py")
