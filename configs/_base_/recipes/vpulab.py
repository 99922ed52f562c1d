# The published settings of vpulab/bn_finetuning for the task and the protocol; see docs/recipes.md.
recipe = dict(named="vpulab")
