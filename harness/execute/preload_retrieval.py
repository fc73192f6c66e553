"""Further imports of the fork server if a trial retrieves passages; see `harness.execute.preload`."""

import gc
from importlib import import_module

from harness.execute.preload import import_without_gpu  # first: it says how libraries are loaded

import_module("faiss")
import_without_gpu("sentence_transformers")  # imports peft
gc.collect()
gc.freeze()
