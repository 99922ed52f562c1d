# Small images held in memory: every method that has a choice makes it among four values on validation episodes.
recipe = dict(
    name="small",
    steps=20,
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9),
    search=dict(lr=[0.001, 0.005, 0.02, 0.1]),
    probe=dict(solver="convex", weight_decays=[0.01, 0.1, 1.0, 10.0]),
)
