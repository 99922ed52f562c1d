import numpy as np
import pytest

from mmbnft.fewshot.episode_settings import EpisodeSettings
from mmbnft.fewshot.sampling import draw_episodes
from mmbnft.utils.errors import UserError


def draw(labels, **settings):
    names = {c: f"class{c}" for c in range(int(labels.max()) + 1)}
    return draw_episodes(labels, names, EpisodeSettings(**settings))


def balanced(classes, images, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(classes), images))


def assert_valid(episodes, labels, settings):
    assert episodes.classes.shape == (len(episodes), settings.n_way)
    assert episodes.support.shape == (len(episodes), settings.n_way, settings.k_shot)
    assert episodes.queries.shape == (len(episodes), settings.n_way, settings.queries)
    for classes, support, queries in zip(episodes.classes, episodes.support, episodes.queries, strict=True):
        assert len(set(classes.tolist())) == settings.n_way
        for c, *parts in zip(classes, support, queries, strict=True):
            assert all((labels[part] == c).all() for part in parts)
        images = np.concatenate([support.ravel(), queries.ravel()])
        assert len(set(images.tolist())) == len(images)


@pytest.mark.parametrize("disjoint", [False, True])
def test_episodes_have_their_classes_and_no_image_twice(disjoint):
    labels = balanced(12, 40)
    settings = dict(n_way=4, k_shot=3, queries=5, episodes=12, disjoint=disjoint, seed=3)
    drawn = draw(labels, **settings)
    assert_valid(drawn.test, labels, EpisodeSettings(**settings))
    assert drawn.validation is None
    again, other = draw(labels, **settings), draw(labels, **(settings | dict(seed=4)))
    assert np.array_equal(drawn.test.support, again.test.support)
    assert not np.array_equal(drawn.test.support, other.test.support)


def test_fewer_episodes_are_the_first_of_more():
    labels = balanced(8, 30)
    few, many = (draw(labels, n_way=3, k_shot=1, queries=4, episodes=n).test for n in (5, 9))
    assert np.array_equal(few.queries, many.queries[:5])


def test_every_class_and_image_has_the_same_chance():
    labels = balanced(10, 20)
    test = draw(labels, n_way=5, k_shot=1, queries=3, episodes=2000).test
    classes = np.bincount(test.classes.ravel(), minlength=10) / 2000
    assert np.abs(classes - 0.5).max() < 5 * np.sqrt(0.25 / 2000)
    images = np.bincount(test.support.ravel(), minlength=200) / 2000
    assert np.abs(images - 0.025).max() < 5 * np.sqrt(0.025 / 2000)


def test_validation_has_other_classes_where_there_are_enough():
    labels = balanced(20, 25)
    drawn = draw(labels, n_way=5, k_shot=5, queries=15, episodes=200, validation=50)
    assert drawn.apart_by == "classes"
    assert not set(drawn.validation.classes.ravel()) & set(drawn.test.classes.ravel())
    assert len(set(drawn.validation.classes.ravel())) == 5
    assert len(set(drawn.test.classes.ravel())) == 15


def test_validation_has_other_images_where_classes_are_few():
    labels = balanced(19, 60)
    drawn = draw(labels, n_way=5, k_shot=5, queries=15, episodes=200, validation=50)
    assert drawn.apart_by == "images"
    apart = [set(np.concatenate([p.support.ravel(), p.queries.ravel()])) for p in (drawn.validation, drawn.test)]
    assert not apart[0] & apart[1]
    assert len(apart[0]) <= 19 * 20
    assert set(drawn.test.classes.ravel()) == set(range(19))


def test_test_episodes_do_not_depend_on_how_many_are_for_validation():
    labels = balanced(24, 30)
    a, b = (draw(labels, k_shot=1, episodes=5, validation=n) for n in (3, 7))
    assert np.array_equal(a.test.support, b.test.support)
    assert np.array_equal(a.validation.support, b.validation.support[:3])


def test_disjoint_episodes_share_no_image_and_use_up_what_there_is():
    # 4 * (8 // 4) + 1 * (20 // 4) places; 4 episodes of 3 classes use min(2, 4) * 4 + min(5, 4) = 12 of them: no slack.
    labels = np.concatenate([np.repeat(np.arange(4), 8), np.full(20, 4)])
    settings = dict(n_way=3, k_shot=1, queries=3, disjoint=True)
    for seed in range(20):
        test = draw(labels, episodes=4, seed=seed, **settings).test
        images = np.concatenate([test.support.ravel(), test.queries.ravel()])
        assert len(set(images.tolist())) == len(images) == 48
        assert_valid(test, labels, EpisodeSettings(episodes=4, **settings))
    with pytest.raises(UserError, match="only 4 episodes of 3 classes and 4 images each, got 5"):
        draw(labels, episodes=5, **settings)


def test_small_classes_are_refused_by_name_or_excluded():
    labels = np.concatenate([balanced(6, 20), np.full(7, 6)])
    with pytest.raises(UserError, match=r"1 of 7 classes have fewer than the 20 images .*: class6 \(7\); choose fewer"):
        draw(labels, k_shot=5, queries=15)
    drawn = draw(labels, k_shot=5, queries=15, episodes=50, small_classes="exclude")
    assert drawn.excluded == (6,)
    assert 6 not in drawn.test.classes
    with pytest.raises(UserError, match="only 0 of 7 classes have the 35 images .* an episode has 5 classes"):
        draw(labels, k_shot=20, queries=15, small_classes="exclude")
    with pytest.raises(UserError, match="have fewer than the 40 images .* with validation on other images"):
        draw(labels[labels < 6], k_shot=5, queries=15, validation=4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(n_way=1), "n_way of episodes must be a whole number from 2, got 1"),
        (dict(k_shot=0), "k_shot"),
        (dict(queries=2.5), "queries"),
        (dict(episodes=True), "episodes of episodes must be"),
        (dict(pool="mine"), "pool of episodes must be one of all, test, train"),
        (dict(small_classes="drop"), "exclude, refuse, got 'drop'"),
        (dict(disjoint="no"), "disjoint of episodes must be true or false"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(UserError, match=words):
        EpisodeSettings(**settings)


def test_an_unknown_setting_is_refused():
    with pytest.raises(UserError, match="unknown settings of episodes shots; allowed: disjoint"):
        EpisodeSettings.from_config(dict(shots=3))
