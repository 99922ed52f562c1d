import mmbnft.plugin  # noqa: F401  (makes the host packages importable, before a test module imports one of them)
