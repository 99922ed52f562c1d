"""mmbnft: which SSL checkpoint will be best after fine-tuning, without fine-tuning them all.

Importing this package loads nothing. Configurations of the host framework import `mmbnft.plugin`.
"""

__version__ = "0.2.0"
