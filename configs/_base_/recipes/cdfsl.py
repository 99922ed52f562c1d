# The published classifier of CD-FSL's episodes, at its image size; see docs/recipes.md.
recipe = dict(named="cdfsl")
