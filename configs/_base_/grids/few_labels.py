# Tasks with few labels, where pre-training helps, at the size of the small checkpoints' pre-training: embedded ones, and
# real pictures of 64 pixels (`tools/prepare_data.py npz`; not the official Caltech-101). Grids take theirs by name.
sizes = dict(image_size=48, train_size=64, val_size=64, test_size=600)
few_labels = dict(
    digits=dict(type="digits", **sizes),
    textures=dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
    sign_digits=dict(type="list_task", root="data/sign_digits", per_class=dict(train=8, val=8)),
    clothing=dict(type="list_task", root="data/clothing", per_class=dict(train=8, val=8)),
    coffee_leaf=dict(type="list_task", root="data/coffee_leaf", per_class=dict(train=16, val=16)),
    caltech101_small=dict(type="list_task", root="data/caltech101_small", per_class=dict(train=1, val=1)),
    omniglot=dict(type="list_task", root="data/omniglot", per_class=dict(train=1, val=1)),
)
del sizes
