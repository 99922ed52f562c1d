"""Tables that others wrote, as they come: locales, scales, averages, names that look like gaps."""

import numpy as np
import pytest

from mmbnft.ranking.controls import Facts
from mmbnft.ranking.csv_tables import read_csv_table
from mmbnft.ranking.study import study
from mmbnft.ranking.table import score_table
from mmbnft.ranking.table_files import read_sources
from mmbnft.utils.errors import UserError

NAMES = ("moco", "swav", "dino", "byol", "simclr", "random")
FINETUNE = (74.08, 75.09, 79.27, 73.44, 69.96, 39.51)
LINEAR = (64.89, 74.57, 82.65, 72.66, 68.52, 42.0)


def rows(value="{:.2f}", delimiter=",", names=NAMES, tasks=("dtd",), proxy="linear", proxies=LINEAR):
    lines = [
        delimiter.join((name, task, protocol, value.format(number)))
        for task in tasks
        for protocol, numbers in (("finetune", FINETUNE), (proxy, proxies))
        for name, number in zip(names, numbers, strict=True)
    ]
    return "\n".join([delimiter.join(("checkpoint", "task", "protocol", "value")), *lines])


def read(tmp_path, text, encoding="utf-8", **options):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return read_csv_table(path, **options)


def comma(text):
    return text.replace(".", ",")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (rows(), "utf-8"),
        (comma(rows(delimiter=";")), "utf-8-sig"),
        (rows(delimiter="\t").replace("\n", "\r\n"), "utf-16"),
        (comma(rows('"{:.2f}"')), "utf-8"),
        (rows("{:.2f}%"), "utf-8"),
        (rows("{:.2f} ± 0.3"), "utf-8"),
        (rows("{:.2f}+/-0.3"), "utf-8"),
        (rows().replace("checkpoint,task,protocol,value", "Checkpoint , Task,PROTOCOL ,Value "), "utf-8"),
        ("# mine\n\n" + rows() + "\n\n", "utf-8"),
    ],
)
def test_every_locale_gives_the_same_values(tmp_path, text, encoding):
    table, _ = read(tmp_path, text, encoding)
    assert table["checkpoint"].tolist() == [*NAMES, *NAMES]
    np.testing.assert_allclose(table["value"], [*FINETUNE, *LINEAR])


def test_a_spread_is_kept_and_its_kind_is_said_to_be_unknown(tmp_path):
    table, findings = read(tmp_path, rows("{:.2f} ± 0.3"))
    assert table["spread"].tolist() == [0.3] * 12
    assert [finding.code for finding in findings] == ["MB209"]
    scores = score_table(table)
    np.testing.assert_array_equal(scores.tasks[0].spread("linear"), [0.3] * 6)


def test_a_percent_sign_states_the_scale(tmp_path):
    text = rows("{:.2f}%", proxies=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    scores = score_table(read(tmp_path, text)[0])
    assert scores.tasks[0].means("linear").max() == 0.7
    assert "MB203" not in {finding.code for finding in scores.findings}


@pytest.mark.parametrize("word", ["none", "NA", "null", "nan", "1e2", "007"])
def test_a_name_is_text_whatever_it_says(tmp_path, word):
    text = rows(names=(word, *NAMES[1:]), tasks=(word,), proxy=word)
    table, findings = read(tmp_path, text)
    assert findings == ()
    scores = score_table(table)
    assert word in scores.checkpoints
    assert scores.tasks[0].name == word
    assert scores.proxies == (word,)


def test_an_average_is_left_out_and_said_so(tmp_path):
    wide = "checkpoint,dtd,pets,Average\na,60,70,65\nb,62,74,68\nc,61,75,68\nmean,61,73,67\n"
    table, findings = read(tmp_path, wide, wide="linear")
    assert set(table["task"]) == {"dtd", "pets"}
    assert set(table["checkpoint"]) == {"a", "b", "c"}
    assert [str(finding).split(" looks")[0] for finding in findings] == [
        "MB204 the task Average",
        "MB204 the checkpoint mean",
    ]
    long, findings = read(tmp_path, rows(tasks=("dtd", "Avg.")))
    assert set(long["task"]) == {"dtd"}
    assert len(findings) == 1


def test_a_missing_value_names_its_lines_and_a_wrong_one_is_refused_by_line(tmp_path):
    _, findings = read(tmp_path, rows().replace("64.89", "n/a").replace("74.57", ""))
    assert findings[0].code == "MB202"
    assert "lines 8, 9: no value" in findings[0].sentence
    for text, message in (
        (rows().replace("64.89", "high"), "line 8: 'high' is not a finite number"),
        (rows().replace("64.89", "inf"), "line 8: 'inf' is not a finite number"),
        (rows().replace("64.89", "64,89"), "line 8 has 5 cells but the header 4"),
        (rows().replace("moco,dtd,linear", ",dtd,linear"), "line 8 has an empty cell in the column checkpoint"),
        (rows().replace("checkpoint", "model"), "lacks the column checkpoint; .* rename model to checkpoint"),
    ):
        with pytest.raises(UserError, match=message):
            read(tmp_path, text)


def test_other_encodings_are_read_and_said_so(tmp_path):
    table, findings = read(tmp_path, rows(names=("zufällig", *NAMES[1:])), "latin-1")
    assert "zufällig" in set(table["checkpoint"])
    assert [finding.code for finding in findings] == ["MB205"]


def scales(tmp_path, text, **options):
    scores = score_table(read(tmp_path, text)[0], **options)
    return scores, [finding.sentence for finding in scores.findings if finding.code == "MB203"]


def test_a_random_control_below_one_percent_ranks_beside_thirty(tmp_path):
    proxies = (*LINEAR[:5], 0.8)
    scores, said = scales(tmp_path, rows(proxies=proxies))
    assert scores.tasks[0].means("linear").min() == 0.8
    assert scores.bounded == {"finetune", "linear"}
    assert said == [
        "linear: 0.8 for random on dtd is taken as percent, as 82.65 is; state it with --metric-scale or a column scale"
    ]


def test_a_score_between_0_and_100_is_no_percentage(tmp_path):
    scores, said = scales(tmp_path, rows(proxy="hscore", proxies=(0.4, 25, 12, 8, 3, 2)))
    assert scores.bounded == {"finetune"}
    assert said == []
    assert scores.tasks[0].means("hscore").min() == 0.4


def test_scales_are_told_per_task_and_protocol(tmp_path):
    tasks = rows(tasks=("dtd",)) + "\n" + rows(tasks=("pets",)).split("\n", 1)[1]
    header, *lines = tasks.split("\n")
    mixed = [f"{a},{float(b) / 100:.4f}" if ",dtd," in a else f"{a},{b}" for a, b in (x.rsplit(",", 1) for x in lines)]
    scores, said = scales(tmp_path, "\n".join([header, *mixed]))
    np.testing.assert_allclose(scores.tasks[0].means("linear"), scores.tasks[1].means("linear"))
    assert said == [
        "finetune, linear: on dtd no value exceeds 1, so values there are taken as fractions of 1; state it with "
        "--metric-scale or a column scale"
    ]


def test_stated_scales_are_not_guessed(tmp_path):
    text = "\n".join(line + ("," + "scale" if i == 0 else ",percent") for i, line in enumerate(rows().split("\n")))
    scores, said = scales(tmp_path, text.replace("42.00", "0.42"))
    assert said == []
    assert scores.tasks[0].means("linear").min() == 0.42


def test_lower_is_better_is_asked_for_and_turns_the_proxy(tmp_path):
    error = tuple(100 - value for value in FINETUNE)
    table, _ = read(tmp_path, rows(proxy="knn_error", proxies=error))
    asked = study(score_table(table), Facts(), 0, 200, {})
    assert "MB207" in {finding.code for finding in asked.findings}
    assert any("--lower-is-better knn_error" in finding.sentence for finding in asked.findings)
    turned = score_table(table, lower_is_better=["knn_error"])
    np.testing.assert_allclose(turned.tasks[0].means("knn_error"), turned.tasks[0].means("finetune"))
    assert "MB207" not in {finding.code for finding in study(turned, Facts(), 0, 200, {}).findings}


def test_two_own_files_with_aliases_of_one_entry_are_kept_apart(tmp_path):
    names = ("simclr", "simclr-v1", *NAMES[:4])
    path = tmp_path / "table.csv"
    path.write_text(rows(names=names))
    source = read_sources([path], {"simclr": "simclr-v1", "simclr-v1": "simclr-v1"})
    assert set(source.table["checkpoint"]) == set(names)
    assert [str(finding) for finding in source.findings] == [
        "MB206 simclr, simclr-v1 name the same catalogue entry but are kept apart"
    ]
    facts = Facts({"simclr": "simclr-v1", "simclr-v1": "simclr-v1"}, {"simclr-v1": 61.7})
    assert facts.of(names).imagenet_linear_top1 == {"simclr-v1": 61.7}
    assert facts.of(("simclr", "moco")).imagenet_linear_top1["simclr"] == 61.7
