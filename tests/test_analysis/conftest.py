from kept_runs import kept_run, small_checkpoint  # noqa: F401  (fixtures)
