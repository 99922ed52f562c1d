protocol = "bn"
