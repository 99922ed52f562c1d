"""What adaptation changed: norm layers, features, learning curves, predictions; the maths are functions on arrays."""
