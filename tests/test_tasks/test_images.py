import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks.annotation import read_list
from mmbnft.tasks.images import ArrayImages, JoinedImages, ListedImages
from mmbnft.utils.errors import UserError


def pictures(count, start=0):
    return np.stack([np.full((4, 4, 3), start + i, dtype=np.uint8) for i in range(count)])


def test_array_identity_depends_on_pixels_and_labels():
    one = ArrayImages(pictures(3), np.array([0, 1, 2]))
    assert one.identity == ArrayImages(pictures(3), np.array([0, 1, 2])).identity
    assert one.identity != ArrayImages(pictures(3), np.array([0, 1, 1])).identity
    assert one.identity != ArrayImages(pictures(3, start=1), np.array([0, 1, 2])).identity


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (pictures(2).astype(np.float32), np.zeros(2, int), "must be uint8 of shape"),
        (pictures(2)[..., 0], np.zeros(2, int), "must be uint8 of shape"),
        (pictures(2), np.zeros(3, int), "2 images and 3 labels"),
    ],
)
def test_wrong_arrays_are_refused(images, labels, message):
    with pytest.raises(UserError, match=message):
        ArrayImages(images, labels)


@pytest.fixture
def listed(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b c.png"):
        Image.fromarray(pictures(1, start=7)[0]).save(tmp_path / "images" / name)
    (tmp_path / "train.txt").write_text("a.png 0\nb c.png 1\n")
    return tmp_path


def test_listed_images_are_decoded(listed):
    images = ListedImages(read_list(listed / "train.txt", 2), listed / "images")
    assert len(images) == 2
    assert images.name(1) == "b c.png"
    assert (images.pixels(1) == 7).all()


def test_missing_file_is_named_with_its_line_at_once(listed):
    (listed / "images" / "b c.png").unlink()
    with pytest.raises(UserError, match=r"train\.txt:2: image .*b c\.png does not exist"):
        ListedImages(read_list(listed / "train.txt", 2), listed / "images")


def test_corrupt_file_is_named_with_its_line(listed):
    whole = (listed / "images" / "a.png").read_bytes()
    (listed / "images" / "a.png").write_bytes(whole[: len(whole) // 2])
    images = ListedImages(read_list(listed / "train.txt", 2), listed / "images")
    with pytest.raises(UserError, match=r"a\.png \(listed at .*train\.txt:1\) cannot be decoded"):
        images.pixels(0)


def test_joined_images_keep_order():
    joined = JoinedImages(
        [ArrayImages(pictures(2), np.array([0, 1])), ArrayImages(pictures(3, 10), np.array([2, 3, 4]))]
    )
    assert joined.labels.tolist() == [0, 1, 2, 3, 4]
    assert [int(joined.pixels(i)[0, 0, 0]) for i in range(5)] == [0, 1, 10, 11, 12]
    assert joined.name(3) == "image 1"
