"""What opens a checkpoint file without executing anything in it, one module per kind of container."""
