"""What can be set about the feeds, and that the key shows nowhere."""

from __future__ import annotations

import pytest

from netvigil.catalogue.sync.settings import FeedSettings, read_feed_settings, shown_url
from netvigil.catalogue.sync.sources import SOURCES
from netvigil.errors import UsageError


def test_everything_has_an_official_default():
    feeds = read_feed_settings({})
    assert feeds == FeedSettings()
    assert feeds.scheduled
    assert feeds.nvd_api_key is None
    assert set(feeds.urls) == {source.name for source in SOURCES}
    assert all(url is not None and url.startswith("https://") for url in feeds.urls.values())


def test_each_can_be_set_and_turned_off():
    feeds = read_feed_settings(
        {
            "NETVIGIL_FEED_NVD_URL": "http://mirror.example:8080/nvd",
            "NETVIGIL_FEED_OSV_DEBIAN_URL": "OFF",
            "NETVIGIL_FEED_SYNC": "false",
            "NETVIGIL_FEED_SYNC_HOURS": "6",
            "NETVIGIL_NVD_API_KEY": " 0123-abcd ",
        }
    )
    assert feeds.urls["nvd"] == "http://mirror.example:8080/nvd"
    assert feeds.urls["osv-debian"] is None
    assert feeds.urls["kev"] is not None
    assert (feeds.scheduled, feeds.interval_hours, feeds.nvd_api_key) == (False, 6.0, "0123-abcd")
    assert "0123" not in repr(feeds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NETVIGIL_FEED_KEV_URL", "ftp://example.com/kev"),
        ("NETVIGIL_FEED_KEV_URL", "kev.json"),
        ("NETVIGIL_FEED_KEV_URL", "http://"),
        ("NETVIGIL_FEED_KEV_URL", "http://[::1/x"),
        ("NETVIGIL_FEED_KEV_URL", "http://example.com:99999/x"),
        ("NETVIGIL_FEED_KEV_URL", "http://example.com/a b"),
        ("NETVIGIL_FEED_SYNC", "maybe"),
        ("NETVIGIL_FEED_SYNC_HOURS", "0"),
        ("NETVIGIL_FEED_SYNC_HOURS", "nan"),
        ("NETVIGIL_FEED_SYNC_HOURS", "daily"),
    ],
)
def test_what_cannot_be_names_its_variable(name, value):
    with pytest.raises(UsageError, match=name):
        read_feed_settings({name: value})


def test_a_key_that_cannot_be_one_is_not_repeated():
    with pytest.raises(UsageError, match="NETVIGIL_NVD_API_KEY") as raised:
        read_feed_settings({"NETVIGIL_NVD_API_KEY": "s3cret\nX-Evil: 1"})
    assert "s3cret" not in str(raised.value)


def test_a_mirror_of_the_cve_list_keeps_the_public_server_out():
    assert read_feed_settings({}).cvelist_changes_url.startswith("https://")
    mirror = {"NETVIGIL_FEED_CVELIST_URL": "https://mirror.example/cves.zip"}
    assert read_feed_settings(mirror).cvelist_changes_url is None
    own = mirror | {"NETVIGIL_FEED_CVELIST_CHANGES_URL": "https://mirror.example/cves/"}
    assert read_feed_settings(own).cvelist_changes_url == "https://mirror.example/cves"


def test_a_url_is_shown_without_its_secrets():
    assert shown_url("https://u:p@mirror.example:8443/a/b?token=x#y") == "https://mirror.example:8443/a/b"
