"""A small wheel, and the pinned source that it is the archive of."""

import hashlib
import io
import zipfile

from harness.data import sources

NAME = "tiny-1.0-py3-none-any.whl"


def source_of(content: bytes) -> sources.Source:
    return sources.Source(
        name="tiny",
        use="data",
        package="tiny",
        version="1.0",
        filename=NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        licence="CC0-1.0",
    )


def wheel() -> bytes:
    content = io.BytesIO()
    members = {
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny-1.0.dist-info/RECORD": "",
        "tiny/data/rows.txt": "one\ntwo\n",
        "tiny/data/deep/more.txt": "three\n",
    }
    with zipfile.ZipFile(content, "w") as file:
        for name, text in members.items():
            file.writestr(zipfile.ZipInfo(name), text)  # a fixed date: the same bytes each time
    return content.getvalue()
