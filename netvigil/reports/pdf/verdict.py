"""PURE: what a scan means, in one plain sentence, and its numbers against the scan before."""

from __future__ import annotations

from typing import Any

from netvigil.reports.pdf.groups import count_severities, is_open


def verdict(report: dict[str, Any]) -> dict[str, str]:
    """`level` (a severity in lower case, `none` or `unknown`), `word` for the badge, `sentence`, and `detail`."""
    findings = [one for one in report.get("findings", []) if is_open(one)]
    level, word, sentence = _judge(report, findings)
    return {"level": level, "word": word, "sentence": sentence, "detail": " ".join(_details(report))}


def numbers(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The first page's figures: label, value, `change` in words (empty without a previous scan) and whether it is good."""
    scan = report.get("scan", {})
    before = (report.get("previous") or {}).get("numbers")
    rows = (
        ("findings", "cve_count", True),
        ("known exploited", "kev_count", True),
        ("distinct CVEs", "unique_cves", True),
        ("devices seen", "hosts_scanned", None),
        ("devices with findings", "hosts_with_cves", True),
        ("open ports", "open_ports", None),
    )
    shown = []
    for name, key, fewer_is_better in rows:
        value = int(scan.get(key) or 0)
        delta = value - int(before.get(key) or 0) if before is not None else None
        good = None if not delta or fewer_is_better is None else (delta < 0) is fewer_is_better
        shown.append({"label": name, "value": value, "change": _change(delta), "good": good})
    return shown


def _judge(report: dict[str, Any], findings: list[dict[str, Any]]) -> tuple[str, str, str]:
    live = int(report.get("scan", {}).get("hosts_scanned") or 0)
    if not live:
        return _judge_silence(report)
    counts = count_severities(findings)
    exploited = [one for one in findings if one.get("kev")]
    if exploited:
        return "critical", "Act now", _exploited_sentence(exploited, counts, live)
    if counts["CRITICAL"]:
        touched = _devices(findings, "CRITICAL")
        many = _plural(counts["CRITICAL"], "critical vulnerability")
        said = f"{_of(touched, live)} {_have(touched)} {many}; none of them is known to be exploited yet."
        return "critical", "Act this week", said
    if counts["HIGH"]:
        touched = _devices(findings, "HIGH")
        return (
            "high",
            "Plan updates",
            f"{_of(touched, live)} {_have(touched)} {_plural(counts['HIGH'], 'serious vulnerability')}; nothing critical was found.",
        )
    if findings:
        touched = len({one["host"]["id"] for one in findings})
        return (
            "medium" if counts["MEDIUM"] else "low",
            "No hurry",
            f"{_of(touched, live)} {_have(touched)} {_plural(len(findings), 'vulnerability')} of medium or low severity.",
        )
    return "none", "Nothing found", _clean_sentence(report, live)


def _judge_silence(report: dict[str, Any]) -> tuple[str, str, str]:
    failed = [site for site in report.get("sites", []) if site.get("state") == "failed"]
    if failed and len(failed) == len(report.get("sites", [])):
        what = "The site" if len(failed) == 1 else f"None of the {len(failed)} sites"
        could = "could not be scanned" if len(failed) == 1 else "could be scanned"
        return "unknown", "No result", f"{what} {could}, so this report says nothing about its safety."
    if report.get("scan", {}).get("stopped"):
        return "unknown", "No result", "The scan was stopped before any device was seen."
    return "unknown", "No device", "No device answered in the scanned networks."


def _exploited_sentence(exploited: list[dict[str, Any]], counts: dict[str, int], live: int) -> str:
    touched = len({one["host"]["id"] for one in exploited})
    cves = len({one["cve_id"] for one in exploited})
    said = f"{_of(touched, live)} {_have(touched)} {_plural(cves, 'vulnerability')} that attackers are known to use"
    others = counts["CRITICAL"] - sum(str(one.get("severity")).upper() == "CRITICAL" for one in exploited)
    return f"{said}, and {_plural(others, 'further critical finding')}." if others > 0 else f"{said}."


def _clean_sentence(report: dict[str, Any], live: int) -> str:
    decided = len(report.get("findings", []))
    if decided:
        return f"Every one of the {_plural(decided, 'finding')} on {_plural(live, 'device')} has been accepted or mitigated."
    floor = report.get("scan", {}).get("min_cvss") or 0
    above = f" with a score of {floor:g} or more" if floor else ""
    return f"No known vulnerability{above} was found on the {_plural(live, 'device')} that answered."


def _details(report: dict[str, Any]) -> list[str]:
    said = []
    scan, sites = report.get("scan", {}), report.get("sites", [])
    failed = [site for site in sites if site.get("state") == "failed"]
    why = []
    if failed and scan.get("hosts_scanned"):
        some = f"{len(failed)} of {len(sites)} sites could not be scanned"
        why.append(some if len(sites) > 1 else "the scan broke off")
    if scan.get("stopped"):
        why.append("the scan was stopped before its end")
    if why:
        said.append(f"The picture is incomplete: {' and '.join(why)}.")
    previous = report.get("previous")
    if previous:
        new, gone = int(scan.get("new_count") or 0), int(scan.get("resolved_count") or 0)
        said.append(f"Since {str(previous.get('started_at') or '')[:10]}: {new:,} new, {gone:,} resolved.")
        back = sum(bool(one.get("regressed")) for one in report.get("findings", []))
        if back:
            said.append(f"{back:,} came back after having been resolved or mitigated.")
    elif previous is None and scan.get("hosts_scanned"):
        said.append("There is no earlier complete scan to compare it with.")
    return said


def _devices(findings: list[dict[str, Any]], severity: str) -> int:
    return len({one["host"]["id"] for one in findings if str(one.get("severity")).upper() == severity})


def _of(touched: int, live: int) -> str:
    return "The one device that answered" if touched == live == 1 else f"{touched:,} of {live:,} devices"


def _have(touched: int) -> str:
    return "has" if touched == 1 else "have"


def _plural(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def _change(delta: int | None) -> str:
    if delta is None:
        return ""
    return "no change" if delta == 0 else f"▲ {delta:,} more" if delta > 0 else f"▼ {-delta:,} fewer"
