import json

import numpy as np
import pytest

from mmbnft.fewshot import EpisodeSettings, open_manifest, read_manifest
from mmbnft.tasks import ArrayImages, Task, build_task
from mmbnft.utils.errors import UserError

SETTINGS = EpisodeSettings(n_way=3, k_shot=2, queries=3, episodes=6, validation=2)


@pytest.fixture
def path(tmp_path, shapes):
    open_manifest(tmp_path / "shapes.jsonl", shapes, SETTINGS)
    return tmp_path / "shapes.jsonl"


def test_a_manifest_is_written_once_and_read_back(path, shapes, tmp_path):
    before = path.read_bytes()
    first, second = (open_manifest(path, shapes, SETTINGS) for _ in range(2))
    assert path.read_bytes() == before
    drawn = open_manifest(tmp_path / "again.jsonl", shapes, SETTINGS)
    assert (tmp_path / "again.jsonl").read_bytes() == before
    assert first.sha256 == second.sha256 == drawn.sha256
    assert first.settings == SETTINGS
    for part in ("validation", "test"):
        for field in ("classes", "support", "queries"):
            values = getattr(first.parts[part], field)
            assert np.array_equal(values, getattr(drawn.parts[part], field))
            assert values.dtype == np.int64
    assert (first.draw.apart_by, first.draw.excluded) == ("images", ())


def test_it_names_every_image_with_its_class_in_lines_of_their_own(path, shapes):
    head, *lines = map(json.loads, path.read_text().splitlines())
    images = {line["image"]: line for line in lines if "image" in line}
    pool = shapes.images("all")
    assert head["classes"] == list(shapes.classes)
    assert all(line["class"] == pool.labels[number] for number, line in images.items())
    assert all(line["name"] == pool.name(number) for number, line in images.items())
    episodes = [line for line in lines if "episode" in line]
    assert len(episodes) == 8
    used = {number for line in episodes for rows in (line["support"], line["queries"]) for r in rows for number in r}
    assert used == set(images)


def test_the_pool_decides_which_images_there_are(tmp_path, shapes):
    settings = EpisodeSettings(n_way=3, k_shot=1, queries=2, episodes=40, pool="test")
    manifest = open_manifest(tmp_path / "test.jsonl", shapes, settings)
    assert manifest.images().max() < len(shapes.images("test"))
    labels = shapes.images("test").labels
    assert (labels[manifest.draw.test.support] == manifest.draw.test.classes[..., None]).all()


def test_a_manifest_of_other_images_is_refused(path):
    other = build_task(dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45), split=1)
    with pytest.raises(UserError, match=r"drawn from other images \(task 'shapes', split 0, .* than task 'shapes'"):
        read_manifest(path, other)


def test_other_settings_are_refused_with_the_difference(path, shapes):
    with pytest.raises(UserError, match="have k_shot 2 instead of 1, seed 0 instead of 5; use another file"):
        open_manifest(path, shapes, EpisodeSettings(**(vars(SETTINGS) | dict(k_shot=1, seed=5))))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"class":3', '"class":4', 1),
        lambda text: "",
        lambda text: "nonsense\n" + text,
        lambda text: text.replace('"schema":1', '"schema":2'),
        lambda text: "[]\n",
        lambda text: "\n".join(line for line in text.splitlines() if '"test"' not in line),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_sentence(damage, path, shapes):
    path.write_text(damage(path.read_text()))
    with pytest.raises(
        UserError, match="is not a whole file of episodes .*; restore it, or delete it to draw new ones"
    ):
        open_manifest(path, shapes, SETTINGS)


def test_a_failed_draw_leaves_no_file(tmp_path, shapes):
    with pytest.raises(UserError, match="classes have fewer than"):
        open_manifest(tmp_path / "none.jsonl", shapes, EpisodeSettings(k_shot=100))
    assert not list(tmp_path.iterdir())


def test_several_classes_an_image_make_no_episodes(tmp_path):
    hot = np.eye(3, dtype=np.uint8).repeat(4, axis=0)
    images = {split: ArrayImages(np.zeros((12, 4, 4, 3), np.uint8), hot) for split in ("train", "val", "test")}
    task = Task("many", ("a", "b", "c"), "map11", images, multi_label=True)
    with pytest.raises(UserError, match="task many has several classes per image"):
        open_manifest(tmp_path / "m.jsonl", task, EpisodeSettings(n_way=2, k_shot=1, queries=1))
