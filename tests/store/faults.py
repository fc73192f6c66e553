"""Faults of reading that the kernel itself reports, without a stand-in for `open` or `read`."""

import os
import resource
from contextlib import contextmanager

PAGE = 4096


@contextmanager
def unreadable(file):
    """Let reading a file fail with EIO: it becomes a link to this process' memory, whose first page is not mapped."""
    aside = file.with_name(f"{file.name}.sound")
    file.rename(aside)
    file.symlink_to("/proc/self/mem")
    try:
        yield
    finally:
        file.unlink()
        aside.rename(file)


@contextmanager
def few_handles(free):
    """Let opening fail with EMFILE as soon as so many more files are open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(64)]  # the lowest free numbers, so that none is left
    try:
        for handle in handles[:free]:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (handles[-1] + 1, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in handles[free:]:
            os.close(handle)


def cuts(file):
    """Cut a file at every page, from its end to its beginning, and yield each length; it is whole again afterwards."""
    content = file.read_bytes()
    try:
        for length in sorted({*range(0, len(content), PAGE), len(content) - 1}, reverse=True):
            file.write_bytes(content[:length])
            yield length
    finally:
        file.write_bytes(content)
