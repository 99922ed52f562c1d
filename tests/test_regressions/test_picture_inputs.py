"""Pictures that are odd are decoded right or refused by name; damaged ones are listed, all of them."""

import numpy as np
import pytest
from own_images import make_classes, prepare
from PIL import Image

from mmbnft.utils.errors import UserError

PIXELS = np.random.RandomState(99999).randint(0, 256, (12, 10, 3), dtype=np.uint8)
FOUR_BANDS = np.dstack([PIXELS, np.random.RandomState(8).randint(1, 255, (12, 10), dtype=np.uint8)])


def damage(images):
    """A truncated JPEG, a text called PNG, floating-point pixels, and a fourth band that is no transparency."""
    Image.fromarray(PIXELS).save(images / "ant" / "half.jpg", quality=95)
    whole = (images / "ant" / "half.jpg").read_bytes()
    (images / "ant" / "half.jpg").write_bytes(whole[:-40])
    (images / "bee" / "page.png").write_text("<html>not found</html>")
    Image.fromarray(PIXELS[..., 0].astype(np.float32)).save(images / "cat" / "float.tif")
    Image.fromarray(FOUR_BANDS, "RGBA").save(images / "cat" / "infrared.tif")


REASONS = {
    "ant/half.jpg": "cannot be decoded (image file is truncated",
    "bee/page.png": "cannot be decoded (it is of no known image format)",
    "cat/float.tif": "cannot be decoded (floating-point pixels have no fixed range",
    "cat/infrared.tif": "cannot be decoded (its last band takes all values, so it may be another channel",
}


def test_all_damaged_pictures_are_in_the_refusal(tmp_path):
    make_classes(tmp_path / "photos")
    damage(tmp_path / "photos")
    with pytest.raises(
        UserError, match="4 of 19 images are missing or damaged: .* leave them out with --skip-damaged"
    ) as error:
        prepare(tmp_path / "photos")
    for name, reason in REASONS.items():
        assert f"{name} {reason}" in str(error.value)


def test_they_are_left_out_and_listed_where_asked_for(tmp_path):
    make_classes(tmp_path / "photos")
    damage(tmp_path / "photos")
    task, remarks, lists = prepare(tmp_path / "photos", skip_damaged=True)
    assert (task.classes, sum(map(len, lists.values()))) == (("ant", "bee", "cat"), 15)
    for name, reason in REASONS.items():
        assert any(remark.startswith(f"left out, damaged: {name} {reason}") for remark in remarks)


def test_a_class_of_damaged_pictures_only_goes_too(tmp_path):
    make_classes(tmp_path / "photos")
    (tmp_path / "photos" / "dog").mkdir()
    (tmp_path / "photos" / "dog" / "0.png").write_bytes(b"")
    task, remarks, _ = prepare(tmp_path / "photos", skip_damaged=True)
    assert task.classes == ("ant", "bee", "cat")
    assert "left out, classes whose images are all damaged: 1 (dog)" in remarks


@pytest.mark.parametrize(
    ("name", "form", "mode"),
    [
        ("a.gif", "GIF", "P"),
        ("a.bmp", "BMP", "RGB"),
        ("a.webp", "WEBP", "RGB"),
        ("a.jfif", "JPEG", "RGB"),
        ("A.PNG", "PNG", "RGB"),
        ("a.tif", "TIFF", "RGB"),
        ("b.tiff", "TIFF", "RGBA"),
        ("a.jpg", "PNG", "L"),  # the content decides
    ],
)
def test_every_common_format_is_found_and_decoded(tmp_path, name, form, mode):
    make_classes(tmp_path / "photos")
    picture = Image.fromarray(PIXELS).convert(mode)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(form, {})
    picture.save(tmp_path / "photos" / "ant" / name, form, **options)
    task, _, lists = prepare(tmp_path / "photos")
    part = next(part for part, names in lists.items() if f"ant/{name}" in names)
    pixels = task.images(part).pixels(lists[part].index(f"ant/{name}"))
    expected = np.asarray(picture.convert("RGB"), dtype=int)
    assert np.abs(pixels - expected).mean() < (2 if form == "JPEG" else 0.01)
