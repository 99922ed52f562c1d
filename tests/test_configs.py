"""Every configuration builds and means what its name says."""

import functools
import os
from pathlib import Path

import pytest
import test_aircraft
import test_caltech101
import test_cars
import test_chestx
import test_cifar10
import test_cifar100
import test_cropdiseases
import test_dtd
import test_eurosat
import test_flowers
import test_food101
import test_isic2018
import test_isic2018_cdfsl
import test_mhist
import test_pets
import test_plant_disease
import test_sun397
import test_voc2007
import torch

from mmbnft.evaluation.description import describe_run
from mmbnft.evaluation.loaded_network import build_network, image_dataset
from mmbnft.evaluation.run_spec import load_config, spec_from_config
from mmbnft.grid.plan import Benchmark
from mmbnft.recipes import named_recipe
from mmbnft.tasks import build_task
from mmbnft.tasks.preparers import PREPARERS, eurosat
from mmbnft.utils.errors import UserError
from mmbnft.zoo.certificate import ControlCertificate

PROTOCOLS = ("linear", "bn", "bn_paper", "finetune")
# Task: classes, metric, number of official splits, and the test case whose miniature archives stand for the real ones.
TASKS = {
    "aircraft": (100, "mean_per_class", 1, test_aircraft.TestAircraft),
    "caltech101": (102, "mean_per_class", 2, test_caltech101.TestCaltech101),
    "cars": (196, "top1", 1, test_cars.TestOfficialLayout),
    "chestx": (7, "mean_per_class", 1, test_chestx.TestChestX),
    "cifar10": (10, "top1", 1, test_cifar10.TestCifar10),
    "cifar100": (100, "top1", 1, test_cifar100.TestCifar100),
    "cropdiseases": (38, "mean_per_class", 1, test_cropdiseases.TestCropDiseases),
    "dtd": (47, "top1", 10, test_dtd.TestDtd),
    "eurosat": (10, "top1", 2, test_eurosat.TestEurosat),
    "flowers": (102, "mean_per_class", 1, test_flowers.TestFlowers),
    "food101": (101, "top1", 1, test_food101.TestFood101),
    "isic2018": (7, "mean_per_class", 1, test_isic2018.TestIsic2018),
    "isic2018_cdfsl": (7, "mean_per_class", 1, test_isic2018_cdfsl.TestIsic2018CdFsl),
    "mhist": (2, "mean_per_class", 1, test_mhist.TestMhist),
    "pets": (37, "mean_per_class", 1, test_pets.TestPets),
    "plant_disease": (38, "mean_per_class", 1, test_plant_disease.TestPlantDisease),
    "sun397": (397, "top1", 10, test_sun397.TestSun397),
    "voc2007": (20, "map11", 1, test_voc2007.TestVoc2007),
}
LISTS = {"test.txt", "train.txt", "val.txt"}
SHARED = ("_base_", "benchmarks", "few_shot", "pretrain")
RUNS = sorted(str(p) for p in Path("configs").glob("*/*.py") if p.parent.name not in SHARED)
LEAVES = [path for path in RUNS if "mmselfsup" not in path]
PUBLIC = [path for path in LEAVES if Path(path).parent.name in TASKS]
ARMS = [(path, protocol) for path in PUBLIC for protocol in PROTOCOLS]
BENCHMARKS = sorted(str(path) for path in Path("configs/benchmarks").glob("*.py"))


@functools.cache
def settings(path):
    """A configuration as plain data; reading one takes the host's loader a while."""
    return load_config(path)._cfg_dict.to_dict()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepares a task from the miniature of its archives, once; gives its folder."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)
        patch.setattr(eurosat, "FIRST", 6)  # of ten images a class
        patch.setattr(eurosat, "NEXT", 2)

        def prepare(name):
            if name not in folders:
                folder, case = tmp_path_factory.mktemp(name), TASKS[name][3]()
                folders[name] = case.prepare(folder, case.build(folder)).folder
            return folders[name]

        yield prepare


def leaf(path, prepared, protocol="bn"):
    """The run of a leaf on the miniature of its task."""
    root = str(prepared(Path(path).parent.name))
    return spec_from_config(settings(path) | {"task": settings(path)["task"] | {"root": root}, "protocol": protocol})


def test_every_public_task_has_one_leaf():
    assert set(TASKS) == set(PREPARERS)
    assert set(PUBLIC) == {f"configs/{task}/resnet50.py" for task in TASKS}
    assert {Path(path).parent.name for path in LEAVES} - set(TASKS) == {"digits", "own"}


@pytest.mark.parametrize("path", LEAVES)
def test_run_configurations_follow_their_names(path):
    spec = spec_from_config(settings(path) | {"protocol": "bn"})
    assert spec.model["backbone"]["depth"] == {"tiny18": 18, "resnet50": 50}[Path(path).stem]
    assert spec.recipe.name == ("small" if "/digits/" in path else "clean")
    assert len(Path(path).read_text().splitlines()) < 15


def test_a_leaf_without_a_protocol_says_how_to_give_one():
    with pytest.raises(UserError, match="the configuration lacks protocol; give --protocol NAME"):
        spec_from_config(settings("configs/own/resnet50.py"))


@pytest.mark.parametrize(("path", "protocol"), ARMS)
def test_leaves_of_public_tasks_build_on_prepared_folders(path, protocol, prepared):
    name = Path(path).parent.name
    classes, metric, splits, case = TASKS[name]
    assert settings(path)["task"] == dict(type="list_task", root=f"data/{name}")
    spec = leaf(path, prepared, protocol)
    task = build_task(spec.task, spec.split)
    assert (task.name, task.metric, task.classes) == (name, metric, case.classes)
    assert task.multi_label is (metric == "map11")
    assert PREPARERS[name].facts.classes == classes
    lists = Path(spec.task["root"], "lists")
    assert sorted(int(folder.name) for folder in lists.iterdir()) == list(range(splits))
    assert all({file.name for file in folder.iterdir()} == LISTS for folder in lists.iterdir())
    assert spec.recipe == named_recipe("clean", name, spec.protocol)
    assert len(spec.key(task)) == 64


@pytest.mark.parametrize("name", TASKS)
def test_clean_images_are_photographs_of_224_pixels(name, prepared):
    """Also where the files are smaller: 32 pixels in CIFAR, 64 in EuroSAT."""
    spec = leaf(f"configs/{name}/resnet50.py", prepared)
    task = build_task(spec.task, spec.split)
    certificate = ControlCertificate(None, "")
    for seed in (None, 0):
        image = image_dataset(task, "train", spec.recipe, certificate, seed)[0]["img"]
        assert image.shape == (3, 224, 224)
        assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize(
    ("name", "protocol", "recipe"), [("voc2007", "bn", "clean"), ("plant_disease", "linear", "vpulab")]
)
def test_networks_of_leaves_have_the_tasks_head(name, protocol, recipe, prepared):
    changes = {"task.root": str(prepared(name)), "protocol": protocol}
    spec = spec_from_config(load_config(f"configs/{name}/resnet50.py", changes, recipe))
    task = build_task(spec.task, spec.split)
    head = build_network(spec, task, torch.device("cpu")).model.head
    assert head.fc_cls.weight.shape == (len(TASKS[name][3].classes), 2048)
    assert head.multi_label is (name == "voc2007")
    assert isinstance(head.norm, torch.nn.BatchNorm1d) is (recipe == "vpulab")


@pytest.mark.parametrize("recipe", ["vpulab", "ericsson", "cdfsl"])
def test_a_leaf_takes_every_published_recipe_by_name(recipe):
    for path, protocol in ARMS:
        spec = spec_from_config(settings(path) | {"recipe": {"named": recipe}, "protocol": protocol})
        assert spec.recipe == named_recipe(recipe, Path(path).parent.name, spec.protocol)
    base = load_config(f"configs/_base_/recipes/{recipe}.py")
    assert base.recipe == dict(named=recipe)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_benchmark_configurations_are_grids(path):
    benchmark = Benchmark.from_config(load_config(path))
    assert benchmark.name == Path(path).stem
    assert benchmark.target in benchmark.protocols


def test_arms_of_one_task_differ_in_nothing_but_the_protocol():
    for folder in ("digits", "own", *TASKS):
        (path,) = (path for path in LEAVES if f"/{folder}/" in path)
        specs = [spec_from_config(settings(path) | {"protocol": protocol}) for protocol in PROTOCOLS]
        assert all(spec.recipe == specs[0].recipe and spec.model == specs[0].model for spec in specs)
        assert all(spec.task == specs[0].task for spec in specs)


def test_description_names_layers_and_totals():
    text = describe_run(spec_from_config(load_config("configs/own/resnet50.py", {"protocol": "bn_paper"})))
    assert "vpulab/bn_finetuning" in text
    assert "the recipe's 30 epochs" in text
    assert "values that train: 37,888 of 23,508,032 (0.1612 % of the backbone)" in text
    text = describe_run(spec_from_config(load_config("configs/own/resnet50.py", {"protocol": "finetune"}, "ericsson")))
    assert "the recipe's 5,000 steps" in text
