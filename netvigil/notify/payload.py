"""A message frozen for the outbox: the words, and the JSON body of a webhook (schema `netvigil.news/1`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netvigil.access.wire import utc_text
from netvigil.notify.webhook import SCHEMA
from netvigil.notify.wording import clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from netvigil.notify.models import NotificationGroup
    from netvigil.notify.news import ChangeSeen, News
    from netvigil.notify.wording import Detail, Wording
    from netvigil.scans.models import Scan


def freeze(
    group: NotificationGroup,
    wording: Wording,
    *,
    event: str,
    news: News | None = None,
    details: Mapping[UUID, Detail] | None = None,
    scan: Scan | None = None,
) -> dict[str, Any]:
    """What is stored and sent: `subject`, `text`, `html`, `chat`, `chat_subject`, and `body` for webhooks."""
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "event": event,
        "created_at": utc_text(datetime.now(UTC)),
        "group": {"id": str(group.id), "key": group.key, "name": group.name},
        "subject": wording.subject,
        "text": wording.text(),
        "link": wording.link,
        "scan": _scan(scan) if scan else None,
    }
    if news is not None:
        named = [*news.top, *news.better]
        body |= {
            "counts": {
                str(change): {str(severity): number for severity, number in counts.items()}
                for change, counts in news.counts.items()
            },
            "kev": news.kev,
            "findings": [_finding(one, (details or {}).get(one.vulnerability_id)) for one in named],
            "more": news.worse + news.better_count - len(named),
            "failed_sites": [
                {"id": str(site.site_id), "name": site.name, "offline": site.offline, "reason": site.reason}
                for site in news.failed_sites
            ],
        }
    return {
        "subject": wording.subject,
        "text": wording.text(),
        "html": wording.html(),
        "chat": wording.chat(),
        "chat_subject": wording.chat_subject(),
        "body": body,
    }


def _scan(scan: Scan) -> dict[str, Any]:
    return {
        "id": str(scan.id),
        "scan_id": scan.human_id,
        "scan_schedule_id": str(scan.schedule_id) if scan.schedule_id else None,
        "description": scan.description,
        "trigger": scan.trigger,
        "state": scan.state,
        "error": scan.error,
        "started_at": utc_text(scan.started_at),
        "finished_at": utc_text(scan.finished_at) if scan.finished_at else None,
    }


def _finding(one: ChangeSeen, detail: Detail | None) -> dict[str, Any]:
    return {
        "change": str(one.change),
        "cve_id": one.cve_id,
        "severity": str(one.severity),
        "score": one.score,
        "kev": one.kev,
        "priority": one.priority,
        "reason": detail.reason if detail else "",
        "device": clean(detail.device) if detail else None,
        "ip_address": detail.address if detail else None,
        "mac_address": detail.mac if detail else None,
        "site_id": str(one.site_id),
        "site": detail.site if detail else None,
    }
