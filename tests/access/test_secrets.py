"""Secrets at rest: what opens them, what does not, and where the key comes from."""

import base64
import dataclasses
import os
import stat

import pytest

from netvigil.access.secrets import SECRET_FILE, SecretBox
from netvigil.errors import EnvironmentFault, UsageError
from netvigil.settings import Settings, read_settings

KEY = base64.b64encode(bytes(range(32))).decode()


def test_sealed_opens_with_the_same_key_and_label_only(tmp_path):
    box = SecretBox(tmp_path / "keys")
    sealed = box.seal("päßword 🔑", "a")
    assert box.open(sealed, "a") == "päßword 🔑"
    assert box.open(box.seal("", "a"), "a") == ""
    assert box.seal("x", "a") != box.seal("x", "a")
    other = SecretBox(tmp_path / "keys", given=KEY)
    for wrong_box, wrong, label in (
        (box, sealed, "b"),
        (other, sealed, "a"),
        (box, sealed[:-1], "a"),
        (box, b"\x02" + sealed[1:], "a"),
        (box, sealed[:-1] + bytes([sealed[-1] ^ 1]), "a"),
        (box, b"", "a"),
        (box, sealed[:5], "a"),
    ):
        with pytest.raises(EnvironmentFault, match="another key") as caught:
            wrong_box.open(wrong, label)
        assert caught.value.__cause__ is None


def test_the_file_is_made_on_first_use_for_the_owner_only(tmp_path):
    folder = tmp_path / "data" / "keys"
    box = SecretBox(folder)
    assert not folder.exists()
    box.seal("x", "a")
    path = folder / SECRET_FILE
    assert (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE(path.stat().st_mode)) == (0o700, 0o600)
    content = path.read_bytes()
    assert len(base64.b64decode(content, validate=True)) == 32
    box.seal("y", "a")
    assert path.read_bytes() == content
    assert [entry.name for entry in folder.iterdir()] == [SECRET_FILE]


def test_a_lost_key_is_not_replaced_by_opening(tmp_path):
    box = SecretBox(tmp_path)
    sealed = box.seal("x", "a")
    (tmp_path / SECRET_FILE).unlink()
    with pytest.raises(EnvironmentFault, match="not on this machine: set NETVIGIL_SECRET_KEY"):
        box.open(sealed, "a")
    assert not (tmp_path / SECRET_FILE).exists()
    box.seal("new", "a")
    with pytest.raises(EnvironmentFault, match="another key"):
        box.open(sealed, "a")


def test_a_damaged_file_is_named_and_kept(tmp_path):
    box = SecretBox(tmp_path)
    sealed = box.seal("x", "a")
    for content in (b"", b"zz", b"\xff" * 44, base64.b64encode(b"short")):
        (tmp_path / SECRET_FILE).write_bytes(content)
        for use in (lambda: box.seal("x", "a"), lambda: box.open(sealed, "a")):
            with pytest.raises(EnvironmentFault, match=f"{SECRET_FILE} is damaged"):
                use()
        assert (tmp_path / SECRET_FILE).read_bytes() == content


def test_the_setting_wins_over_the_file_and_two_machines_share_it(tmp_path):
    here = Settings(data_dir=tmp_path / "here", secret_key=KEY)
    there = dataclasses.replace(here, data_dir=tmp_path / "there")
    SecretBox(here.keys_dir).seal("x", "a")
    sealed = SecretBox.of(here).seal("shared", "a")
    assert SecretBox.of(there).open(sealed, "a") == "shared"
    assert not there.keys_dir.exists()
    with pytest.raises(EnvironmentFault, match="another key"):
        SecretBox(here.keys_dir).open(sealed, "a")


def test_the_setting_is_read_checked_and_never_shown():
    raw = os.urandom(32)
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        given = read_settings({"NETVIGIL_SECRET_KEY": text.decode(), "NETVIGIL_DATA_DIR": "/x"})
        assert given.secret_key == text.decode()
        assert text.decode() not in repr(given)
        assert text.decode() not in repr(SecretBox.of(given))
    for wrong in ("hunter2hunter2", base64.b64encode(b"x" * 31).decode(), "é" * 44, KEY[:-1]):
        with pytest.raises(UsageError, match="NETVIGIL_SECRET_KEY must be 32 bytes in base64") as caught:
            read_settings({"NETVIGIL_SECRET_KEY": wrong})
        assert wrong not in str(caught.value)
    with pytest.raises(EnvironmentFault, match="NETVIGIL_SECRET_KEY must be"):
        SecretBox(given.keys_dir, "no").seal("x", "a")


def test_rates_are_settings():
    given = read_settings({"NETVIGIL_MAX_RATE_ON_LINK": "9000", "NETVIGIL_MAX_CONNECTIONS": "50"})
    assert (given.max_rate, given.max_rate_on_link, given.max_connections) == (1500, 9000, 50)
    for name in ("NETVIGIL_MAX_RATE_ON_LINK", "NETVIGIL_MAX_CONNECTIONS"):
        with pytest.raises(UsageError, match=f"{name} must be greater than 0"):
            read_settings({name: "0"})
