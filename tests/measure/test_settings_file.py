"""Whatever text file a user names: a device, a pipe, a folder or a huge file is one line and is not read."""

import os

import pytest

from harness.compare.cost.prices import load_prices
from harness.data.suite_file import read_config
from harness.endpoints.providers import _read_endpoints
from harness.errors import HarnessError
from harness.measure.settings_file import MAX_BYTES
from harness.plan import config
from harness.prompts.template import read_text

READERS = {
    "prices": load_prices,
    "suite": read_config,
    "endpoints": _read_endpoints,
    "settings": config._read,
    "template": lambda path: read_text(str(path), "template"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_or_too_large_is_not_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", MAX_BYTES + 1)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(HarnessError, match=rf"{path} is no regular file of up to 16 MiB\."):
            READERS[name](path)
    with pytest.raises(HarnessError) as raised:
        READERS[name](tmp_path / "missing")
    assert "\n" not in str(raised.value)
