import numpy as np
import pytest

from mmbnft.tasks.annotation import read_list, write_list
from mmbnft.utils.errors import UserError


def test_names_with_spaces_are_cut_at_the_last_one(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("Tomato___Spider_mites Two-spotted/a 1.JPG 3\n\nplain.jpg 0\r\n", encoding="utf-8")
    found = read_list(path, num_classes=4)
    assert found.names == ("Tomato___Spider_mites Two-spotted/a 1.JPG", "plain.jpg")
    assert found.labels.tolist() == [3, 0]
    assert found.labels.dtype == np.int64
    assert found.lines == (1, 3)


def test_multi_label_lines_become_multi_hot_rows(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("000005.jpg 2,0\n000007.jpg 1\n")
    assert read_list(path, 3, multi_label=True).labels.tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg 4\n", r"train\.txt:1: class number 4 is out of range; the task has classes 0 to 3"),
        ("a.jpg 0\nb.jpg -1\n", r"train\.txt:2: the class number must be 0 to 3, got '-1'"),
        ("a.jpg x\n", r"train\.txt:1: the class number must be 0 to 3, got 'x'"),
        ("a.jpg\n", r"train\.txt:1: expected 'RELATIVE/NAME CLASS_NUMBER', got 'a\.jpg'"),
        ("a.jpg ²\n", "must be 0 to 3"),
        ("a.jpg 1,2\n", "must be 0 to 3, got '1,2'"),
        ("a.jpg 1\nb.jpg 2\na.jpg 3\n", r"train\.txt:3: 'a\.jpg' is already listed on line 1"),
        ("\n\n", "has no line"),
    ],
)
def test_wrong_lines_are_refused_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "train.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_list(path, num_classes=4)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(UserError, match="cannot read the list .*No such file"):
        read_list(tmp_path / "none.txt", 2)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        read_list(tmp_path / "b.txt", 2)


def test_written_lists_read_back_equal(tmp_path):
    names, labels = ["a b.jpg", "c/d.png"], np.array([1, 0])
    write_list(tmp_path / "l.txt", names, labels)
    found = read_list(tmp_path / "l.txt", 2)
    assert found.names == tuple(names)
    assert (found.labels == labels).all()
    hot = np.array([[1, 0, 1], [0, 1, 0]], dtype=np.uint8)
    write_list(tmp_path / "m.txt", names, hot)
    assert (read_list(tmp_path / "m.txt", 3, multi_label=True).labels == hot).all()


@pytest.mark.parametrize("name", [" a.jpg", "a.jpg ", "a\nb.jpg", ""])
def test_names_that_would_not_read_back_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="surrounding spaces or a line break"):
        write_list(tmp_path / "l.txt", [name], np.array([0]))
