"""Credentials show nowhere."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from netvigil.probing.router.credentials import RouterAccess, RouterOsLogin, SnmpCommunity

SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize("login", [RouterOsLogin("reader", SECRET), SnmpCommunity(SECRET)])
def test_no_text_made_of_them_has_the_secret(login):
    access = RouterAccess(IPv4Address("192.0.2.1"), login)
    texts = [
        repr(login),
        str(login),
        f"{login}",
        repr(access),
        str(access),
        repr([login]),
        repr({"x": access}),
    ]
    assert all(SECRET not in text for text in texts)
    assert "192.0.2.1" in repr(access)


def test_they_are_values():
    assert RouterOsLogin("a", SECRET) == RouterOsLogin("a", SECRET, 8728, tls=False)
    with pytest.raises(AttributeError):
        RouterOsLogin("a", SECRET).password = "x"  # type: ignore[misc]
