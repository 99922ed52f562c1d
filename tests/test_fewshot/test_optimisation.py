import pytest
import torch

from mmbnft.fewshot.optimisation import Optimisation, check_for_episodes
from mmbnft.recipes.recipe import Recipe
from mmbnft.utils.errors import UserError

SGD = dict(type="SGD", lr=0.1)


def test_trials_are_all_combinations_and_change_the_optimiser():
    recipe = Recipe(
        name="r",
        optimizer=SGD,
        steps=5,
        search=dict(lr=[0.1, 1.0], steps=[5, 10]),
    )
    trials = recipe.trials()
    assert trials == [dict(lr=lr, steps=steps) for lr in (0.1, 1.0) for steps in (5, 10)]
    assert Optimisation.of(recipe, trials[3], 25, 0, range(2)) == Optimisation(dict(type="SGD", lr=1.0), 10, None)


def test_an_epoch_shows_every_image_and_fills_its_last_batch_from_its_beginning():
    recipe = Recipe(name="r", optimizer=SGD, epochs=3, batch_size=4)
    how = Optimisation.of(recipe, {}, 10, seed=1, episodes=range(5))
    batches = how.batches
    assert how.steps == 9
    assert batches.shape == (9, 5, 4)
    assert batches.dtype == torch.int64
    for episode in range(5):
        for epoch in batches[:, episode].reshape(3, 12).tolist():
            assert sorted(epoch[:10]) == list(range(10))
            assert epoch[10:] == epoch[:2]
    assert not torch.equal(batches[:3, 0], batches[3:6, 0])
    assert not torch.equal(batches[:, 0], batches[:, 1])


def test_batches_of_an_episode_do_not_depend_on_its_company():
    recipe = Recipe(name="r", optimizer=SGD, steps=7, batch_size=4)
    together, alone = (Optimisation.of(recipe, {}, 10, 0, episodes).batches for episodes in (range(5), range(3, 4)))
    assert torch.equal(together[:, 3], alone[:, 0])
    assert not torch.equal(Optimisation.of(recipe, {}, 10, 1, range(5)).batches, together)


def test_a_batch_of_all_images_is_no_batch():
    for size in (25, 64, None):
        recipe = Recipe(name="r", optimizer=SGD, epochs=4, batch_size=size)
        assert Optimisation.of(recipe, {}, 25, 0, range(2)) == Optimisation(SGD, 4, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(optimizer=dict(type="Sgd", lr=1)), "type of episodes must be one of .*, got 'Sgd'"),
        (dict(optimizer=dict(type="lr_scheduler", lr=1)), "one of Adam, AdamW, SGD, which treat every value"),
        (dict(search=dict(lr=[0.1, 1.0])), "as many weight_decays of its probe as other trials, .* got 1 and 2"),
        (dict(probe=dict(solver="sklearn", weight_decays=[1.0])), "solver of the probe .* must be 'convex'"),
        (
            dict(lr_config=dict(policy="step"), grad_clip=dict(max_norm=1)),
            "sets grad_clip, lr_config, which episodes do",
        ),
        (dict(normalisation=dict(mean=[0.5] * 3, std=[0.5] * 3)), "sets normalisation, which episodes do not use"),
    ],
)
def test_recipes_that_mean_nothing_for_episodes_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        check_for_episodes(Recipe.from_config(dict(name="r", optimizer=SGD, steps=1) | changes))
