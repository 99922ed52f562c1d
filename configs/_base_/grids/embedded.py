# The embedded tasks of the shipped grids: hand-written digits, and two families of drawn pictures.
sizes = dict(image_size=32, train_size=192, val_size=96, test_size=600)
benchmark = dict(
    tasks=[
        dict(type="digits", **sizes),
        dict(type="drawn", family="textures", variation=0.3, noise=0.05, **sizes),
        dict(type="drawn", family="blossoms", variation=0.2, noise=0.05, **sizes),
    ],
)
del sizes
