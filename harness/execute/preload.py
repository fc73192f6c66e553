"""Imports of the fork server, made once so that no trial waits for them.

Nothing here may start a thread or run an operator: a process forked from one that has would inherit their locks.
Nothing may initialise CUDA either: a forked process cannot use it then. So peft, which asks bitsandbytes for the GPU's
capability when it is imported, is left to each trial where a GPU is visible (one second).

The half a million objects of the libraries are then frozen (gc.freeze), so that no trial looks through them for garbage
before each phase, which took longer than some phases do.
"""

import gc
import logging
import os
from importlib import import_module

from harness.measure.allocator import GPU_SETTINGS

_FOR_IMPORT = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's and scipy's BLAS start their threads when they are loaded
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # so does the allocator within pyarrow
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # else the question whether there is a GPU initialises CUDA
    **GPU_SETTINGS,
}
os.environ.update({name: value for name, value in _FOR_IMPORT.items() if name not in os.environ})

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # peft loads it; its hint is about a kernel that is not used

for _name in (
    "harness.execute.worker",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
):
    import_module(_name)


def import_without_gpu(*names: str) -> None:
    """Import modules that initialise CUDA where there is a GPU, unless one is visible."""
    if not import_module("torch").cuda.is_available():
        for name in names:
            import_module(name)


import_without_gpu("peft")
gc.collect()
gc.freeze()
