import io

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks.decoding import decode_rgb
from mmbnft.utils.errors import UserError

# Two rows of three pixels, every one another colour.
COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [10, 20, 30], [200, 100, 50]]], dtype=np.uint8
)


def save(path, image, form="PNG", **options):
    """Save under any name: the content follows `form`, not the suffix."""
    image.save(path, form, **options)
    return path


def test_rgb_order(tmp_path):
    pixels = decode_rgb(save(tmp_path / "a.png", Image.fromarray(COLOURS)))
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == COLOURS.tolist()


@pytest.mark.parametrize("form", ["BMP", "PNG", "TIFF", "WEBP"])
def test_content_counts_not_the_suffix(tmp_path, form):
    options = {"lossless": True} if form == "WEBP" else {}
    path = save(tmp_path / "a.jpg", Image.fromarray(COLOURS), form, **options)
    assert decode_rgb(path).tolist() == COLOURS.tolist()


def test_gif_named_jpg_shows_its_first_frame(tmp_path):
    first, second = Image.new("P", (2, 1), 0), Image.new("P", (2, 1), 1)
    for frame in (first, second):
        frame.putpalette([250, 128, 6, 1, 2, 3])
    first.save(tmp_path / "a.jpg", "GIF", save_all=True, append_images=[second])
    assert decode_rgb(tmp_path / "a.jpg").tolist() == [[[250, 128, 6]] * 2]


# What a viewer shows of the picture [[1, 2, 3], [4, 5, 6]] under each EXIF orientation (TIFF 6.0, tag 274).
ORIENTATIONS = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


SIX = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8) * 40
KINDS = {
    "grey": Image.fromarray(SIX),
    "16 bits": Image.fromarray(SIX.astype(np.uint16) * 257),
    "opaque": Image.fromarray(np.stack([SIX, SIX, SIX, np.full_like(SIX, 255)], axis=-1)),
    "palette": Image.fromarray(SIX).convert("P"),
}


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation(tmp_path, orientation, kind, form):
    exif = Image.Exif()
    exif[274] = orientation
    path = save(tmp_path / "a.png", KINDS[kind], form, exif=exif)
    assert (decode_rgb(path)[..., 0] // 40).tolist() == ORIENTATIONS[orientation]


def test_exif_orientation_of_a_jpeg(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turn clockwise: the left half comes to the top
    halves = np.zeros((16, 32, 3), dtype=np.uint8)
    halves[:, :16, 0] = 255
    pixels = decode_rgb(save(tmp_path / "a.jpg", Image.fromarray(halves), "JPEG", exif=exif, quality=95))
    assert pixels.shape == (32, 16, 3)
    assert pixels[4, 8, 0] > 240
    assert pixels[28, 8, 0] < 15


@pytest.mark.parametrize("note", [b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken", b"Exif\x00\x00no TIFF header"])
def test_damaged_exif_is_ignored(tmp_path, note):
    path = save(tmp_path / "a.png", Image.fromarray(COLOURS), exif=note)
    assert decode_rgb(path).tolist() == COLOURS.tolist()


def test_palette(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
    image.putpalette([9, 8, 7, 100, 150, 200, 255, 0, 1])
    assert decode_rgb(save(tmp_path / "a.png", image)).tolist() == [[[9, 8, 7], [100, 150, 200], [255, 0, 1]]]


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    image.putpalette([9, 8, 7, 100, 150, 200])
    path = save(tmp_path / "a.png", image, transparency=1)
    assert decode_rgb(path).tolist() == [[[9, 8, 7], [255, 255, 255]]]


def test_grey(tmp_path):
    grey = np.array([[0, 7, 255]], dtype=np.uint8)
    assert decode_rgb(save(tmp_path / "a.png", Image.fromarray(grey))).tolist() == [[[0] * 3, [7] * 3, [255] * 3]]


def test_black_and_white(tmp_path):
    image = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert decode_rgb(save(tmp_path / "a.png", image)).tolist() == [[[0] * 3, [255] * 3]]


def test_transparency_shows_white(tmp_path):
    """Over white, a colour c of opacity a gives c * a + 255 * (1 - a)."""
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], dtype=np.uint8)  # 51 / 255 = 0.2
    expected = [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]]
    assert decode_rgb(save(tmp_path / "a.png", Image.fromarray(rgba))).tolist() == expected


def test_grey_with_transparency(tmp_path):
    image = Image.fromarray(np.array([[[50, 255], [50, 0]]], dtype=np.uint8), "LA")
    assert decode_rgb(save(tmp_path / "a.png", image)).tolist() == [[[50] * 3, [255] * 3]]


def test_sixteen_bit_grey(tmp_path):
    """257 = 65535 / 255, so 257 * v is v; 1000 / 257 = 3.89 rounds to 4."""
    values = np.array([[0, 257 * 100, 65535, 1000]], dtype=np.uint16)
    assert decode_rgb(save(tmp_path / "a.png", Image.fromarray(values)))[0, :, 0].tolist() == [0, 100, 255, 4]


def test_dark_sixteen_bit_grey_stays_dark(tmp_path):
    """The scale follows the depth of the file, not the brightest pixel: pictures of a set stay comparable."""
    values = np.array([[0, 200, 255]], dtype=np.uint16)
    for form in ("PNG", "TIFF"):
        path = save(tmp_path / "a.png", Image.fromarray(values), form)
        assert decode_rgb(path)[0, :, 0].tolist() == [0, 1, 1]


def test_sixteen_bit_tiff(tmp_path):
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    path = save(tmp_path / "a.tif", Image.fromarray(values), "TIFF")
    assert decode_rgb(path)[0, :, 2].tolist() == [0, 100, 255]


def test_integers_without_a_range(tmp_path):
    path = save(tmp_path / "a.tif", Image.fromarray(np.array([[0, 70000]], dtype=np.int32)), "TIFF")
    with pytest.raises(UserError, match="32-bit pixels have no fixed range"):
        decode_rgb(path)


def test_floating_point_pixels(tmp_path):
    path = save(tmp_path / "a.tif", Image.fromarray(np.array([[0.5]], dtype=np.float32)), "TIFF")
    with pytest.raises(UserError, match="floating-point pixels have no fixed range"):
        decode_rgb(path)


@pytest.mark.parametrize(
    ("ink", "expected"),
    [
        ((0, 0, 0, 0), 3 * [255]),
        ((0, 0, 0, 255), 3 * [0]),
        ((255, 0, 0, 0), [0, 255, 255]),
        ((0, 0, 255, 0), [255, 255, 0]),
    ],
)
def test_cmyk(tmp_path, ink, expected):
    """Adobe's JPEG writes inks inverted; without undoing that, white becomes black."""
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), ink), "JPEG", quality=100)
    assert np.abs(decode_rgb(path)[4, 4].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_truncated(tmp_path, form):
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, form)
    (tmp_path / "half.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    with pytest.raises(UserError, match=r"half.jpg \(listed at train.txt:17\) cannot be decoded .*; replace the file"):
        decode_rgb(tmp_path / "half.jpg", "train.txt:17")


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_no_image(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"a.jpg cannot be decoded"):
        decode_rgb(tmp_path / "a.jpg")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"a.jpg \(listed at test.txt:3\) does not exist"):
        decode_rgb(tmp_path / "a.jpg", "test.txt:3")


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(UserError, match="cannot be decoded"):
        decode_rgb(tmp_path)
