# The recipe to compare arms by: equal for all, the rate chosen on val, 224 pixels, the checkpoint's normalisation.
recipe = dict(named="clean")
