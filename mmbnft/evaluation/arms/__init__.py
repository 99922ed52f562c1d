"""How a job becomes a result: trained, probed, scored."""
