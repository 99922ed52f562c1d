import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid

from mmbnft.evaluation.choosing import run_arm
from mmbnft.fewshot import EpisodeSettings, Method, episode_facts, execute_episodes, open_manifest, prepare_subject
from mmbnft.fewshot.arm import Accuracies, EpisodesArm
from mmbnft.fewshot.batching import in_fixed_batches
from mmbnft.fewshot.sequential import SequentialAdapter
from mmbnft.results import read_result, write_result
from mmbnft.tasks import build_task
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.zoo import Checkpoint

METHODS = ["nearest_mean", "logistic", "linear", "bn", "bn@batch", "bn@recalibrate", "bn_paper", "finetune"]


@pytest.mark.parametrize("name", METHODS)
def test_a_query_is_scored_the_same_to_the_last_bit_whatever_other_queries_there_are(
    name, recipe, manifest, subject, random
):
    run = EpisodesArm(Method.named(name), recipe, manifest, subject)
    trial, span = run.candidates()[-1], range(2)
    test = manifest.draw.test
    everything = run.scores(test, span, trial).reshape(2, 3, 3, 3)
    assert everything.std() > 0
    fewer = dataclasses.replace(test, queries=test.queries[:, :, [2]])
    assert torch.equal(run.scores(fewer, span, trial).reshape(2, 3, 1, 3), everything[:, :, [2]])
    others = test.queries.copy()
    others[:, :, :2] = random.permuted(others[:, :, :2], axis=0)  # those of other episodes, even of other classes
    others[0, 1, 0] = others[0, 2, 1]
    assert torch.equal(
        run.scores(dataclasses.replace(test, queries=others), span, trial).reshape(2, 3, 3, 3)[:, :, 2],
        everything[:, :, 2],
    )
    more = np.concatenate([test.queries, test.queries[::-1], test.queries, test.queries], axis=2)
    assert torch.equal(
        run.scores(dataclasses.replace(test, queries=more), span, trial).reshape(2, 3, 12, 3)[:, :, :3], everything
    )


@pytest.mark.parametrize("name", METHODS)
def test_methods_learn_from_the_support_set_alone_and_leave_the_checkpoint_alone(name, recipe, manifest, subject):
    before = {key: value.clone() for key, value in subject.backbone.state_dict().items()}
    run = EpisodesArm(Method.named(name), recipe, manifest, subject)
    first = run.scores(manifest.draw.test, range(2), run.candidates()[-1])
    assert all(torch.equal(value, before[key]) for key, value in subject.backbone.state_dict().items())
    exchanged = dataclasses.replace(manifest.draw.test, support=manifest.draw.test.support[:, ::-1].copy())
    assert not torch.equal(run.scores(exchanged, range(2), run.candidates()[-1]), first)
    assert torch.equal(run.scores(manifest.draw.test, range(2), run.candidates()[-1]), first)


def test_in_one_shape_a_network_gives_one_answer_per_image(subject):
    images = torch.randn(30, 3, 32, 32)

    def compute(batch):
        assert len(batch) == 8
        return subject.backbone(batch)[0]

    with torch.inference_mode():
        everything = in_fixed_batches(compute, images, 8)
        assert torch.equal(in_fixed_batches(compute, images[11:12], 8), everything[11:12])
        assert torch.allclose(everything, subject.backbone(images)[0], atol=1e-5)


def test_accuracies_are_those_of_an_oracle_on_the_features(recipe, manifest, subject):
    run = EpisodesArm(Method.named("nearest_mean"), recipe, manifest, subject)
    found = run.accuracies("test", {}).values
    features = dict(zip(manifest.images().tolist(), subject.features.numpy(), strict=True))
    for accuracy, support, queries in zip(found, manifest.draw.test.support, manifest.draw.test.queries, strict=True):
        truth = np.repeat(np.arange(3), 2), np.repeat(np.arange(3), 3)
        known, asked = ([features[number] for number in part.ravel().tolist()] for part in (support, queries))
        oracle = NearestCentroid().fit(known, truth[0])
        assert accuracy == pytest.approx(100 * np.mean(oracle.predict(asked) == truth[1]))


def test_the_trial_that_is_best_on_validation_is_taken(recipe, manifest, subject, monkeypatch):
    run = EpisodesArm(Method.named("linear"), recipe, manifest, subject)
    asked = []

    def accuracies(part, trial):
        asked.append((part, trial["lr"]))
        return Accuracies(np.array([60.0, 70.0]) if trial["lr"] == 0.1 else np.array([60.0, 69.0]), [])

    monkeypatch.setattr(run, "accuracies", accuracies)
    outcome = run_arm(run, close_choosing=lambda: asked.append("closed"))
    assert outcome.chosen == dict(lr=0.1)
    assert [entry["val"] for entry in outcome.search] == [64.5, 65.0]
    assert asked == [("validation", 0.01), ("validation", 0.1), "closed", ("test", 0.1)]


def test_a_result_keeps_every_episode_and_goes_through_a_file(make_spec, shapes, manifest, subject, tmp_path):
    result = execute_episodes(make_spec("bn"), shapes, manifest, subject, "k" * 64)
    assert (result.protocol, result.task, result.metric) == ("fewshot-bn-3way-2shot", "shapes", "top1")
    values = np.array(result.details["accuracies"])
    assert len(values) == 5
    assert result.value == pytest.approx(values.mean())
    assert result.details["interval_95"] == pytest.approx(1.96 * values.std() / np.sqrt(5))
    assert result.details["manifest"] == manifest.sha256
    assert result.details["chosen_on"] == "episodes of other images"
    assert len(result.details["search"]) == 2
    # Two trials on 2 validation episodes and one on 5: 9 episodes of 3 steps of 6 images.
    assert result.cost["images"] == 9 * 3 * 6 + len(manifest.images())
    again = execute_episodes(make_spec("bn"), shapes, manifest, subject, "k" * 64, shares=4)
    assert again.details["accuracies"] == result.details["accuracies"]
    as_json = dataclasses.replace(result, details=json.loads(json.dumps(result.details)))  # tuples become lists
    assert read_result(write_result(tmp_path, result)) == as_json


def test_a_key_changes_with_everything_that_matters(make_spec, recipe, manifest, shapes, tmp_path):
    other = open_manifest(tmp_path / "o.jsonl", shapes, dataclasses.replace(manifest.settings, seed=1))
    first, second = (dataclasses.replace(Checkpoint.random(), path="a.pth", sha256=digest) for digest in ("1", "2"))

    def key(spec, manifest=manifest, **facts):
        return spec.key(shapes, episode_facts(shapes, manifest) | facts)

    keys = [
        key(make_spec()),
        key(make_spec("bn@batch")),
        key(make_spec(recipe=dataclasses.replace(recipe, steps=4))),
        key(make_spec(), other),
        key(make_spec(), images="other pixels under the same names"),
        key(dataclasses.replace(make_spec(), checkpoint=first)),
        key(dataclasses.replace(make_spec(), checkpoint=second)),
    ]
    assert len(set(keys)) == 7
    assert key(make_spec()) == keys[0]


def test_features_that_are_no_numbers_are_refused(make_spec, shapes, manifest, subject):
    with torch.no_grad():
        subject.backbone.layer4[1].conv2.weight[0, 0, 1, 1] = float("nan")
    with pytest.raises(UserError, match=r"the features of \d+ images are not finite, e.g. of image \d+"):
        subject.images.features(subject.backbone)


def test_scores_that_are_no_numbers_fail_the_run_not_the_search_of_another_rate(
    make_spec, recipe, shapes, manifest, subject
):
    wild = dataclasses.replace(recipe, search=dict(lr=[1e30, 0.001]), steps=6)
    result = execute_episodes(make_spec("finetune", wild), shapes, manifest, subject, "k")
    assert result.details["chosen"] == dict(lr=0.001)
    assert result.details["search"][0]["val"] is None
    assert "not finite" in result.details["search"][0]["reason"]
    wilder = make_spec("finetune", dataclasses.replace(wild, search=dict(lr=[1e30, 2e30])))
    with pytest.raises(
        DivergedError, match="every trial of the search failed; the last: scores are not finite in any of the 2"
    ):
        execute_episodes(wilder, shapes, manifest, subject, "k")


def test_a_search_without_validation_episodes_is_refused(make_spec, shapes, manifest, subject):
    without = dataclasses.replace(manifest, draw=dataclasses.replace(manifest.draw, validation=None))
    with pytest.raises(UserError, match="a recipe with a search needs validation episodes"):
        execute_episodes(make_spec("bn"), shapes, without, subject, "k")
    assert execute_episodes(make_spec("nearest_mean"), shapes, without, subject, "k").details["chosen_on"] is None


@pytest.mark.parametrize("name", ["bn", "bn@batch", "bn_paper"])
def test_all_episodes_at_once_give_what_one_after_the_other_gives(name, recipe, manifest, subject, monkeypatch):
    run = EpisodesArm(Method.named(name), dataclasses.replace(recipe, batch_size=4), manifest, subject)
    together = run.scores(manifest.draw.test, range(5), dict(lr=0.01))
    used = []

    def sequential(backbone, method, groups, classes):
        used.append(method.name)
        return SequentialAdapter(backbone, method.protocol, groups, classes, norm_stats=method.norm_stats)

    monkeypatch.setattr("mmbnft.fewshot.arm.make_adapter", sequential)
    assert torch.allclose(run.scores(manifest.draw.test, range(5), dict(lr=0.01)), together, atol=1e-4)
    assert used == [name]
    assert together.std() > 1e-3


def test_groups_do_not_change_what_an_episode_gives(recipe, manifest, subject):
    run = EpisodesArm(Method.named("bn"), dataclasses.replace(recipe, batch_size=4), manifest, subject)
    together = run.scores(manifest.draw.test, range(5), dict(lr=0.1))
    alone = run.scores(manifest.draw.test, range(3, 4), dict(lr=0.1))
    assert torch.allclose(together[3:4], alone, atol=1e-4)


def test_random_transforms_and_mixed_sizes_are_refused(make_spec, recipe, shapes, manifest, tmp_path):
    flip = dataclasses.replace(recipe, test_pipeline=[dict(type="RandomHorizontalFlip")])
    with pytest.raises(UserError, match="test_pipeline of episodes must not be random"):
        prepare_subject(make_spec(recipe=flip), shapes, manifest, torch.device("cpu"))


@pytest.mark.parametrize("name", ["cn", "bn@none", "linear_then_bn", "nearest_mean@batch", 5])
def test_unknown_methods_are_refused(name):
    with pytest.raises(
        UserError, match=r"is not a few-shot method: .*; methods on frozen features are linear, logistic"
    ):
        Method.named(name)


def test_images_are_found_by_their_number_in_the_pool(make_spec, tmp_path):
    task = build_task(dict(type="digits", image_size=16, train_size=60, val_size=40, test_size=90))
    settings = EpisodeSettings(n_way=2, k_shot=1, queries=2, episodes=3)
    manifest = open_manifest(tmp_path / "d.jsonl", task, settings)
    subject = prepare_subject(make_spec("nearest_mean"), task, manifest, torch.device("cpu"))
    pool, mean, std = task.images("all"), torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    numbers = manifest.draw.test.support
    assert numbers.max() > len(manifest.images())  # a number is no place
    for image, number in zip(subject.images.tensor(numbers).flatten(0, 2), numbers.ravel(), strict=True):
        pixels = torch.from_numpy(pool.pixels(int(number))).float() / 255
        assert torch.allclose(image, ((pixels - mean) / std).permute(2, 0, 1), atol=1e-6)
    assert (
        pool.labels[manifest.images()[subject.images.places(numbers)]] == manifest.draw.test.classes[..., None]
    ).all()
