# The published settings of Ericsson et al. (2021) for linear probing and fine-tuning; see docs/recipes.md.
recipe = dict(named="ericsson")
