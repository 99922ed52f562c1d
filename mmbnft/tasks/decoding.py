"""From an image file to RGB pixels, right before fast."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError, features

from mmbnft.utils.errors import UserError

DECODING_VERSION = 2  # raise it when a change here gives other pixels, so that kept ones count as stale
EDGES = 0.1  # of the pixels of a picture, at most, that transparency shows in part
ORIENTATION = 274  # number of the EXIF tag
# How a stored picture has to be turned for each value of the tag. PIL's own function also writes the other tags anew,
# which can fail on odd ones and leave the picture unturned.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decoding_versions() -> dict[str, Any]:
    """What decides, beside the bytes of a file, which pixels they become: this code and the libraries it calls."""
    codecs = {name: features.version(name) for name in ("jpg", "webp")}
    return {"decoding": DECODING_VERSION, "PIL": PIL.__version__, **codecs}


def decode_rgb(path: Path | str, where: str = "") -> np.ndarray:
    """Decode an image file of any kind PIL reads to RGB, its EXIF rotation applied.

    Palette, grey and CMYK images are converted, 16-bit values scaled to 8; transparent pixels show a white ground; of
    an animation the first frame counts. The content decides, not the suffix. Colour profiles are not applied, as in the
    loaders that published numbers come from.

    Args:
        path: The image file.
        where: What to name in an error besides the file, e.g. `list.txt:17`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        UserError: The file is missing, truncated or no image, or its values have no fixed range.
    """
    origin = f" (listed at {where})" if where else ""
    try:
        # A stream, not a path: PIL maps uncompressed files it opens by path, and scrambles such a TIFF if it is turned.
        with Path(path).open("rb") as stream, Image.open(stream) as image:
            image.load()
            turn = _turn(image)  # after loading, which turns a TIFF and removes its tag
            rgb = _to_rgb(image)
            return np.asarray(rgb if turn is None else rgb.transpose(turn), dtype=np.uint8)
    except FileNotFoundError as error:
        raise UserError(f"image {path}{origin} does not exist; prepare the task again or correct the list") from error
    except UnidentifiedImageError as error:
        error.args = ("it is of no known image format",)
        raise UserError(f"image {path}{origin} cannot be decoded ({error}); replace the file") from error
    except Exception as error:  # PIL's readers raise whatever a damaged file makes them stumble over
        raise UserError(f"image {path}{origin} cannot be decoded ({error}); replace the file") from error


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the pixels are fine and only the note beside them is damaged: what viewers ignore, too
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed range, so convert them to 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_integers(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if image.format == "TIFF":
            _check_transparency(rgba)
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _check_transparency(image: Image.Image) -> None:
    """Refuse a TIFF whose last band may be no transparency: near infrared is kept there, with the same tag.

    Transparency hides a pixel or shows it, but for the edges between.
    """
    alpha = np.asarray(image)[..., 3]
    if np.mean((alpha > 0) & (alpha < 255)) > EDGES:
        raise ValueError(
            "its last band takes all values, so it may be another channel and not transparency; keep the three bands "
            "of the picture, or save it as PNG if it is transparency"
        )


def _from_integers(image: Image.Image) -> Image.Image:
    """Grey values of 16 bits as 8; PIL's own conversion clips them at 255, so nearly all would be white."""
    values = np.asarray(image).astype(np.int64)
    # Mode I has 32 bits and is what some versions of PIL give for a 16-bit PNG, others for 8-bit values in a TIFF.
    sixteen = image.mode.startswith("I;16") or image.format == "PNG" or values.max(initial=0) > 255
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise ValueError("32-bit pixels have no fixed range, so convert them to 8 or 16 bits")
    # 65535 / 255 = 257 exactly; halves are rounded up.
    return Image.fromarray(((values + 128) // 257 if sixteen else values).astype(np.uint8))
