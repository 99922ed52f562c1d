import dataclasses
from pathlib import Path

import pytest

from mmbnft.evaluation.run_spec import load_config, spec_from_config, task_name
from mmbnft.recipes import named_recipe
from mmbnft.tasks import build_task
from mmbnft.utils.errors import UserError

CONFIG = "configs/digits/tiny18.py"
BN = {"protocol": "bn"}


def key(spec):
    return spec.key(build_task(spec.task, spec.split))


def test_key_changes_with_everything_that_determines_the_result(make_spec, make_recipe):
    base = make_spec()
    changed = [
        make_spec(protocol="linear"),
        make_spec(seed=1),
        make_spec(split=1),
        dataclasses.replace(base, checkpoint=dataclasses.replace(base.checkpoint, allow_partial=True)),
        make_spec(recipe=make_recipe(epochs=3)),
        make_spec(recipe=make_recipe(search=dict(lr=[0.1]))),
        make_spec(recipe=make_recipe(epochs=None, steps=8)),
        make_spec(recipe=make_recipe(normalisation=dict(mean=[0.5] * 3, std=[0.5] * 3))),
        make_spec(recipe=make_recipe(channel_order="bgr")),
        make_spec(recipe=make_recipe(precision="bfloat16")),
        make_spec(recipe=make_recipe(norm_before_classifier=True)),
        make_spec(recipe=make_recipe(weight_decay_over_lr=True)),
        make_spec("linear", make_recipe(probe=dict(solver="convex", weight_decays=[1.0]))),
        make_spec("linear", make_recipe(probe=dict(solver="convex", weight_decays=[1.0]), fit_on="train")),
        make_spec("knn"),
        make_spec("knn", make_recipe(channel_order="bgr")),
        make_spec("logme"),
        dataclasses.replace(base, task=base.task | dict(train_size=72)),
        dataclasses.replace(base, model=base.model | dict(train_cfg=dict(augments=None))),
    ]
    keys = [key(spec) for spec in [base, *changed]]
    assert len(set(keys)) == len(keys)
    assert key(make_spec()) == key(base)
    assert key(make_spec(recipe=make_recipe(remark="in other words"))) == key(base)


def test_configuration_overrides_and_published_spellings():
    config = load_config(CONFIG, BN | {"recipe.epochs": 3, "load_from": "pretrained_models/tiny/tiny-byol.pth"})
    spec = spec_from_config(config)
    assert spec.recipe.epochs == 3
    assert spec.checkpoint.path == str(Path("pretrained_models/tiny/tiny-byol.pth").absolute())
    assert spec.checkpoint_name == "tiny-byol"
    assert spec.protocol == "bn"


def test_a_named_recipe_takes_the_place_of_the_files():
    spec = spec_from_config(load_config(CONFIG, BN, recipe="vpulab"))
    assert spec.recipe == named_recipe("vpulab", "digits", "bn")
    linear = spec_from_config(load_config(CONFIG, {"protocol": "linear", "recipe.epochs": 3}, recipe="vpulab"))
    assert (linear.recipe.name, linear.recipe.epochs, linear.recipe.batch_size) == ("vpulab-derived", 3, 8)
    assert "changed: epochs" in linear.recipe.remark


def test_a_configuration_may_define_a_protocol():
    phases = [dict(train="norm", norm_stats="batch", epochs=1), dict(train="stage:4", lr_scale=0.1)]
    spec = spec_from_config(load_config(CONFIG, {"protocol": dict(name="norm_then_last", phases=phases)}))
    assert spec.protocol == "norm_then_last"
    assert [phase.train for phase in spec.adaptation.phases] == ["norm", "stage:4"]
    assert spec.recipe.name == "small"
    same = spec_from_config(load_config(CONFIG, {"protocol": dict(name="other_name", phases=phases)}))
    assert key(same) == key(spec)
    assert key(spec) != key(spec_from_config(load_config(CONFIG, BN)))
    last = dict(name="mine", phases=[dict(train="norm", norm_stats="batch")])
    named = spec_from_config(load_config(CONFIG, {"protocol": last}))
    assert key(named) == key(spec_from_config(load_config(CONFIG, BN)))
    published = spec_from_config(load_config(CONFIG, {"protocol": last}, "vpulab"))
    assert published.recipe == named_recipe("vpulab", "digits", published.adaptation)
    assert "nothing valid was published for mine on digits: schedule of the bn file" in published.recipe.remark


def test_the_name_of_a_task_is_that_of_its_folder(tmp_path):
    assert task_name(dict(type="digits", image_size=32)) == "digits"
    assert task_name(dict(type="drawn", family="shapes")) == "shapes"
    assert task_name(dict(type="list_task", root="data/pets")) == "pets"
    assert task_name(dict(type="list_task", root="data/pets", name="cats")) == "cats"
    (tmp_path / "task.json").write_text('{"name": "dtd"}')
    assert task_name(dict(type="list_task", root=str(tmp_path))) == "dtd"


def test_a_wrapped_backbone_is_understood():
    config = load_config(CONFIG, BN)
    plain = spec_from_config(config)
    inner = config.model.backbone
    config.model.backbone = None
    config.model.backbone = dict(type="ProtocolBackbone", protocol="linear", backbone=inner)
    config._cfg_dict.pop("protocol")
    spec = spec_from_config(config)
    assert spec.model == plain.model
    assert spec.protocol == "linear"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"recipy.epochs": 3}, "unknown settings recipy in the configuration; allowed: checkpoint"),
        ({"recipe.epoch": 3}, "unknown recipe settings epoch"),
        ({"protocol": "bnn"}, "unknown protocol 'bnn'"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"model.head": "linear"}, "model must have a head"),
        ({"task": "data/dtd"}, "task must be a dict, got 'data/dtd'"),
        ({"protocol": ["bn"]}, "protocol must be a name or dict\\(name=..., phases=\\[...\\]\\), got"),
        ({"protocol": dict(name="mine")}, "protocol must be a name or dict"),
        ({"protocol": dict(name="mine", phases=[])}, "protocol 'mine' has no phase"),
        ({"protocol": dict(name="mine", phases=[dict(train="bn")])}, "train of a phase must be head, norm"),
        ({"protocol": dict(name="mine", phases=[dict(trains="head")])}, "a phase must be dict"),
        (
            {"protocol": dict(name="bn", phases=[dict(train="head")])},
            "'bn' is already the name of a protocol or score",
        ),
        ({"recipe.named": "clean"}, "the recipe is both named='clean' and spelt out as 'small'"),
    ],
)
def test_wrong_settings_are_refused(overrides, message):
    with pytest.raises(UserError, match=message):
        spec_from_config(load_config(CONFIG, BN | overrides))


def test_missing_parts_are_named():
    with pytest.raises(UserError, match="the configuration lacks protocol, task"):
        spec_from_config(dict(model=dict(backbone={}, head={}), recipe={}))


def test_broken_files_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no configuration"):
        load_config(tmp_path / "none.py")
    (tmp_path / "bad.py").write_text("model = dict(")
    with pytest.raises(UserError, match=r"bad\.py is not a valid configuration"):
        load_config(tmp_path / "bad.py")
    (tmp_path / "name.py").write_text("model = undefined")
    with pytest.raises(UserError, match=r"name\.py is not a valid configuration"):
        load_config(tmp_path / "name.py")
