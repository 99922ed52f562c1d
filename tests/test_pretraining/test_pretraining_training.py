import numpy as np
import pytest
import torch
from pretraining_samples import small

from mmbnft.pretraining import hooks
from mmbnft.pretraining.photographs import ImageSet, pixels_sha256
from mmbnft.pretraining.quality import random_backbone
from mmbnft.pretraining.training import pretrain
from mmbnft.utils.errors import UserError


class Killed(Exception):
    pass


def kill_after(iterations):
    def report(done, total):
        if done == iterations:
            raise Killed

    return report


def assert_equal(first, second):
    assert list(first) == list(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.mark.parametrize("name", ["simsiam", "rotation", "moco-v2", "barlowtwins", "byol", "simclr"])
def test_one_epoch_moves_every_weight_and_statistic(name, pictures, tmp_path):
    recipe = small(name)
    trained = pretrain(recipe, pictures, tmp_path)
    backbone = random_backbone(recipe.architecture, 0)
    backbone.load_state_dict(trained.state_dict, strict=True)
    torch.manual_seed(0)
    still = [
        key
        for key, value in random_backbone(recipe.architecture, 0).state_dict().items()
        if torch.equal(value, trained.state_dict[key])
    ]
    assert not still
    assert len(trained.losses) == 1
    assert np.isfinite(trained.losses).all()


# What each keeps outside its state dictionary: queue and momentum, memory bank, pseudo-labels, both, queue file.
@pytest.mark.parametrize("name", ["byol", "npid", "deepcluster", "odc", "swav"])
def test_a_killed_run_resumes_to_the_uninterrupted_weights(name, pictures, tmp_path):
    recipe = small(name, epochs=4)
    whole = pretrain(recipe, pictures, tmp_path / "whole")
    for iterations in (7, 14):  # in the middle of the second and of the fourth epoch
        with pytest.raises(Killed):
            pretrain(recipe, pictures, tmp_path / "killed", resume=True, report=kill_after(iterations))
    resumed = pretrain(recipe, pictures, tmp_path / "killed", resume=True)
    assert_equal(resumed.state_dict, whole.state_dict)
    assert resumed.losses == whole.losses


def test_the_seed_determines_the_weights(pictures, tmp_path):
    recipe = small("simsiam")
    first = pretrain(recipe, pictures, tmp_path / "a")
    assert_equal(first.state_dict, pretrain(recipe, pictures, tmp_path / "b").state_dict)
    recipe.config["seed"] = 1
    other = pretrain(recipe, pictures, tmp_path / "c")
    assert not torch.equal(first.state_dict["conv1.weight"], other.state_dict["conv1.weight"])


def test_worker_processes_repeat_too(pictures, tmp_path):
    recipe = small("simsiam", epochs=2)
    first, second = (pretrain(recipe, pictures, tmp_path / name, workers=1) for name in "ab")
    assert_equal(first.state_dict, second.state_dict)


def test_a_fresh_start_forgets_the_earlier_run(pictures, tmp_path):
    recipe = small("swav", epochs=2)
    first = pretrain(recipe, pictures, tmp_path)
    assert_equal(pretrain(recipe, pictures, tmp_path).state_dict, first.state_dict)


def test_a_state_of_another_recipe_is_refused(pictures, tmp_path):
    pretrain(small("simsiam"), pictures, tmp_path)
    with pytest.raises(UserError, match="another configuration"):
        pretrain(small("simsiam", epochs=2), pictures, tmp_path, resume=True)


def test_a_damaged_state_is_refused(pictures, tmp_path):
    (tmp_path / "state.pth").write_bytes(b"not a state")
    with pytest.raises(UserError, match="damaged"):
        hooks.read_state(tmp_path / "state.pth", "key")


def test_a_diverging_loss_is_refused(pictures, tmp_path):
    recipe = small("rotation")
    recipe.config["optimizer"]["lr"] = 1e12
    recipe.config["lr_config"]["warmup_ratio"] = 1.0
    with pytest.raises(UserError, match="loss became"):
        pretrain(recipe, pictures, tmp_path)


@pytest.mark.parametrize(("name", "count", "words"), [("simsiam", 15, "one batch of 16"), ("odc", 17, "clusters")])
def test_too_few_pictures_are_refused(name, count, words, pictures, tmp_path):
    recipe = small(name)
    if name == "odc":
        recipe.config["model"]["memory_bank"]["min_cluster"] = 5
    images = pictures.images[:count]
    with pytest.raises(UserError, match=words):
        pretrain(recipe, ImageSet(images, "few", pixels_sha256(images)), tmp_path)


def test_an_unwritable_work_folder_is_refused(pictures, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="work folder"):
        pretrain(small("simsiam"), pictures, tmp_path / "file" / "below")
