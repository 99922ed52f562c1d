import pytest
from pretraining_samples import draw

from mmbnft.pretraining.photographs import ImageSet, pixels_sha256


@pytest.fixture(scope="session")
def pictures() -> ImageSet:
    images = draw(64)
    return ImageSet(images, "64 drawn pictures", pixels_sha256(images))
