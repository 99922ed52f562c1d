"""From a dozen checkpoints and a budget to one fine-tuned network: which checkpoint to train next, and when to stop."""
