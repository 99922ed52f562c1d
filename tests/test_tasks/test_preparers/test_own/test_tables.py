import pytest
from own_images import make_classes, prepare

from mmbnft.utils.errors import UserError


@pytest.fixture
def images(tmp_path):
    return tmp_path / "photos"


@pytest.fixture
def names(images):
    return make_classes(images, ("ant", "bee"), count=10)


def table(images, rows, encoding="utf-8", end="\n"):
    path = images.parent / "table.csv"
    path.write_bytes((end.join(rows) + end).encode(encoding))
    return path


def class_of(name):
    return name.split("/")[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", "])
@pytest.mark.parametrize("header", [("path", "label"), ("Image Path", "Class"), ("file_name", "target")])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n")])
def test_delimiters_headers_and_byte_order_marks(images, names, delimiter, header, encoding, end):
    rows = [delimiter.join(header), *(f"{name}{delimiter}{class_of(name)}" for name in names)]
    task, remarks, lists = prepare(images, table=table(images, rows, encoding, end))
    assert (task.classes, task.multi_label) == (("ant", "bee"), False)
    assert [len(lists[part]) for part in lists] == [12, 4, 4]
    assert remarks[0].endswith(f"{header[0]} is the path, {header[1]} is the label")


def test_quoted_cells_and_columns_that_are_not_used(images, names):
    rows = ["path,label,note", *(f'"{name}","{class_of(name)}","a, b"' for name in names)]
    task, remarks, _ = prepare(images, table=table(images, rows))
    assert task.classes == ("ant", "bee")
    assert any(remark.endswith("the column note is not used") for remark in remarks)


def test_splits_and_groups_of_the_table_are_kept(images, names):
    parts = ["train", "Train", "valid", "test", "train"]
    rows = ["path,label,split,patient"]
    rows += [f"{name},{class_of(name)},{parts[k % 5]},p{k % 5}" for k, name in enumerate(names)]
    _, remarks, lists = prepare(images, table=table(images, rows))
    assert lists["val"] == [name for k, name in enumerate(names) if k % 5 == 2]
    assert lists["test"] == [name for k, name in enumerate(names) if k % 5 == 3]
    assert "train, val and test as given" in remarks
    rows[-1] = rows[-1].replace("p4", "p3")
    with pytest.raises(
        UserError, match="the group 'p3' is in test and in train; images of one group belong to one split"
    ):
        prepare(images, table=table(images, rows))


def test_groups_never_cross_drawn_splits(images, names):
    rows = ["path,label,group", *(f"{name},{class_of(name)},g{k // 2}" for k, name in enumerate(names))]
    _, _, lists = prepare(images, table=table(images, rows))
    places = [{names.index(name) // 2 for name in lists[part]} for part in lists]
    assert sum(map(len, places)) == len(set.union(*places)) == 10


def test_groups_are_kept_where_only_val_is_drawn(images, names):
    rows = ["path,label,split,group"]
    rows += [f"{name},{class_of(name)},{'test' if k % 10 > 7 else 'train'},g{k // 2}" for k, name in enumerate(names)]
    _, remarks, lists = prepare(images, table=table(images, rows))
    places = [{names.index(name) // 2 for name in lists[part]} for part in ("train", "val", "test")]
    assert places[1]
    assert sum(map(len, places)) == len(set.union(*places))
    assert any("train images are drawn for it" in remark for remark in remarks)


@pytest.mark.parametrize("mark", [",", ";", "|"])
def test_several_labels_in_one_cell(images, mark):
    names = make_classes(images, ("ant", "bee"), count=20)
    cells = ["cat" + mark + "dog", "dog", "", "cat"]
    rows = ["path,labels", *(f'{name},"{cells[k % 4]}"' for k, name in enumerate(names))]
    task, remarks, _ = prepare(images, table=table(images, rows))
    assert (task.classes, task.multi_label, task.metric) == (("cat", "dog"), True, "roc_auc")
    labels = {task.images(part).name(k): row.tolist() for part in ("train", "val", "test")
              for k, row in enumerate(task.images(part).labels)}  # fmt: skip
    assert [labels[name] for name in names[:4]] == [[1, 1], [0, 1], [0, 0], [1, 0]]
    assert any(f"separated by {mark!r}, so an image may carry several" in remark for remark in remarks)


def test_a_label_that_holds_a_comma_can_be_one_label(images, names):
    rows = ["path,label", *(f'{name},"{class_of(name)}, adult"' for name in names)]
    task, _, _ = prepare(images, table=table(images, rows), separator="")
    assert (task.classes, task.multi_label) == (("ant, adult", "bee, adult"), False)


def test_one_column_a_class(images, names):
    hot = ["1,0", "0,1", "1,1", "0,0"]
    rows = ["file,cat,dog", *(f"{name},{hot[k % 4]}" for k, name in enumerate(names))]
    task, remarks, _ = prepare(images, table=table(images, rows), metric="map11")
    assert (task.classes, task.multi_label) == (("cat", "dog"), True)
    assert any("2 columns are classes; an image may carry several" in remark for remark in remarks)
    single = ["file,cat,dog", *(f"{name},{hot[k % 2]}.0" .replace(",0,", ",0.0,").replace(",1,", ",1.0,")
                                for k, name in enumerate(names))]  # fmt: skip
    task, remarks, _ = prepare(images, table=table(images, single))
    assert (task.multi_label, task.metric) == (False, "top1")
    assert any("2 columns are classes; every image has one" in remark for remark in remarks)


def test_names_without_a_suffix(images, names):
    rows = ["id,label", *(f"{name.removesuffix('.png')},{class_of(name)}" for name in names)]
    _, remarks, lists = prepare(images, table=table(images, rows))
    assert sorted([*lists["train"], *lists["val"], *lists["test"]]) == sorted(names)
    assert "names have no suffix: .png is added" in remarks


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([""], "is empty; expected a header"),
        (["path,label"], "has a header but no row"),
        (["picture,label", "ant/0.png,x"], r"no column of the header \(picture, label\) names the image; call it path"),
        (["path,colour", "ant/0.png,x"], r"no column of the header \(path, colour\) holds labels; call it label"),
        (["path,a,b", "ant/0.png,1,2"], r"table\.csv:2: the column b holds '2'; without a label column"),
        (["path,label", "ant/0.png,x,y"], r"table\.csv:2: 3 cells where the header has 2"),
        (["path,label", "ant/0.png,"], r"table\.csv:2: the image has no label"),
        (["path,label", "ant/0.png,x", "./ant/0.png,y"], r"table\.csv:3: ant/0\.png is already named on line 2"),
        (["path,label,split", "ant/0.png,x,holdout"], r"table\.csv:2: the split 'holdout' is unknown; allowed: train,"),
        (["path,label,split", "ant/0.png,x,train", "bee/0.png,y,"], r"table\.csv:3: the split '' is unknown"),
        (["path,label,split", "ant/0.png,x,train", "bee/0.png,y,train"], "the data name the split train only"),
        (["path,label", "none.png,x", "ant/0.png,y"], "1 of 2 images are missing or damaged: none.png does not exist"),
    ],
)
def test_tables_that_are_refused(images, names, rows, words):
    with pytest.raises(UserError, match=words):
        prepare(images, table=table(images, rows))


def test_a_table_that_is_not_utf8(images, names):
    rows = ["path,label", *(f"{name},{'é' if name.startswith('ant') else 'b'}" for name in names)]
    with pytest.raises(UserError, match=r"table\.csv is not UTF-8 text .*; save it as UTF-8"):
        prepare(images, table=table(images, rows, "latin-1"))
