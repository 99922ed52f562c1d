import pytest

from mmbnft.recipes.recipe import Recipe
from mmbnft.utils.errors import UserError


def test_trials_are_every_combination(make_recipe):
    assert make_recipe().trials() == [{}]
    trials = make_recipe(search=dict(lr=[0.1, 0.2], weight_decay=[0, 1e-4])).trials()
    assert trials == [
        dict(lr=0.1, weight_decay=0),
        dict(lr=0.1, weight_decay=1e-4),
        dict(lr=0.2, weight_decay=0),
        dict(lr=0.2, weight_decay=1e-4),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(epochs=0), "epochs of recipe 'test' must be a whole number from 1, got 0"),
        (dict(batch_size=2.5), "batch_size of recipe 'test' must be a whole number from 1, got 2.5"),
        (dict(fit_on="test"), "fit_on of recipe 'test' must be one of train, trainval, got 'test'"),
        (dict(optimizer=dict(type="SGD")), "needs a type and a positive lr"),
        (dict(optimizer=dict(type="SGD", lr=-1)), "needs a type and a positive lr"),
        (
            dict(search=dict(momentum=[0.9])),
            "for lr, steps, weight_decay, .* got momentum",
        ),
        (dict(search="{}"), "search of recipe 'test' must be a dict of lists, .* got '{}'"),
        (dict(search=dict(lr=[])), "non-empty lists"),
        (dict(search=dict(lr=[float("nan")])), "lists of numbers"),
        (dict(search=dict(lr=[0.0])), "every lr positive"),
        (dict(epochs=None), "needs either epochs or steps, got epochs=None and steps=None"),
        (dict(steps=4), "needs either epochs or steps, got epochs=2 and steps=4"),
        (dict(epochs=None, steps=0), "steps of recipe 'test' must be a whole number from 1, got 0"),
        (dict(epochs=None, steps=True), "steps of recipe 'test' must be a whole number from 1, got True"),
        (dict(normalisation="imagenet"), "must be 'checkpoint' or dict\\(mean=.*, got 'imagenet'"),
        (dict(normalisation=dict(mean=[0.5] * 3)), "must be 'checkpoint' or dict"),
        (
            dict(normalisation=dict(mean=[0.5] * 3, std=[0.5, 0.5, 0])),
            "std .* must be three numbers .*, none of them 0",
        ),
        (dict(normalisation=dict(mean=[0.5] * 2, std=[0.5] * 3)), "mean .* must be three numbers on a 0..1 scale, got"),
        (dict(normalisation=dict(mean=0.5, std=[0.5] * 3)), "mean .* must be three numbers on a 0..1 scale, got 0.5"),
        (dict(precision="float16"), "precision of recipe 'test' must be one of bfloat16, float32, got 'float16'"),
        (dict(channel_order="gbr"), "channel_order of recipe 'test' must be one of bgr, rgb, got 'gbr'"),
        (
            dict(norm_before_classifier="yes"),
            "norm_before_classifier of recipe 'test' must be True or False, got 'yes'",
        ),
        (dict(weight_decay_over_lr=1), "weight_decay_over_lr of recipe 'test' must be True or False, got 1"),
        (dict(probe="convex"), "probe of recipe 'test' needs exactly solver, weight_decays, got 'convex'"),
        (dict(probe=dict(solver="convex")), "needs exactly solver, weight_decays"),
        (dict(probe=dict(solver="convex", weight_decays=[1.0], C=1)), "needs exactly solver, weight_decays"),
        (dict(probe=dict(solver="adam", weight_decays=[1.0])), "must be one of convex, sklearn, got 'adam'"),
        (dict(probe=dict(solver="sklearn", weight_decays=[])), "non-empty list of positive numbers, got \\[\\]"),
        (dict(probe=dict(solver="sklearn", weight_decays=[1.0, 0])), "list of positive numbers"),
        (dict(probe=dict(solver="sklearn", weight_decays=0.1)), "list of positive numbers"),
    ],
)
def test_wrong_settings_are_refused(make_recipe, changes, message):
    with pytest.raises(UserError, match=message):
        make_recipe(**changes)


def test_misspelt_and_missing_settings_are_named():
    with pytest.raises(UserError, match="unknown recipe settings epoch; allowed: batch_size, channel_order, epochs"):
        Recipe.from_config(dict(epoch=3))
    with pytest.raises(UserError, match="workers is no setting of a recipe, .* as --workers of mmbnft train"):
        Recipe.from_config(dict(name="x", epochs=3, batch_size=2, optimizer={}, workers=2))
    with pytest.raises(UserError, match="the recipe is incomplete: .*'optimizer'"):
        Recipe.from_config(dict(name="x", epochs=3, batch_size=2))
