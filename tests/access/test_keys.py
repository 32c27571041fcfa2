"""Keys: made once, readable by the owner only, and never half taken."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from netvigil.access.keys import LINK_FILE, SIGNING_FILE, load_keys
from netvigil.errors import EnvironmentFault


def test_made_once_and_for_the_owner_only(tmp_path):
    folder = tmp_path / "data" / "keys"
    first = load_keys(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {SIGNING_FILE, LINK_FILE}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = load_keys(folder)
    assert again.link == first.link
    assert again.signing.as_dict(private=True) == first.signing.as_dict(private=True)


def test_many_that_come_first_at_once_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        all_keys = list(pool.map(lambda _: load_keys(tmp_path / "keys"), range(16)))
    assert len({keys.link for keys in all_keys}) == 1
    assert len({keys.signing.as_dict(private=True)["d"] for keys in all_keys}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 2


def test_damaged_files_are_named_and_not_replaced(tmp_path):
    whole = load_keys(tmp_path)
    public = json.dumps(whole.signing.as_dict(private=False)).encode()
    half = (tmp_path / LINK_FILE).read_bytes()[:20]
    damage = {
        SIGNING_FILE: [
            b"",
            b"{",
            b"{}",
            b"[]",
            b"1",
            b'{"kty": "OKP"}',
            b"\xff",
            public,
            b'{"kty": "oct", "k": "AA"}',
        ],
        LINK_FILE: [b"", b"zz", half, b"\xff", b"\n"],
    }
    for name, contents in damage.items():
        good = (tmp_path / name).read_bytes()
        for content in contents:
            (tmp_path / name).write_bytes(content)
            with pytest.raises(EnvironmentFault, match="damaged"):
                load_keys(tmp_path)
            assert (tmp_path / name).read_bytes() == content
        (tmp_path / name).write_bytes(good)
    assert load_keys(tmp_path).link == whole.link
