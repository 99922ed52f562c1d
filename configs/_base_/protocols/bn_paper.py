protocol = "bn_paper"
