"""PURE: a CVE in plain words: its title, what an attacker needs and gets, how bad and how likely it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netvigil.catalogue.records import parse_vector
from netvigil.mitigation import weaknesses
from netvigil.mitigation.markdown import code, escape_markdown, plain_text
from netvigil.mitigation.names import is_distribution, product_name

if TYPE_CHECKING:
    from datetime import date

    from netvigil.catalogue.records import Metric
    from netvigil.mitigation.facts import CveFacts, Touched

TITLE_LIMIT: Final = 120
_NIST: Final = "nvd@nist.gov"
_FROM: Final = {
    "NETWORK": "from any network that reaches the service",
    "ADJACENT_NETWORK": "from the same network segment",
    "LOCAL": "with local access: a log-in on the machine, or a file that somebody opens there",
    "PHYSICAL": "with the device in their hands",
}
_ACCOUNT: Final = {
    "NONE": "without an account",
    "LOW": "with an ordinary account",
    "HIGH": "with an administrator's account",
}
_HELP: Final = {
    "NONE": "and without anybody's help",
    "REQUIRED": "and needs a user to do something, such as opening a link",
}
_WHOLE: Final = {
    "confidentiality": "read everything it holds",
    "integrity": "change what they like",
    "availability": "take it out of service",
}
_PART: Final = {
    "confidentiality": "read some of its data",
    "integrity": "change some of its data",
    "availability": "disturb its service",
}
_HIGHEST: Final = 0.999
_LOWEST: Final = 0.001


def title_of(facts: CveFacts, touched: Touched) -> str:
    """What to call it, in Markdown: CISA's name, or the kind of fault and the product, else the first words known."""
    listed = facts.exploited
    if listed is not None and listed.name:
        return escape_markdown(listed.name, TITLE_LIMIT)
    fault = weaknesses.name_of(facts.record.cwes) if facts.record else None
    names = [one.name for one in touched.products] or [
        one for one in facts.products if not is_distribution(one)
    ]
    where = product_name(names[0]) if names else next((one.package for one in facts.fixes), None)
    if where is not None:
        return escape_markdown(f"{fault or 'Vulnerability'} in {where}", TITLE_LIMIT)
    words = plain_text(facts.description).split(". ")[0]
    return escape_markdown(words or fault or "Vulnerability", TITLE_LIMIT)


def attack_in_words(metric: Metric) -> str:
    """One or two sentences: where an attacker must be, what they need, and what they get."""
    word = parse_vector(metric.vector)
    needs = [
        _FROM.get(word["attack_vector"] or ""),
        _ACCOUNT.get(word["privileges_required"] or ""),
        _HELP.get(word["user_interaction"] or ""),
    ]
    told = [one for one in needs if one]
    if not told:
        return ""
    hard = word["attack_complexity"] == "HIGH"
    condition = " It takes conditions that the attacker does not control, such as a race won." if hard else ""
    return f"It can be used {', '.join(told)}.{condition} {_gain(word)}".rstrip()


def severity_in_words(metric: Metric) -> str:
    """The score with its scale, who gave it, and its vector."""
    by = "NVD" if metric.source == _NIST else "its CNA or another party"
    return f"**{metric.severity.title()}, {metric.base_score:g} of 10** (CVSS {metric.cvss_version}, scored by {by}: {code(metric.vector)})"


def likelihood_in_words(facts: CveFacts) -> str | None:
    """EPSS in a sentence; None where it has no word on the CVE."""
    epss = facts.likelihood
    if epss is None:
        return None
    score = _percent(epss.score)
    rank = f"{min(epss.percentile, _HIGHEST) * 100:.1f} %"
    return f"**{score} within 30 days**; ranked above {rank} of all CVEs (EPSS of {epss.date.isoformat()})"


def exploited_in_words(facts: CveFacts, today: date) -> str | None:
    """What CISA says of exploitation, its date, what must be done until when; None where nobody says so."""
    told = facts.exploited
    if told is None:
        return None
    by = "CISA's list of known exploited vulnerabilities"
    if told.ransomware is None:
        words = [f"**yes**, listed on {told.date_added.isoformat()} ({by}, as NVD repeats it)"]
    else:
        words = [f"**yes**, listed on {told.date_added.isoformat()} ({by})"]
        words.append("used by ransomware" if told.ransomware else "no use by ransomware known")
    if told.required_action:
        words.append(f"required action: {escape_markdown(told.required_action, 400).rstrip('.')}")
    if told.due_date:
        passed = "which has passed" if told.due_date < today else "a sound date for all others too"
        words.append(f"due by {told.due_date.isoformat()} for US federal agencies, {passed}")
    return "; ".join(words)


def _percent(share: float) -> str:
    if share < _LOWEST:
        return "less than 0.1 %"
    return "over 99.9 %" if share > _HIGHEST else f"{share * 100:.1f} %"


def _gain(word: dict[str, str | None]) -> str:
    whole = [words for key, words in _WHOLE.items() if word[key] == "HIGH"]
    part = [words for key, words in _PART.items() if word[key] == "LOW"]
    if len(whole) == len(_WHOLE):
        return "Who succeeds has full control: can read, change and stop everything."
    told = whole + part
    if not told:
        return ""
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    reach = ", and reach beyond the product itself" if word["scope"] == "CHANGED" else ""
    return f"Who succeeds can {listed}{reach}."
