"""What comes with the package is found from anywhere, and a person's own files go first."""

import json
from pathlib import Path

import pytest

from mmbnft.evaluation.run_spec import load_config
from mmbnft.utils.shipped import SHIPPED, find_shipped
from mmbnft.zoo import file_identity, group

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "configs",
    "tools",
    "requirements",
    "data/published",
    "pretrained_models/tiny",
    "pretrained_models/tiny-early",
)


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_package_has_what_the_checkout_has(folder):
    assert names((SHIPPED / folder).resolve()) == names(ROOT / folder) != set()


def test_it_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("configs/digits/tiny18.py").task.type == load_config(ROOT / "configs/digits/tiny18.py").task.type
    assert find_shipped("data/published/kanavati2021_medical_auc.csv").is_file()
    assert "tiny-simclr" in group("tiny")
    path, digest = file_identity("tiny-simclr")
    assert digest == file_identity("tiny-simclr", tmp_path / "elsewhere")[1]
    assert path.read_bytes() == (ROOT / "pretrained_models/tiny/tiny-simclr.pth").read_bytes()


def test_own_files_go_first_and_a_missing_one_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path("configs/digits/tiny18.py")
    own.parent.mkdir(parents=True)
    own.write_text("x = 1")
    assert find_shipped(own) == own
    assert find_shipped("configs/none.py") == Path("configs/none.py")
    assert find_shipped(tmp_path / "configs/digits/resnet50.py") == tmp_path / "configs/digits/resnet50.py"


def test_own_small_checkpoints_go_first(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/catalogue.json").write_text(json.dumps([]))
    assert group("tiny", tmp_path) == ()


def test_mim_finds_the_scripts_and_models_by_its_rule():
    # openmim 0.3.9 looks for PACKAGE/.mim/tools/COMMAND.py and PACKAGE/.mim/model-index.yml.
    yaml = pytest.importorskip("yaml")
    assert (SHIPPED / "tools/benchmark.py").is_file()
    models = yaml.safe_load((SHIPPED / "model-index.yml").read_text(encoding="utf-8"))["Models"]
    known = json.loads((ROOT / "pretrained_models/tiny/catalogue.json").read_text(encoding="utf-8"))
    assert [row["Name"] for row in models] == [row["id"] for row in known]
    assert all((ROOT / row["Config"]).is_file() and (ROOT / row["Weights"]).is_file() for row in models)
