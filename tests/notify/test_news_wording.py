"""Messages in plain words; hostile strings come out as text."""

from email.policy import SMTP
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest

from netvigil.findings.states import Change
from netvigil.notify.mail import build_mail
from netvigil.notify.news import ChangeSeen, Ended, Rules, Severity, SitePart, pick
from netvigil.notify.wording import SUBJECT_MOST, Detail, Occasion, clean, word

HERE = UUID(int=1)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\r\nBcc: victim@example.com",
    "@everyone <!channel> [here](http://evil.example) `x` *b* _i_",
    "evil\u202egpj.exe\u200b\u2066",
    "\x1b[31mred\x00",
    "x" * 5000,
]


def message(hostname="core-switch", number=1, title="Weekly scan", **more):
    changes = [
        ChangeSeen(uuid4(), HERE, Change.NEW, f"CVE-2099-{n:04}", Severity.CRITICAL, 9.8, n == 0, 90.0 - n, 7)
        for n in range(number)
    ]
    site = SitePart(HERE, hostname, failed=more.get("site_failed", False), reason=hostname)
    news = pick(changes, Rules(only_news=False), Ended(failed=False, sites=(site,)))
    details = {one.vulnerability_id: Detail(hostname, hostname, hostname) for one in changes}
    return word(news, Occasion(title=title, link="https://n.example/scans/1", state="completed"), details)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.said = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_strings_are_text_in_mail(hostile):
    wording = message(hostile, title=hostile, site_failed=True)
    mail = build_mail("a@example.com", "b@example.com", "0-0", {
        "subject": wording.subject, "text": wording.text(), "html": wording.html(),
    })  # fmt: skip
    raw = mail.as_bytes(policy=SMTP)
    headers = raw.partition(b"\r\n\r\n")[0].decode()
    assert "\nBcc" not in headers
    assert {line.split(":")[0] for line in headers.split("\r\n") if line[:1].isalpha()} == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip
    page = Tags()
    page.feed(wording.html())
    assert {tag for tag, _ in page.tags} <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "p",
        "h3",
        "ul",
        "li",
        "a",
    }
    assert [attrs["href"] for tag, attrs in page.tags if tag == "a"] == ["https://n.example/scans/1"]
    assert clean(hostile) in "".join(page.said)
    assert clean(hostile) in wording.text()
    assert not any(sign in wording.text() for sign in "\x1b\x00\u202e\u2066\r")
    assert len(wording.subject) <= SUBJECT_MOST


def test_chats_get_no_markup_no_call_and_no_link_but_ours():
    chat = message(HOSTILE[3], title=HOSTILE[3]).chat()
    assert chat.endswith("\n\nhttps://n.example/scans/1")
    said = chat.removesuffix("https://n.example/scans/1")
    assert not set(said) & set("<>@[]*_`~|\\#&")
    assert "://" not in said


def test_long_messages_are_bounded():
    wording = message("x" * 5000, number=20_000)
    assert "and 19,990 more" in wording.text()
    assert len(wording.text()) < 5000
    assert wording.subject == "20,000 new vulnerabilities (20000 critical, 1 exploited): Weekly scan"


def test_words():
    wording = message()
    assert wording.subject == "1 new vulnerability (1 critical, 1 exploited): Weekly scan"
    assert wording.opening == "The scan Weekly scan has finished. New: 1 critical. 1 known to be exploited."
    assert wording.sections[0].lines == (
        "CVE-2099-0000 (critical 9.8), known to be exploited on core-switch at core-switch: core-switch",
    )
    assert message(number=0).subject == "Scan finished, nothing new: Weekly scan"
    assert message(number=0, site_failed=True).subject == "1 site could not be scanned: Weekly scan"
