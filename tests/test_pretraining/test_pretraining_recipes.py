import copy
from pathlib import Path

import pytest
import torch
from mmselfsup.models import build_algorithm
from pretraining_samples import CONFIGS, small

from mmbnft import compat
from mmbnft.pretraining.recipes import filled, read_recipe
from mmbnft.utils.errors import UserError

PATHS = sorted(Path(CONFIGS).glob("*.py"))
NAMES = [path.stem for path in PATHS]


def test_there_are_twelve_methods():
    assert len(PATHS) == 12
    assert len({read_recipe(path).method for path in PATHS}) == 12


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_builds_the_same_backbone(name, pictures):
    recipe = small(name)
    with compat.pretraining_without_cuda():
        model = build_algorithm(filled(recipe, pictures.images).model)
    assert sum(p.numel() for p in model.backbone.parameters()) == 702_096
    assert type(model).__module__.startswith("mmselfsup.")
    with torch.no_grad():
        (features,) = model.backbone(torch.zeros(2, 3, 32, 32))
    assert features.shape == (2, 128, 1, 1)


def test_filling_leaves_the_recipe_alone_and_shares_the_pictures(pictures):
    recipe = small("deepcluster")
    before = copy.deepcopy(recipe.config)
    config = filled(recipe, pictures.images)
    assert recipe.config == before
    assert config.data.train.data_source.images is pictures.images
    assert config.custom_hooks[0].extractor.dataset.data_source.images is pictures.images


def test_memory_banks_are_as_long_as_the_data(pictures):
    assert filled(small("npid"), pictures.images).model.memory_bank.length == 64


def test_epochs_are_replaced_and_change_the_hash():
    one, two = (read_recipe(f"{CONFIGS}/simsiam.py", epochs) for epochs in (1, 2))
    assert (one.epochs, two.epochs) == (1, 2)
    assert one.sha256 != two.sha256
    assert one.id == "tiny-simsiam"


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no configuration"), ("a = (", "does not load"), ("method = 'x'", "lacks model")]
)
def test_bad_configurations_are_refused_in_one_sentence(text, words, tmp_path):
    path = tmp_path / "bad.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_recipe(path)


def test_zero_epochs_are_refused():
    with pytest.raises(UserError, match="at least 1, got 0"):
        read_recipe(f"{CONFIGS}/simsiam.py", 0)
