"""What the fork server imports as well if a trial retrieves passages; see `harness.execute.preload`."""

import gc
from importlib import import_module

for _name in ("harness.execute.preload", "faiss", "sentence_transformers"):  # the first says how libraries are loaded
    import_module(_name)

gc.collect()
gc.freeze()
