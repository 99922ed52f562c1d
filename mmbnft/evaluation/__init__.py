"""One job, one result: choose on val, refit, evaluate test once."""
