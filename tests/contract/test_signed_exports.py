"""Signed links: for one scan and one form, for a time, without a token."""

import time
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from sqlalchemy import text

from netvigil.reports.content import freeze
from netvigil.reports.exports.table import FORMATS
from netvigil.scans.models import Scan

SCHEDULES = "/scans/cve/scheduled"
ANONYMOUS = {"Authorization": ""}
MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "sarif": "application/sarif+json",
    "cyclonedx": "application/vnd.cyclonedx+json; version=1.6",
}


@pytest.fixture
def end(api, create, database):
    """Start a scan and end it with an empty report; gives its id."""

    async def run():
        schedule = await create()
        scan_id = (await api.post(f"{SCHEDULES}/{schedule['id']}/invoke")).json()["scan_id"]
        async with database.transaction() as session:
            scan = await session.get_one(Scan, scan_id)
            scan.summary = (await freeze(session, scan)).model_dump()
            await session.execute(text("UPDATE site_scan SET state = 'scanned'"))
            scan.state = "completed"
        return scan_id

    return run


async def links(api, scan_id):
    return {one["format"]: one for one in (await api.get(f"/scans/cve/{scan_id}/exports")).json()}


def changed(url, *, path=None, **query):
    parts = urlsplit(url)
    values = {**dict(parse_qsl(parts.query)), **query}
    return urlunsplit((parts.scheme, parts.netloc, path or parts.path, urlencode(values), ""))


async def test_each_form_has_a_link_that_opens_without_a_token(api, end):
    scan_id = await end()
    human = (await api.get(f"/scans/cve/{scan_id}")).json()["scan_id"]
    offered = await links(api, human)
    assert set(offered) == set(FORMATS) == set(MEDIA)
    for name, link in offered.items():
        answer = await api.get(link["url"], headers=ANONYMOUS)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == link["media_type"] == MEDIA[name]
        assert answer.headers["content-disposition"] == f'attachment; filename="{link["file_name"]}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-store"
        assert link["file_name"].startswith(f"netvigil-{human}.")
        asked = await api.get(f"/scans/cve/{scan_id}", params={"format": name})
        assert asked.content == answer.content
    report = (await api.get(f"/scans/cve/{scan_id}")).json()
    assert (await api.get(report["json_url"], headers=ANONYMOUS)).json()["scan"]["id"] == scan_id


async def test_a_link_opens_nothing_else(api, end):
    one, other = await end(), await end()
    offered = await links(api, one)
    for name, link in offered.items():
        path = urlsplit(link["url"]).path
        for changes in (
            {"path": path.replace(one, other)},
            {"path": path.rsplit("/", 1)[0] + "/log.txt"},
            {"expires": str(int(time.time()) + 10**6)},
            {"signature": "0" * 64},
            {"signature": "é"},
            {"expires": "٣"},
            *(
                {"path": path.rsplit(".", 1)[0] + f".{form.extension}"}
                for form in FORMATS.values()
                if form.name != name
            ),
        ):
            url = changed(link["url"], **changes)
            if urlsplit(url).path == path and not changes.keys() - {"path"}:
                continue
            refused = await api.get(url, headers=ANONYMOUS)
            assert (refused.status_code, refused.json()["code"]) == (403, "link_invalid"), url
        # what is not signed changes nothing about what is opened
        answer = await api.get(changed(link["url"], format="csv"), headers=ANONYMOUS)
        assert answer.headers["content-type"] == MEDIA[name]


async def test_links_expire_after_the_setting(api, service, end):
    scan_id = await end()
    link = (await links(api, scan_id))["csv"]
    expires = int(dict(parse_qsl(urlsplit(link["url"]).query))["expires"])
    assert abs(expires - time.time() - service.settings.link_ttl) < 5
    assert service.settings.link_ttl == 24 * 3600
    from netvigil.access.links import signed_url  # noqa: PLC0415 - beside what it is used for

    gone = signed_url("", urlsplit(link["url"]).path, key=service.keys.link, ttl=-1)
    assert (await api.get(gone, headers=ANONYMOUS)).status_code == 403


async def test_a_running_scan_has_no_files_yet(api, create):
    schedule = await create()
    scan_id = (await api.post(f"{SCHEDULES}/{schedule['id']}/invoke")).json()["scan_id"]
    assert (await api.get(f"/scans/cve/{scan_id}/exports")).json() == []
    for name in FORMATS:
        answer = await api.get(f"/scans/cve/{scan_id}", params={"format": name})
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")


@pytest.mark.parametrize(
    ("query", "field"), [("format=pfd", "format"), ("format=", "format"), ("format=csv&bom=perhaps", "bom")]
)
async def test_what_no_form_is(api, end, query, field):
    scan_id = await end()
    for part in ("", "/findings"):
        refused = await api.get(f"/scans/cve/{scan_id}{part}?{query}")
        assert (refused.status_code, list(refused.json()["errors"])) == (422, [field])


async def test_other_organisations_see_no_files(api, end, token_of):
    scan_id = await end()
    for path in ("/exports", "?format=csv", "/findings?format=sarif", "/diff"):
        answer = await api.get(f"/scans/cve/{scan_id}{path}", headers=token_of("*", organisation="other"))
        assert answer.status_code == 404
        answer = await api.get(f"/scans/cve/{scan_id}{path}", headers=token_of("sites:view"))
        assert answer.status_code == 403
