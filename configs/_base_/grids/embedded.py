# The embedded tasks of the shipped grids, at the pre-training's size and with few labels, where pre-training helps:
# hand-written digits, and drawn textures.
sizes = dict(image_size=48, train_size=64, val_size=64, test_size=600)
benchmark = dict(
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
    ],
)
del sizes
