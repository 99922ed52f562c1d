"""mmbnft: which SSL checkpoint will be best after fine-tuning, without fine-tuning them all.

Importing this package registers its backbones, heads, data sets and hooks with MMSelfSup, so a stock configuration
needs nothing but `custom_imports = dict(imports=["mmbnft"])`.
"""

from mmbnft import compat

compat.prepare()

from mmbnft import hooks, models, tasks  # noqa: E402, F401  (registers)

__version__ = "0.1.0"
