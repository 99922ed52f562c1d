# Ericsson et al. (CVPR 2021): nearest class mean on frozen features, all images of a task, 600 episodes.
_base_ = ["../_base_/models/resnet50.py"]
recipe = dict(
    name="ericsson",
    steps=1,  # no method of this recipe takes any
    optimizer=dict(type="SGD", lr=0.01),
    # 257 = int(224 * 1.15); both sides, so the aspect ratio is not kept.
    test_pipeline=[dict(type="Resize", size=(257, 257)), dict(type="CenterCrop", size=224)],
)
few_shot = dict(
    name="ericsson",
    checkpoints=["group:study12"],
    tasks=["data/cropdiseases", "data/eurosat", "data/isic2018_cdfsl", "data/chestx"],
    methods=["nearest_mean"],
    shots=[5, 20, 50],
    episodes=dict(n_way=5, queries=15, episodes=600, seed=0, pool="all"),
)
