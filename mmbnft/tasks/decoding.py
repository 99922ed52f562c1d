"""From an image file to RGB pixels, right before fast."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mmbnft.errors import UserError


def decode_rgb(path: Path | str, where: str = "") -> np.ndarray:
    """Decode an image file of any kind PIL reads to RGB, its EXIF rotation applied.

    Palette, grey, CMYK and 16-bit images are converted; transparent pixels show a white ground; of an animation the
    first frame counts. The content decides, not the suffix.

    Args:
        path: The image file.
        where: What to name in an error besides the file, e.g. `list.txt:17`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        UserError: The file is missing, truncated or no image.
    """
    origin = f" (listed at {where})" if where else ""
    try:
        with Image.open(path) as image:
            return np.asarray(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except FileNotFoundError as error:
        raise UserError(f"image {path}{origin} does not exist; prepare the task again or correct the list") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"image {path}{origin} cannot be decoded ({error}); replace the file") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # PIL clips 16-bit greys at 255 instead of scaling them.
        values = np.asarray(image, dtype=np.int64)
        scale = 257 if values.max(initial=0) > 255 else 1
        return Image.fromarray((values // scale).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")
