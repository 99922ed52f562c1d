protocol = "linear"
