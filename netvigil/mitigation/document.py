"""PURE: the whole page on a CVE, from what to do first to where it is all from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from netvigil.mitigation import routeros, services, weaknesses
from netvigil.mitigation.markdown import cell, code, escape_markdown, link, table
from netvigil.mitigation.names import distribution_of, is_distribution, product_name
from netvigil.mitigation.upgrades import build_upgrades
from netvigil.mitigation.versions import (
    FIXES_SHOWN,
    NO_FIX,
    PRODUCTS_SHOWN,
    describe_product,
    fixed_versions,
    goals,
    package_fixes,
)
from netvigil.mitigation.wording import (
    attack_in_words,
    exploited_in_words,
    likelihood_in_words,
    severity_in_words,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from netvigil.matching.backports import Fix
    from netvigil.mitigation.facts import CveFacts, Touched, TouchedDevice
    from netvigil.mitigation.versions import ProductFix

REFERENCES_SHOWN: Final = 8
FIXES_IN_GOAL: Final = 4
LIKELY: Final = 0.5
STALE: Final = timedelta(days=7)
_RECORDS: Final = (
    ("NVD", "https://nvd.nist.gov/vuln/detail/{cve}"),
    ("CVE Program", "https://www.cve.org/CVERecord?id={cve}"),
)
_GROUPS: Final = (
    ("Exploits, to know what is public; do not run them on anything that you need", ("exploit",)),
    ("From the vendor", ("vendor advisory", "release notes", "product")),
    ("Patches", ("patch",)),
    ("Work-arounds", ("mitigation",)),
    ("Advisories and reports", ()),
)


def build_document(facts: CveFacts, touched: Touched, now: datetime) -> str:
    """The page in Markdown; every text from outside is escaped."""
    if facts.rejected:
        return _rejected(facts, touched)
    products = fixed_versions(facts, touched)
    packages = package_fixes(facts.fixes, touched.distributions)
    blocks = [
        f"# {facts.cve_id}: {title_of(facts, touched)}",
        f"> **{_first_step(facts, touched, products, packages)}**",
        _in_short(facts, touched, products, packages, now),
        *_what_it_is(facts),
        *_devices(touched),
        *_fixes(facts, products, packages),
        *_upgrades(facts, touched, products),
        *_workarounds(facts, touched),
        *_checks(facts, touched),
        *_weaknesses(facts),
        *_references(facts),
        *_origin(facts, now),
    ]
    return "\n\n".join(blocks) + "\n"


def _rejected(facts: CveFacts, touched: Touched) -> str:
    blocks = [
        f"# {facts.cve_id}: rejected",
        "> **Nothing to do: this CVE was rejected by those who assigned it, so it stands for no vulnerability.**",
    ]
    if facts.description:
        blocks += ["## Why", escape_markdown(facts.description)]
    blocks += _devices(touched)
    if touched.total:
        blocks.append(
            "These findings are from before the rejection; the next scan or data update takes them back."
        )
    return "\n\n".join(blocks) + "\n"


def _first_step(
    facts: CveFacts, touched: Touched, products: Sequence[ProductFix], packages: Sequence[Fix]
) -> str:
    goal = _goal(touched, products, packages) or (
        "update to the newest version, and close the way to it until then, for the data name no fixed version"
    )
    if not touched.total:
        return f"No device in your newest scans is known to have it. Where you have the product elsewhere: {goal}."
    many = "1 device of yours has it" if touched.total == 1 else f"{touched.total} devices of yours have it"
    return f"{many}. Act {'now' if _is_urgent(facts) else 'soon'}: {goal}."


def _is_urgent(facts: CveFacts) -> bool:
    """Exploited, or more likely than not to be so soon."""
    return facts.exploited is not None or (facts.likelihood is not None and facts.likelihood.score >= LIKELY)


def _goal(touched: Touched, products: Sequence[ProductFix], packages: Sequence[Fix]) -> str:
    """What to update to, in a few words; empty where the data name nothing."""
    named = goals(products)
    if touched.distributions and any(one.fixed for one in packages):
        shown = sorted({one.fixed_in for one in touched.devices if one.distribution and one.fixed_in})
        words = ", ".join(escape_markdown(one, 60) for one in shown[:FIXES_IN_GOAL])
        return f"install your distribution's fixed package{f' ({words})' if words else ''}"
    if touched.distributions and len(touched.distributions) == len(
        {one.distribution for one in touched.devices}
    ):
        upstream = "; ".join(escape_markdown(one, 60) for one in named)
        where = ", ".join(sorted(touched.distributions))
        return f"install the newest package of {where}{f' (without a distribution: {upstream})' if upstream else ''}"
    if named:
        first = next((one for one in products if one.touched), products[0])
        what = escape_markdown(product_name(first.names[0]), 80)
        shown_goals = "; or ".join(escape_markdown(one, 60) for one in named)
        return f"update {what} to {shown_goals}"
    if any(one.fixed for one in packages):
        return "install your distribution's fixed package (see the table)"
    if any(one.bound for product in products for one in product.ranges):
        return "update to the fixed version of your product (see the table)"
    return ""


def _in_short(
    facts: CveFacts, touched: Touched, products: Sequence[ProductFix], packages: Sequence[Fix], now: datetime
) -> str:
    metric = facts.record.best_metric if facts.record else None
    unscored = "nobody has scored it yet: judge it by its description" if facts.record else "not known here"
    here = "no device known to have it; one that was not scanned, or whose version stayed unknown, is not counted"
    if touched.total:
        sites = "1 site" if touched.sites == 1 else f"{touched.sites} sites"
        here = f"**{touched.total} device{'s' if touched.total > 1 else ''}** at {sites} (see below)"
    fix = _goal(touched, products, packages) or "no fixed version is named in the data"
    exploited = exploited_in_words(facts, now.date())
    lines = [
        f"- Severity: {severity_in_words(metric) if metric else unscored}",
        f"- Likelihood of attacks: {likelihood_in_words(facts) or 'not estimated (EPSS does not have it)'}",
        f"- Exploited: {exploited or 'not on the list of known exploited vulnerabilities (CISA KEV)'}",
        f"- In your network: {here}",
        f"- Fix: {fix}",
    ]
    return "\n".join(lines)


def _what_it_is(facts: CveFacts) -> list[str]:
    metric = facts.record.best_metric if facts.record else None
    blocks = ["## What it is"]
    if facts.description:
        blocks.append(escape_markdown(facts.description))
    elif facts.record is None:
        blocks.append("No source of CVE records that is loaded here has it; the lists named at the end do.")
    if metric is not None and (words := attack_in_words(metric)):
        blocks.append(words)
    names = dict(facts.cwe_names)
    kinds = [f"{code(cwe)} {escape_markdown(names.get(cwe, ''), 120)}".strip() for cwe in _cwes(facts)]
    if kinds:
        blocks.append(f"Kind of fault: {'; '.join(kinds)}.")
    return blocks if len(blocks) > 1 else []


def _cwes(facts: CveFacts) -> list[str]:
    """The numbers; `NVD-CWE-noinfo` and its like say nothing."""
    return [one for one in (facts.record.cwes if facts.record else ()) if one.startswith("CWE-")]


def _devices(touched: Touched) -> list[str]:
    if not touched.total:
        return []
    rows = [_device_row(one) for one in touched.devices]
    header = ("Name", "Address", "Site", "MAC", "Service", "Seen", "Fixed in", "Certainty")
    blocks = ["## Your devices", table(header, rows)]
    rest = touched.total - len(touched.devices)
    if rest > 0:
        blocks.append(f"… and {rest} more.")
    return blocks


def _device_row(device: TouchedDevice) -> tuple[str, ...]:
    product = device.product
    service = f"{device.service or ''} {device.port}/{device.protocol}" if device.port else device.service
    notes = [word for word in (device.decision, "came back" if device.regressed else None) if word]
    sure = f"{device.confidence} ({', '.join(notes)})" if notes else device.confidence
    return (
        cell(device.hostname or device.manufacturer),
        cell(device.address),
        cell(device.site),
        cell(device.mac),
        cell(service),
        cell(describe_product(product) if product else device.seen),
        cell(device.fixed_in),
        cell(sure),
    )


def _fixes(facts: CveFacts, products: Sequence[ProductFix], packages: Sequence[Fix]) -> list[str]:
    blocks = ["## Fixed versions"]
    if products:
        rows = [row for product in products[:PRODUCTS_SHOWN] for row in _product_rows(product)]
        blocks.append(table(("Product", "Affected", "Fixed in"), rows))
        if len(products) > PRODUCTS_SHOWN:
            blocks.append(f"… and {len(products) - PRODUCTS_SHOWN} more products.")
        if any(fix.fixed == NO_FIX for one in products for fix in one.ranges):
            blocks.append(f"“{NO_FIX}” means that the record names no end of the affected versions.")
    named = sorted({words for one in facts.products if (words := distribution_of(one))})
    if named:
        shown = ", ".join(escape_markdown(one, 60) for one in named)
        blocks.append(f"Distributions named too: {shown}. There the package decides, not the release.")
    if packages:
        rows = [_package_row(one) for one in packages[:FIXES_SHOWN]]
        blocks.append(table(("Distribution", "Package", "Fixed in", "Advisory"), rows))
        if len(packages) > FIXES_SHOWN:
            blocks.append(f"… and {len(packages) - FIXES_SHOWN} more releases and packages.")
    if len(blocks) == 1:
        where = "See the references below" if facts.record and facts.record.references else "Ask its vendor"
        blocks.append(
            f"No source names affected versions yet, so none can be compared with what your devices run. {where}."
        )
    return blocks


def _product_rows(product: ProductFix) -> list[tuple[str, ...]]:
    more = f" and {product.more_names} more" if product.more_names else ""
    own = " (yours)" if product.touched else ""
    name = f"{cell(product.name)}{more}{own}"
    rows: list[tuple[str, ...]] = [(name, cell(one.affected), cell(one.fixed)) for one in product.ranges]
    rows[1:] = [("", affected, fixed) for _, affected, fixed in rows[1:]]
    if product.more_ranges:
        rows.append(("", f"… and {product.more_ranges} more ranges", ""))
    return rows


def _package_row(fix: Fix) -> tuple[str, ...]:
    fixed = fix.fixed or (f"newer than {fix.last_affected}" if fix.last_affected else "no fix yet")
    return cell(f"{fix.ecosystem} {fix.release}"), cell(fix.package), cell(fixed), cell(fix.advisory)


def _upgrades(facts: CveFacts, touched: Touched, products: Sequence[ProductFix]) -> list[str]:
    sections = build_upgrades(facts, touched, products)
    if not sections:
        return []
    blocks = ["## How to update"]
    for title, lines in sections:
        blocks += [f"### {title}", *lines]
    return blocks


def _workarounds(facts: CveFacts, touched: Touched) -> list[str]:
    names = {one.name for one in touched.products} or {
        one for one in facts.products if not is_distribution(one)
    }
    blocks: list[str] = []
    if any(routeros.is_routeros(name) for name in names):
        blocks += ["### On RouterOS", *routeros.build_workarounds(facts.cve_id, facts.description, touched)]
    rest = sorted(name for name in names if not routeros.is_routeros(name))
    if rest or not names:
        more = services.build_workarounds(facts, touched, rest)
        blocks += ["### On other products", *more] if more and blocks else more
    return ["## Until it is updated", *blocks] if blocks else []


def _checks(facts: CveFacts, touched: Touched) -> list[str]:
    if facts.exploited is None:
        return []
    names = {one.name for one in touched.products} or set(facts.products)
    if not any(routeros.is_routeros(name) for name in names):
        return []
    return ["## Has somebody been there?", *routeros.build_checks()]


def _weaknesses(facts: CveFacts) -> list[str]:
    lines = [f"- {code(cwe)}: {weakness.advice}" for cwe, weakness in weaknesses.advice_for(_cwes(facts))]
    return ["## What limits the damage", "\n".join(lines)] if lines else []


def _references(facts: CveFacts) -> list[str]:
    groups: dict[str, list[str]] = {title: [] for title, _ in _GROUPS}
    for reference in facts.record.references if facts.record else ():
        shown = link(reference.url)
        if shown is None:
            continue
        tags = {tag.lower() for tag in reference.tags}
        title = next((name for name, words in _GROUPS if tags & set(words)), _GROUPS[-1][0])
        groups[title].append(shown)
    order = [*(title for title, _ in _GROUPS[1:]), _GROUPS[0][0]]
    blocks = []
    for title in order:
        links = list(dict.fromkeys(groups[title]))
        if links:
            rest = len(links) - REFERENCES_SHOWN
            lines = [f"- {one}" for one in links[:REFERENCES_SHOWN]]
            lines += [f"- … and {rest} more"] if rest > 0 else []
            blocks += [f"{title}:", "\n".join(lines)]
    records = [link(page.format(cve=facts.cve_id), name) for name, page in _RECORDS]
    return ["## References", *blocks, f"The record itself: {' · '.join(one for one in records if one)}."]


def _origin(facts: CveFacts, now: datetime) -> list[str]:
    record = facts.record
    words = [f"Made from {', '.join(facts.sources)}." if facts.sources else ""]
    if record is not None:
        words.append(
            f"The record was published on {record.published:%Y-%m-%d} and last changed on {record.modified:%Y-%m-%d}."
        )
    if facts.data_date is not None:
        words.append(f"The newest record of the data here is of {facts.data_date:%Y-%m-%d}.")
        if now - facts.data_date > STALE:
            words.append(
                "**That is more than seven days ago: refresh the data before you rely on this page.**"
            )
    return ["---", " ".join(one for one in words if one)]
