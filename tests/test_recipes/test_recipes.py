"""Named recipes against figures written down by hand from the publications."""

from pathlib import Path

import pytest

from mmbnft.recipes import NAMED, named_recipe, resolve_recipe
from mmbnft.recipes.recipe import Recipe
from mmbnft.tasks.preparers import PREPARERS
from mmbnft.utils.errors import UserError

PROTOCOLS = ("linear", "bn", "bn_paper", "finetune")
A = ["RandomResizedCrop", "RandomHorizontalFlip"]
N = ["Resize", "CenterCrop"]
BICUBIC = 3

# task, protocol: batch, rate, epochs, norm before the classifier, training transforms, mean, std, channel order
VPULAB = {
    ("aircraft", "linear"): (128, 0.01, 23, True, A, (0.4894, 0.5183, 0.5388), (0.2226, 0.2156, 0.2456), "bgr"),
    ("aircraft", "bn_paper"): (16, 0.01, 70, False, N, (0.4894, 0.5183, 0.5388), (0.2226, 0.2156, 0.2456), "bgr"),
    ("caltech101", "bn_paper"): (8, 0.01, 70, False, N, (0.5371, 0.5097, 0.4796), (0.3010, 0.2947, 0.3065), "bgr"),
    ("cars", "linear"): (8, 0.01, 23, False, N, (0.4460, 0.4311, 0.4319), (0.2903, 0.2884, 0.2956), "bgr"),
    ("cifar10", "linear"): (
        *(12, 0.1, 28, False, ["Resize", "RandomCrop", "RandomHorizontalFlip"]),
        *((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), "rgb"),
    ),
    ("cifar100", "bn_paper"): (
        *(128, 0.1, 350, False, ["RandomCrop", "RandomHorizontalFlip"]),
        *((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), "rgb"),
    ),
    ("dtd", "bn_paper"): (16, 0.01, 70, False, A, (0.5327, 0.4751, 0.4259), (0.2640, 0.2535, 0.2616), "bgr"),
    ("flowers", "bn_paper"): (16, 0.01, 70, False, A, (0.5179, 0.4110, 0.3297), (0.2971, 0.2496, 0.2855), "bgr"),
    ("mhist", "bn_paper"): (16, 0.01, 70, False, A, (0.7314, 0.6416, 0.7711), (0.1789, 0.2258, 0.1511), "bgr"),
    ("pets", "bn_paper"): (16, 0.01, 70, False, A, (0.4864, 0.4483, 0.3963), (0.2612, 0.2557, 0.2623), "bgr"),
    ("plant_disease", "linear"): (256, 0.01, 28, True, A, (0.4394, 0.4767, 0.3735), (0.1970, 0.1746, 0.2135), "bgr"),
}


def kinds(pipeline):
    return [step["type"] for step in pipeline]


@pytest.mark.parametrize(("task", "protocol"), VPULAB)
def test_vpulab_recipes_have_the_published_figures(task, protocol):
    batch, rate, epochs, norm, train, mean, std, order = VPULAB[task, protocol]
    recipe = named_recipe("vpulab", task, protocol)
    assert recipe.name == "vpulab"
    assert (recipe.batch_size, recipe.epochs, recipe.steps) == (batch, epochs, None)
    assert recipe.optimizer == dict(type="SGD", lr=rate, momentum=0.9, weight_decay=1e-6)
    assert recipe.lr_config == dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=True)
    assert recipe.norm_before_classifier is norm
    assert kinds(recipe.train_pipeline) == train
    assert kinds(recipe.test_pipeline) == ([] if task == "cifar100" else N)
    assert recipe.normalisation == dict(mean=list(mean), std=list(std))
    assert recipe.channel_order == order
    assert (recipe.search, recipe.fit_on, recipe.probe) == ({}, "trainval", None)


def test_the_documentation_lists_the_published_figures():
    rows = [line.split("|")[1:6] for line in Path("docs/recipes.md").read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip(" `") for cell in row] for row in rows]
    listed = {(task, protocol): rest for task, protocol, *rest in cells if task in PREPARERS}
    assert listed == {pair: [str(value) for value in figures[:3]] for pair, figures in VPULAB.items()}


def test_no_other_vpulab_recipe_claims_to_be_published():
    exact = {(t, p) for t in PREPARERS for p in PROTOCOLS if named_recipe("vpulab", t, p).name == "vpulab"}
    assert exact == set(VPULAB)


# task, protocol: batch, rate, epochs, weight decay, channel order, a part of the remark
DERIVED = {
    ("dtd", "linear"): (8, 0.01, 23, 1e-6, "bgr", "for linear on dtd: schedule of the linear file of cars"),
    ("cifar100", "linear"): (12, 0.1, 28, 1e-6, "rgb", "schedule of the linear file of cifar10"),
    ("cars", "bn_paper"): (8, 0.01, 70, 1e-6, "bgr", "schedule of the bn file of caltech101"),
    ("cifar10", "bn"): (128, 0.1, 350, 1e-6, "rgb", "schedule of the bn file of cifar100"),
    ("pets", "bn"): (16, 0.01, 70, 1e-6, "bgr", "nothing valid was published for bn on pets: schedule of the bn file"),
    ("pets", "finetune"): (16, 0.01, 70, 1e-6, "bgr", "schedule of the bn file of pets"),
    ("pets", "partial:3"): (16, 0.01, 70, 1e-6, "bgr", "schedule of the bn file of pets"),
    ("cifar10", "finetune"): (128, 0.1, 350, 5e-4, "rgb", "rate of the bn file of cifar100"),
    ("eurosat", "bn_paper"): (16, 0.01, 70, 1e-6, "bgr", "schedule of the bn file of flowers"),
    ("cropdiseases", "linear"): (256, 0.01, 28, 1e-6, "bgr", "images: as published for plant_disease"),
    ("food101", "bn_paper"): (16, 0.01, 70, 1e-6, "rgb", "images: none were published"),
    ("mine", "linear_then_bn"): (16, 0.01, 70, 1e-6, "rgb", "images: none were published"),
    ("mine", "knn"): (8, 0.01, 23, 1e-6, "rgb", "images: none were published"),
}


@pytest.mark.parametrize(("task", "protocol"), DERIVED)
def test_derived_vpulab_recipes_say_from_what(task, protocol):
    batch, rate, epochs, decay, order, remark = DERIVED[task, protocol]
    recipe = named_recipe("vpulab", task, protocol)
    assert recipe.name == "vpulab-derived"
    assert (recipe.batch_size, recipe.optimizer["lr"], recipe.epochs) == (batch, rate, epochs)
    assert recipe.optimizer["weight_decay"] == decay
    assert recipe.channel_order == order
    assert remark in recipe.remark
    assert (recipe.normalisation == "checkpoint") is (task not in {name for name, _ in VPULAB} | SHARED)


SHARED = {"eurosat", "cropdiseases"}  # statistics published, but no valid file


def test_ericsson_linear_is_a_probe_over_45_weight_decays():
    recipe = named_recipe("ericsson", "voc2007", "linear")
    assert recipe.name == "ericsson"
    assert recipe.probe["solver"] == "sklearn"
    decays = recipe.probe["weight_decays"]
    assert len(decays) == 45
    assert decays == pytest.approx([10 ** (-6 + i / 4) for i in range(45)])
    assert (decays[0], decays[-1]) == pytest.approx((1e-6, 1e5))
    centre = [dict(type="Resize", size=224, interpolation=BICUBIC), dict(type="CenterCrop", size=224)]
    assert recipe.train_pipeline == recipe.test_pipeline == centre
    assert (recipe.normalisation, recipe.channel_order, recipe.fit_on) == ("checkpoint", "rgb", "trainval")


def test_ericsson_finetuning_tries_twenty_combinations_of_5000_steps():
    recipe = named_recipe("ericsson", "cars", "finetune")
    assert (recipe.name, recipe.steps, recipe.epochs, recipe.batch_size) == ("ericsson", 5000, None, 64)
    assert recipe.lr_config == dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False)
    crop = [dict(type="RandomResizedCrop", size=224, interpolation=BICUBIC), dict(type="RandomHorizontalFlip")]
    assert recipe.train_pipeline == crop
    given = [recipe.optimizer_arguments(trial) for trial in recipe.trials()]
    assert all((entry["type"], entry["momentum"], entry["nesterov"]) == ("SGD", 0.9, True) for entry in given)
    pairs = {(entry["lr"], round(entry["weight_decay"], 12)) for entry in given}
    assert len(given) == len(pairs) == 20
    assert pairs == {
        *((0.1, 0), (0.1, 1e-5), (0.1, 1e-4), (0.1, 1e-3), (0.1, 1e-2)),
        *((0.01, 0), (0.01, 1e-4), (0.01, 1e-3), (0.01, 1e-2), (0.01, 1e-1)),
        *((0.001, 0), (0.001, 1e-3), (0.001, 1e-2), (0.001, 1e-1), (0.001, 1)),
        *((0.0001, 0), (0.0001, 1e-2), (0.0001, 1e-1), (0.0001, 1), (0.0001, 10)),
    }


def test_ericsson_and_cdfsl_published_nothing_for_other_protocols():
    for name in ("ericsson", "cdfsl"):
        derived, published = named_recipe(name, "dtd", "bn"), named_recipe(name, "dtd", "finetune")
        assert derived.name == f"{name}-derived"
        assert "nothing was published for bn" in derived.remark
        assert (published.name, published.remark) == (name, "")
        assert derived.optimizer == published.optimizer
        assert derived.trials() == published.trials()


def test_cdfsl_is_the_classifier_of_an_episode():
    for protocol in ("linear", "finetune"):
        recipe = named_recipe("cdfsl", "eurosat", protocol)
        assert recipe.optimizer == dict(type="SGD", lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001)
        assert (recipe.name, recipe.batch_size, recipe.epochs, recipe.lr_config) == ("cdfsl", 4, 100, None)
        side = int(224 * 1.15)
        assert recipe.test_pipeline == [dict(type="Resize", size=[side, side]), dict(type="CenterCrop", size=224)]
        assert recipe.normalisation == dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])


def test_clean_treats_all_arms_and_tasks_alike():
    recipes = [named_recipe("clean", t, p) for t in (*PREPARERS, "mine") for p in (*PROTOCOLS, "knn")]
    assert all(recipe == recipes[0] for recipe in recipes)
    assert recipes[0].normalisation == "checkpoint"


@pytest.mark.parametrize("name", NAMED)
def test_a_named_recipe_can_be_changed_and_says_so(name):
    changes = dict(named=name, batch_size=7, optimizer=dict(lr=0.5))
    plain, changed = named_recipe(name, "dtd", "bn"), resolve_recipe(changes, "dtd", "bn")
    assert (changed.batch_size, changed.optimizer) == (7, plain.optimizer | dict(lr=0.5))
    assert changed.name == plain.name
    assert changed.remark.endswith("changed: batch_size, optimizer")
    assert resolve_recipe(dict(named=name), "dtd", "bn") == plain


def test_settings_that_were_none_can_be_filled():
    changed = resolve_recipe(dict(named="clean", grad_clip=dict(max_norm=1.0), epochs=None, steps=3), "dtd", "bn")
    assert (changed.grad_clip, changed.steps) == (dict(max_norm=1.0), 3)


def test_dictionaries_are_changed_by_entry_and_emptied_by_empty_ones():
    only_rate = resolve_recipe(dict(named="ericsson", search=dict(lr=[0.1])), "dtd", "finetune")
    assert only_rate.search == dict(lr=[0.1], weight_decay=[0.0, 1e-6, 1e-5, 1e-4, 1e-3])
    assert resolve_recipe(dict(named="ericsson", search={}), "dtd", "finetune").search == {}
    assert named_recipe("ericsson", "dtd", "finetune").search["lr"] == [0.1, 0.01, 0.001, 0.0001]


def test_one_protocol_can_have_settings_of_its_own():
    settings = dict(name="x", epochs=2, batch_size=3, optimizer=dict(type="SGD", lr=0.1), search=dict(lr=[0.1, 0.2]))
    own = dict(bn=dict(search=dict(lr=[1.0, 2.0])), partial=dict(epochs=5))
    for plain, common in ((Recipe(**settings), settings), (named_recipe("clean", "dtd", "bn"), dict(named="clean"))):
        found = {
            name: resolve_recipe({**common, "protocols": own}, "dtd", name)
            for name in ("bn", "partial", "knn", "finetune")
        }
        assert found["bn"].search == dict(lr=[1.0, 2.0])
        assert found["bn"].remark == "changed: search"
        assert (found["partial"].epochs, found["partial"].search) == (5, plain.search)
        assert found["knn"] == found["finetune"] == plain


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(named="vpulabs"), "unknown recipe 'vpulabs'; allowed: cdfsl, clean, ericsson, vpulab"),
        (dict(named=["clean"]), r"unknown recipe \['clean'\]; allowed"),
        (dict(named="clean", epoch=3), "unknown recipe settings epoch; allowed"),
        (dict(named="clean", steps=3), "needs either epochs or steps, got epochs=30 and steps=3"),
        (dict(named="vpulab", name="small", epochs=3), "both named='vpulab' and spelt out as 'small'; .*_delete_=True"),
        (dict(named="clean", protocols=dict(bnn=dict(batch_size=3))), "unknown protocol 'bnn'; choose one of .*bn"),
        (dict(named="clean", protocols=["bn"]), r"protocols of a recipe must be a dict of settings .* got \['bn'\]"),
        (dict(named="clean", protocols=dict(bn=dict(epoch=3))), "unknown recipe settings epoch; allowed"),
        ("clean", r"a recipe must be dict\(named=...\) or the settings themselves, got 'clean'"),
    ],
)
def test_wrong_names_and_mixtures_are_refused(config, message):
    with pytest.raises(UserError, match=message):
        resolve_recipe(config, "dtd", "bn")


def test_vpulab_needs_a_protocol_that_exists():
    with pytest.raises(UserError, match="unknown protocol 'bnn'"):
        named_recipe("vpulab", "dtd", "bnn")


def test_settings_spelt_out_and_recipes_are_taken_as_they_are():
    settings = dict(name="x", epochs=2, batch_size=3, optimizer=dict(type="SGD", lr=0.1))
    assert resolve_recipe(settings, "dtd", "bn") == Recipe(**settings)
    assert resolve_recipe(Recipe(**settings), "dtd", "bn") == Recipe(**settings)
