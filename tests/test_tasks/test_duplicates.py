import io

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import ArrayImages
from mmbnft.tasks.annotation import write_list
from mmbnft.tasks.duplicates import BITS, check_leakage, find_duplicates, fingerprint
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json, write_json


def scene(seed, size=48):
    """A smooth random picture: pure noise has no low frequencies to speak of."""
    coarse = np.random.RandomState(seed).randint(0, 256, (9, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def jpeg(pixels, quality=60):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def stack(*pictures):
    return ArrayImages(np.stack(pictures), np.zeros(len(pictures), dtype=np.int64))


COPIES = {
    "recompressed": jpeg(scene(0)),
    "smaller and larger again": np.asarray(Image.fromarray(scene(0)).resize((24, 24)).resize((48, 48))),
    "grey": np.asarray(Image.fromarray(scene(0)).convert("L").convert("RGB")),
    "brighter": np.clip(scene(0).astype(int) + 20, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_near_and_the_others_are_not(kind):
    train = stack(*(scene(seed) for seed in range(40)))
    test = stack(scene(100), COPIES[kind], scene(101))
    [pair] = find_duplicates({"train": train, "test": test})
    assert (pair.splits, pair.names) == (("train", "test"), ("image 0", "image 1"))
    assert not pair.is_exact
    assert 0 <= pair.distance <= 25


def test_equal_pixels_are_exact_and_reported_once():
    pairs = find_duplicates({"train": stack(scene(1), scene(2)), "val": stack(scene(3)), "test": stack(scene(2))})
    assert [(pair.splits, pair.names, pair.is_exact) for pair in pairs] == [
        (("train", "test"), ("image 1", "image 0"), True)
    ]


def test_duplicates_within_a_split_are_no_leakage():
    assert find_duplicates({"train": stack(scene(1), scene(1)), "test": stack(scene(2), scene(2))}) == []


def test_flat_images_are_only_compared_exactly():
    """Without structure every hash bit is noise, which would make all blank pictures alike."""
    blank, other = np.full((48, 48, 3), 250, np.uint8), np.full((48, 48, 3), 240, np.uint8)
    assert find_duplicates({"train": stack(blank), "test": stack(other)}) == []
    assert len(find_duplicates({"train": stack(blank), "test": stack(blank)})) == 1


def test_distance_counts_differing_bits(monkeypatch):
    monkeypatch.setattr("mmbnft.tasks.duplicates.BLOCK", 2)  # several blocks along both axes
    train, test = [scene(seed) for seed in range(5)], [scene(seed) for seed in range(10, 13)]
    found = find_duplicates({"train": stack(*train), "test": stack(*test)}, threshold=BITS)
    distances = {(int(p.names[0][6:]), int(p.names[1][6:])): p.distance for p in found}
    assert distances == {
        (i, k): int(np.sum(fingerprint(a).signs != fingerprint(b).signs))
        for i, a in enumerate(train)
        for k, b in enumerate(test)
    }


def test_threshold_is_inclusive():
    one, other = scene(0), jpeg(scene(0), quality=20)
    distance = int(np.sum(fingerprint(one).signs != fingerprint(other).signs))
    assert distance > 0
    assert len(find_duplicates({"train": stack(one), "test": stack(other)}, threshold=distance)) == 1
    assert find_duplicates({"train": stack(one), "test": stack(other)}, threshold=distance - 1) == []


@pytest.mark.parametrize("threshold", [-1, BITS + 1])
def test_threshold_out_of_range(threshold):
    with pytest.raises(UserError, match=f"must be 0 to {BITS} bits, got {threshold}"):
        find_duplicates({"train": stack(scene(0)), "test": stack(scene(1))}, threshold)


def test_outcome_is_stored_with_the_hashes_of_the_lists(tmp_path):
    names = [f"{seed}.png" for seed in range(6)]
    (tmp_path / "images").mkdir()
    for seed, name in enumerate(names):
        Image.fromarray(scene(seed % 5)).save(tmp_path / "images" / name)  # 5.png is 0.png again
    labels = np.array([0, 1])
    for split in (0, 1):
        for part, start in (("train", 0), ("val", 2), ("test", 4)):
            chosen = names[start : start + 2] if split == 0 else names[4 - start : 6 - start]
            write_list(tmp_path / "lists" / str(split) / f"{part}.txt", chosen, labels)
    write_json(tmp_path / "task.json", {"name": "toy", "classes": ["a", "b"], "metric": "top1"})
    outcome = check_leakage(tmp_path)
    stored = read_json(tmp_path / "task.json")
    assert stored["name"] == "toy"
    assert stored["leakage"]["splits"].keys() == outcome.keys() == {"0", "1"}
    assert [(found["exact"], found["near"]) for found in outcome.values()] == [(1, 0), (1, 0)]
    assert outcome["0"]["pairs"][0]["names"] == ("0.png", "5.png")
    assert outcome["0"]["lists"] != outcome["1"]["lists"]


def test_folder_that_is_not_prepared(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        check_leakage(tmp_path)
