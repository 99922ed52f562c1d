import pytest
import torch

from mmbnft.fewshot import FewShotRecipe
from mmbnft.utils.errors import UserError

SGD = dict(type="SGD", lr=0.1)


def test_trials_are_all_combinations_and_change_the_optimiser():
    recipe = FewShotRecipe("r", SGD, steps=5, search=dict(lr=[0.1, 1.0], steps=[5, 10]), penalties=[1, 2, 3, 4])
    trials = recipe.trials()
    assert trials == [dict(lr=lr, steps=steps) for lr in (0.1, 1.0) for steps in (5, 10)]
    assert recipe.optimizer_of(trials[3]) == dict(type="SGD", lr=1.0)
    assert recipe.batches(25, trials[3], 0, range(2)) == (10, None)


def test_an_epoch_shows_every_image_and_fills_its_last_batch_from_its_beginning():
    recipe = FewShotRecipe("r", SGD, epochs=3, batch_size=4)
    steps, batches = recipe.batches(10, {}, seed=1, episodes=range(5))
    assert steps == 9
    assert batches.shape == (9, 5, 4)
    assert batches.dtype == torch.int64
    for episode in range(5):
        for epoch in batches[:, episode].reshape(3, 12).tolist():
            assert sorted(epoch[:10]) == list(range(10))
            assert epoch[10:] == epoch[:2]
    assert not torch.equal(batches[:3, 0], batches[3:6, 0])
    assert not torch.equal(batches[:, 0], batches[:, 1])


def test_batches_of_an_episode_do_not_depend_on_its_company():
    recipe = FewShotRecipe("r", SGD, steps=7, batch_size=4)
    together, alone = (recipe.batches(10, {}, 0, episodes)[1] for episodes in (range(5), range(3, 4)))
    assert torch.equal(together[:, 3], alone[:, 0])
    assert not torch.equal(recipe.batches(10, {}, 1, range(5))[1], together)


def test_a_batch_of_all_images_is_no_batch():
    assert FewShotRecipe("r", SGD, epochs=4, batch_size=25).batches(25, {}, 0, range(2)) == (4, None)
    assert FewShotRecipe("r", SGD, epochs=4, batch_size=64).batches(25, {}, 0, range(2)) == (4, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(), "needs either steps or epochs, got None and None"),
        (dict(steps=1, epochs=1), "needs either steps or epochs, got 1 and 1"),
        (dict(steps=0), "steps of recipe 'r' must be a whole number from 1, got 0"),
        (dict(steps=1, batch_size=True), "batch_size"),
        (dict(steps=1, optimizer=dict(type="Sgd", lr=1)), "type of episodes must be one of .*, got 'Sgd'"),
        (dict(steps=1, optimizer=dict(type="lr_scheduler", lr=1)), "one of Adam, AdamW, SGD, which treat every value"),
        (dict(steps=1, optimizer=dict(type="SGD", lr=-1)), "lr of the optimizer of recipe 'r' must be finite numbers"),
        (dict(steps=1, search=dict(lr=[1, float("nan")])), "search of lr"),
        (dict(steps=1, search=dict(lr=[])), "search of lr"),
        (dict(steps=1, search=dict(momentum=[0.9])), "cannot search 'momentum'; allowed: lr, steps, weight_decay"),
        (dict(epochs=1, search=dict(steps=[5])), "cannot search 'steps'"),
        (dict(steps=1, search=dict(steps=[2.5])), "must be whole numbers above 0"),
        (dict(steps=1, search=dict(lr=[0.1, 1.0])), "must try as many penalties as other trials, .* got 1 and 2"),
        (dict(steps=1, penalties=[0]), "penalties of recipe 'r' must be finite numbers above 0"),
        (dict(steps=1, speed=3), "unknown few-shot recipe settings speed; allowed: batch_size"),
    ],
)
def test_impossible_recipes_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        FewShotRecipe.from_config(dict(name="r", optimizer=SGD) | changes)


def test_an_incomplete_recipe_is_refused():
    with pytest.raises(UserError, match="the few-shot recipe is incomplete: .*optimizer"):
        FewShotRecipe.from_config(dict(name="r", steps=1))
