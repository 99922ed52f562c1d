"""The training loop of one candidate: state, loaders, distributed batches."""
