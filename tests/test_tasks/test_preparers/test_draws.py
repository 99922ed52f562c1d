import numpy as np
import pytest

from mmbnft.tasks.preparers.base import Entry
from mmbnft.tasks.preparers.draws import hold_out, stratified, with_grouped_validation, with_validation
from mmbnft.utils.errors import UserError


def published_rule(count):
    """The rule as it is published: the global legacy generator, a list shuffled in place, the first fifth held out."""
    np.random.seed(0)
    indices = list(range(count))
    np.random.shuffle(indices)
    size = int(np.floor(0.2 * count))
    return set(indices[size:]), set(indices[:size])


@pytest.mark.parametrize(
    ("count", "train", "val"),
    [(2416, 1933, 483), (8144, 6516, 1628), (3680, 2944, 736), (19850, 15880, 3970), (4, 4, 0)],
)
def test_hold_out_is_the_published_rule(count, train, val):
    kept, held = hold_out(count)
    assert (len(kept), len(held)) == (train, val)
    assert (set(kept), set(held)) == published_rule(count)
    assert kept == sorted(kept)


def test_hold_out_by_hand():
    """RandomState(0) shuffles 0..9 to 2 8 4 9 1 6 7 3 0 5 (NumPy's legacy stream is frozen)."""
    assert hold_out(10) == ([0, 1, 3, 4, 5, 6, 7, 9], [2, 8])


def test_lists_keep_their_order():
    entries = [Entry(str(i), i % 2) for i in range(10)]
    lists = with_validation(entries, entries[:1])
    assert [entry.name for entry in lists.val] == ["2", "8"]
    assert [entry.name for entry in lists.train] == ["0", "1", "3", "4", "5", "6", "7", "9"]


def test_groups_are_held_out_whole():
    entries = [Entry(str(i), 0) for i in range(30)]
    lists = with_grouped_validation(entries, [f"patient {i // 3}" for i in range(30)], [])
    assert [int(entry.name) for entry in lists.val] == [6, 7, 8, 24, 25, 26]  # patients 2 and 8 of 0 to 9


def test_stratified_gives_every_class_alike():
    labels = [0] * 10 + [1] * 25 + [2] * 3
    parts = stratified(labels)
    counts = [np.bincount(np.array(labels)[part], minlength=3).tolist() for part in parts]
    assert counts == [[6, 15, 1], [2, 5, 1], [2, 5, 1]]
    assert sorted(i for part in parts for i in part) == list(range(38))


def test_stratified_depends_on_the_seed_alone():
    labels = [0, 1] * 20
    assert stratified(labels) == stratified(labels)
    assert stratified(labels) != stratified(labels, seed=1)


def test_stratified_needs_three_of_each():
    with pytest.raises(UserError, match="class 1 has 2 images; a split needs at least 3"):
        stratified([0, 0, 0, 1, 1])


def test_stratified_keeps_groups_together():
    random = np.random.RandomState(3)
    groups = [f"g{g}" for g in random.randint(0, 30, 300)]
    labels = random.randint(0, 3, 300).tolist()
    parts = stratified(labels, groups)
    seen = [{groups[i] for i in part} for part in parts]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert sorted(i for part in parts for i in part) == list(range(300))
    assert 0.5 < len(parts[0]) / 300 < 0.7


def test_too_few_groups():
    with pytest.raises(UserError, match="needs at least 5 groups, got 2"):
        stratified([0, 1] * 5, ["a", "b"] * 5)
