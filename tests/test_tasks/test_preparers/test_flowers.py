import io

import numpy as np
import pytest
from preparer_case import PreparerCase, picture, tar
from scipy.io import savemat

from mmbnft.tasks.preparers.flowers import Flowers
from mmbnft.utils.errors import UserError


def mat(**variables):
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


class TestFlowers(PreparerCase):
    preparer = Flowers
    official = (102, "mean_per_class", {"official": (1020, 1020, 6149)})
    classes = ("1", "2", "3")
    counts = {"official": (3, 3, 6)}  # test is the larger part
    labels = {
        "jpg/image_00001.jpg": 2,
        "jpg/image_00002.jpg": 0,
        "jpg/image_00012.jpg": 1,
    }  # labels are shifted, names not

    def build(self, folder):
        labels = np.array([[3, 1, 2] * 3 + [3, 1, 2]], dtype=np.uint8)
        (folder / "imagelabels.mat").write_bytes(mat(labels=labels))
        sets = {"trnid": [[1, 2, 3]], "valid": [[6, 5, 4]], "tstid": [[7, 8, 9, 10, 11, 12]]}
        (folder / "setid.mat").write_bytes(mat(**sets))
        pictures = tar(folder / "102flowers.tgz", {f"jpg/image_{i:05d}.jpg": picture(i) for i in range(1, 13)})
        return [pictures, folder / "imagelabels.mat", folder / "setid.mat"]

    def test_image_without_a_label(self, tmp_path, archives):
        archives[2].write_bytes(mat(trnid=[[1, 2, 13]], valid=[[4]], tstid=[[5]]))
        with pytest.raises(UserError, match=r"setid.mat: trnid names image 13; there are labels for 1 to 12"):
            self.prepare(tmp_path, archives)

    def test_damaged_mat_file(self, tmp_path, archives):
        archives[1].write_bytes(archives[1].read_bytes()[:100])
        with pytest.raises(UserError, match=r"imagelabels.mat is not a readable MATLAB file"):
            self.prepare(tmp_path, archives)
