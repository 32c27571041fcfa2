"""The console as a browser sees it, without the browser: HTML by name, cookies kept, no token in a header."""

import re
from contextlib import asynccontextmanager

import httpx
import pytest

from netvigil.app.factory import create_app

PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


class Visitor:
    """One browser."""

    def __init__(self, client):
        self.client = client

    async def get(self, path, **headers):
        return await self.client.get(path, headers=headers)

    async def proof(self, path="/sign-in"):
        """The proof that the forms of a page carry."""
        return re.search('name="proof" value="([0-9a-f]{64})"', (await self.get(path)).text)[1]

    async def post(self, path, on="/scans", proof=None, headers=None, **fields):
        proof = await self.proof(on) if proof is None else proof
        return await self.client.post(path, data={"proof": proof, **fields}, headers=headers)

    async def sign_in(self, token, **fields):
        return await self.post("/sign-in", on="/sign-in", token=token, **fields)


@pytest.fixture
def app(service):
    return create_app(service)


@pytest.fixture
def visiting(app):
    """Opens a browser of its own cookies."""

    @asynccontextmanager
    async def visit(base="http://netvigil.test"):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=PAGE) as client:
            yield Visitor(client)

    return visit


@pytest.fixture
async def visitor(visiting):
    async with visiting() as browser:
        yield browser


@pytest.fixture
async def viewer(visiting, make_token):
    """Signed in as `acme` with every scope."""
    async with visiting() as browser:
        assert (await browser.sign_in(make_token())).status_code == 303
        yield browser
