"""mmbnft: which SSL checkpoint will be best after fine-tuning, without fine-tuning them all."""

__version__ = "0.1.0"
