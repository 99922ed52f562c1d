import numpy as np
import pytest
from PIL import Image

from mmbnft.pretraining.photographs import pixels_sha256, read_images
from mmbnft.utils.errors import UserError


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def archive(tmp_path):
    """A Caltech-101 folder in small: two classes, the three that are left out, a grey and a landscape picture."""
    root = tmp_path / "101_ObjectCategories"
    wide = np.zeros((64, 128, 3), dtype=np.uint8)
    wide[:, 32:96] = 200  # the centre square is bright, what is cropped away is dark
    save(root / "ant" / "image_0001.png", wide)
    save(root / "ant" / "image_0002.png", np.full((70, 70), 50, dtype=np.uint8))
    save(root / "bass" / "image_0001.png", np.full((30, 40, 3), 90, dtype=np.uint8))
    for name in ("BACKGROUND_Google", "Faces", "Faces_easy"):
        save(root / name / "image_0001.png", np.zeros((64, 64, 3), dtype=np.uint8))
    (root / "ant" / "notes.txt").write_text("not a picture")
    return root


def test_the_folder_is_decoded_in_order_without_the_classes_left_out(archive):
    data = read_images(archive, 64)
    assert data.images.shape == (3, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert [image.mean() for image in data.images] == [200, 50, 90]
    assert "2 class folders" in data.description
    assert str(archive) not in data.description


def test_the_folder_above_is_accepted_too(archive):
    assert read_images(archive.parent, 64).sha256 == read_images(archive, 64).sha256


def test_shrinking_averages_areas(tmp_path):
    checks = np.indices((128, 128)).sum(axis=0) % 2 * 255
    save(tmp_path / "a" / "x.png", np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8))
    values = read_images(tmp_path, 64).images
    assert values.min() >= 127
    assert values.max() <= 128


def test_pictures_are_brought_to_the_side_that_is_asked_for(archive):
    data = read_images(archive, 20)
    assert data.images.shape == (3, 20, 20, 3)
    assert data.description.endswith("area-resized to 20 x 20")


def test_an_array_file_has_the_hash_of_its_pixels(tmp_path, pictures):
    np.savez(tmp_path / "a.npz", images=pictures.images)
    np.savez_compressed(tmp_path / "b.npz", images=pictures.images, labels=np.zeros(64))
    first, second = read_images(tmp_path / "a.npz", 64), read_images(tmp_path / "b.npz", 64)
    assert first.sha256 == second.sha256 == pixels_sha256(pictures.images)
    assert first.describe()["images"] == 64
    assert first.sha256 != pixels_sha256(pictures.images[::-1])


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        read_images(tmp_path / "nothing", 64)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="no pictures"):
        read_images(tmp_path, 64)


def test_a_corrupt_picture_is_named(archive):
    path = archive / "bass" / "image_0002.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(UserError, match=r"image_0002\.jpg is not a readable picture"):
        read_images(archive, 64)


def test_a_truncated_picture_is_named(archive):
    path = archive / "ant" / "image_0001.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="not a readable picture"):
        read_images(archive, 64)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not a zip", "not an .npz"), (b"", "not an .npz"), (b"PK\x03\x04 cut", "not an .npz")],
)
def test_a_damaged_array_file_is_refused(content, words, tmp_path):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_images(tmp_path / "bad.npz", 64)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pictures": np.zeros(3)}, "lacks the array images"),
        ({"images": np.zeros((2, 64, 64, 3))}, "uint8"),
        ({"images": np.zeros((2, 64, 64), dtype=np.uint8)}, "shape"),
        ({"images": np.zeros((0, 64, 64, 3), dtype=np.uint8)}, "shape"),
        ({"images": np.array([{}], dtype=object)}, "plain arrays"),
    ],
)
def test_wrong_arrays_are_refused(arrays, words, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=words):
        read_images(tmp_path / "a.npz", 64)
