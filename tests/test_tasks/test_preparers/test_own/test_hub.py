"""Data sets as the Hugging Face Hub lays them out, and the neighbours of each form."""

import io
import json

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from mmbnft.tasks import list_task
from mmbnft.tasks.preparers import OwnData, prepare_own
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json


def png(number):
    pixels = np.random.RandomState(number).randint(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def put(folder, names, start=0):
    for number, name in enumerate(names, start):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(number))


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def table(path, columns, features=None):
    content = pyarrow.table(columns)
    if features:
        content = content.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(content, path)


def images(count, start=0):
    return [{"bytes": png(start + number), "path": f"{number}.png"} for number in range(count)]


def classes_of(task, split):
    names = task.classes
    return [names[label] for label in task.images(split).labels]


@pytest.fixture
def prepare(tmp_path):
    told = []

    def run(source, **options):
        prepared = prepare_own(OwnData(source, "mine", **options), tmp_path / "data", tell=told.extend)
        return list_task(str(prepared.folder)), told

    return run


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_beside_the_images(tmp_path, prepare, kind):
    names = [f"a/{k}.png" for k in range(20)]
    put(tmp_path / "set", names)
    rows = [{"file_name": name, "label": "no", "patient": f"p{k % 10}"} for k, name in enumerate(names)]
    for row in rows[::2]:
        row["label"] = "yes"
    path = tmp_path / "set" / f"metadata.{kind}"
    if kind == "csv":
        path.write_text("file_name,label,patient\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    elif kind == "jsonl":
        jsonl(path, rows)
    else:
        table(path, {title: [row[title] for row in rows] for title in rows[0]})
    task, _ = prepare(tmp_path / "set")
    assert task.classes == ("no", "yes")
    place = tmp_path / "data/mine/lists/0"
    lists = {split: (place / f"{split}.txt").read_text().splitlines() for split in ("train", "val", "test")}
    groups = {split: {int(name[2 : name.index(".png")]) % 10 for name in found} for split, found in lists.items()}
    assert sum(map(len, lists.values())) == 20
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["val"]


def test_metadata_in_each_split_folder_is_relative_to_its_own_folder(tmp_path, prepare):
    for place, (folder, count) in enumerate((("train", 10), ("validation", 4), ("test", 6))):
        put(tmp_path / "set" / folder, [f"{k}.png" for k in range(count)], 100 * place)
        rows = [{"file_name": f"{k}.png", "label": k % 2} for k in range(count)]
        jsonl(tmp_path / "set" / folder / "metadata.jsonl", rows)
    task, told = prepare(tmp_path / "set")
    assert [len(task.images(split)) for split in ("train", "val", "test")] == [10, 4, 6]
    assert "splits are the folders of the images" in told


def test_lists_of_labels_make_a_multi_label_task(tmp_path, prepare):
    put(tmp_path / "set", [f"{k}.png" for k in range(24)])
    labels = [["cat|dog", "b"], ["b", "c, d"], [], ["c, d", "cat|dog"]]
    rows = [{"file_name": f"{k}.png", "labels": labels[k % 4]} for k in range(24)]
    jsonl(tmp_path / "set/metadata.jsonl", rows)
    task, told = prepare(tmp_path / "set", metric="map11")
    assert task.classes == ("b", "c, d", "cat|dog")
    assert any("an image may carry several" in line for line in told)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{'file_name': 1}", "is not JSON"),
        ("[1]", "expected one object per line"),
        ('{"label": "a"}', "there is no file_name"),
        ('{"file_name": "../../x.png", "label": "a"}', "is not below the image folder"),
    ],
)
def test_damaged_metadata_is_refused_by_line(tmp_path, prepare, line, sentence):
    put(tmp_path / "set", ["a.png"])
    (tmp_path / "set/metadata.jsonl").write_text('{"file_name": "a.png", "label": "a"}\n' + line + "\n")
    with pytest.raises(UserError, match=sentence):
        prepare(tmp_path / "set")


NAMES = {"label": {"_type": "ClassLabel", "names": ["tabby", "collie"]}, "image": {"_type": "Image"}}


def shards(folder, label="label"):
    numbers = [k % 2 for k in range(8)]
    table(folder / "data/train-00000-of-00002.parquet", {"image": images(8), label: numbers}, NAMES)
    table(folder / "data/train-00001-of-00002.parquet", {"image": images(8, 8), label: numbers}, NAMES)
    table(folder / "data/test-00000-of-00001.parquet", {"image": images(8, 16), label: numbers}, NAMES)


def test_shards_have_their_splits_and_the_names_of_classes(tmp_path, prepare):
    shards(tmp_path / "set")
    task, told = prepare(tmp_path / "set", parquet=tmp_path / "set")
    assert task.classes == ("collie", "tabby")
    assert [len(task.images(split)) for split in ("train", "val", "test")] == [13, 3, 8]
    assert any("there is no val: 3 train images are drawn for it" in line for line in told)
    assert classes_of(task, "test") == ["tabby", "collie"] * 4
    kept = sorted((tmp_path / "data/mine/images/test").glob("*.png"))
    assert [path.read_bytes() for path in kept] == [png(16 + k) for k in range(8)]
    assert read_json(tmp_path / "data/mine/task.json")["classes"] == ["collie", "tabby"]


def test_folders_of_converted_sets_name_the_split(tmp_path, prepare):
    for split, start in (("train", 0), ("validation", 8), ("test", 16)):
        columns = {"image": images(8, start), "label": [k % 2 for k in range(8)]}
        table(tmp_path / "set/default" / split / "0000.parquet", columns, NAMES)
    task, _ = prepare(tmp_path / "set", parquet=tmp_path / "set")
    assert [len(task.images(split)) for split in ("train", "val", "test")] == [8, 8, 8]


def test_one_file_without_splits_is_divided_and_rows_without_a_label_are_left_out(tmp_path, prepare):
    path = tmp_path / "all.parquet"
    table(
        path, {"img": images(12), "label": [k % 2 for k in range(10)] + [-1, -1]}, NAMES | {"img": {"_type": "Image"}}
    )
    task, told = prepare(path, parquet=path)
    assert sum(len(task.images(split)) for split in ("train", "val", "test")) == 10
    assert any("without a label: 2 rows" in line for line in told)


def test_sequences_of_labels(tmp_path, prepare):
    path = tmp_path / "all.parquet"
    features = {"image": {"_type": "Image"}, "labels": {"_type": "Sequence", "feature": NAMES["label"]}}
    table(path, {"image": images(10), "labels": [[0], [1], [0, 1], [0], [1]] * 2}, features)
    task, _ = prepare(path, parquet=path, metric="map11")
    assert task.classes == ("collie", "tabby")


@pytest.mark.parametrize(
    ("columns", "options", "sentence"),
    [
        ({"label": [0, 1]}, {}, "no column of images"),
        ({"image": images(2), "mask": images(2), "label": [0, 1]}, {}, "several columns of images"),
        ({"image": images(2), "label": [0, 1]}, {"label_column": "kind"}, "there is no column 'kind'"),
        ({"image": images(2), "text": ["a", "b"]}, {}, "holds labels"),
    ],
)
def test_what_no_column_says_is_one_sentence(tmp_path, prepare, columns, options, sentence):
    table(tmp_path / "a.parquet", columns)
    with pytest.raises(UserError, match=sentence):
        prepare(tmp_path / "a.parquet", parquet=tmp_path / "a.parquet", **options)


def test_two_columns_of_classes_are_asked_about(tmp_path, prepare):
    path = tmp_path / "a.parquet"
    features = {"fine": NAMES["label"], "coarse": NAMES["label"] | {"names": ["x", "y"]}}
    table(path, {"image": images(12), "fine": [0, 1] * 6, "coarse": [0, 0, 1, 1] * 3}, features)
    with pytest.raises(UserError, match="fine, coarse are labels; say which with --label-column"):
        prepare(path, parquet=path)
    task, _ = prepare(path, parquet=path, label_column="coarse")
    assert task.classes == ("x", "y")


def test_a_file_that_is_no_parquet(tmp_path, prepare):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match="is not a readable parquet file"):
        prepare(tmp_path / "a.parquet", parquet=tmp_path / "a.parquet")


def test_labels_written_as_a_list_and_a_spreadsheets_first_line(tmp_path, prepare):
    put(tmp_path / "set", [f"{k}.png" for k in range(24)])
    rows = [f"{k}.png;\"['a', 'b']\"" if k % 2 else f"{k}.png;['b']" for k in range(24)]
    (tmp_path / "t.csv").write_text("\ufeffsep=;\r\npath;labels\r\n" + "\r\n".join(rows), encoding="utf-8")
    task, _ = prepare(tmp_path / "set", table=tmp_path / "t.csv", metric="map11")
    assert task.classes == ("a", "b")


def test_published_arrays_without_val_have_it_drawn(tmp_path, prepare):
    random = np.random.RandomState(0)
    arrays = {}
    for split, count in (("train", 20), ("test", 8)):
        arrays[f"{split}_images"] = random.randint(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % 2)[:, None]
    np.savez(tmp_path / "m.npz", **arrays)
    task, told = prepare(tmp_path / "m.npz", arrays=True)
    assert [len(task.images(split)) for split in ("train", "val", "test")] == [16, 4, 8]
    assert any("there is no val" in line for line in told)
