"""PURE: for common kinds of weakness (CWE) what it means in plain words, and what limits the damage until it is fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Weakness(NamedTuple):
    """A kind of weakness as a title begins with it, and one or two sentences on what limits the damage."""

    words: str
    advice: str


_REACH = (
    "Let only the networks that need it reach the service, so that few can send the input that triggers this."
)
_MEMORY = (
    "Let only trusted networks reach the service, and restart it after each crash: repeated crashes are how attempts "
    "on memory faults show. Keep address randomisation and the other protections of the system switched on."
)
_BROWSER = (
    "Manage the device from a browser profile that you use for nothing else, log out when done, and open no links from "
    "mails or tickets while logged in."
)
_MAY_BE_READ = "Change every password, key and community string that the device holds once it is updated: it may have been read."
_ACCOUNT = "Remove accounts that nobody uses, give each person an account of their own with the least rights, and use long passwords."

WEAKNESSES: Final[dict[str, Weakness]] = {
    "CWE-20": Weakness("Input that is not checked", _REACH),
    "CWE-22": Weakness(
        "Path traversal",
        f"Files of the device can be reached that were never meant to be. {_MAY_BE_READ} Run the service without rights on files it does not need.",
    ),
    "CWE-23": Weakness("Path traversal", f"Files outside the intended folder can be reached. {_MAY_BE_READ}"),
    "CWE-59": Weakness(
        "Following of links",
        "Keep people without need from having accounts on the machine, and let no program with rights write where others may.",
    ),
    "CWE-74": Weakness("Injection", f"{_REACH} Run the service under an account with the least rights."),
    "CWE-77": Weakness(
        "Command injection",
        f"{_REACH} Block connections that the device itself opens to the internet, so that it cannot fetch a second stage.",
    ),
    "CWE-78": Weakness(
        "Injection of system commands",
        f"{_REACH} Block connections that the device itself opens to the internet, so that it cannot fetch a second stage.",
    ),
    "CWE-79": Weakness("Cross-site scripting", _BROWSER),
    "CWE-88": Weakness(
        "Injection of arguments", f"{_REACH} Run the service under an account with the least rights."
    ),
    "CWE-89": Weakness(
        "SQL injection",
        "Let only its users' networks reach the application, give its database account the least rights, and watch the "
        "database's log for unusual statements.",
    ),
    "CWE-94": Weakness(
        "Code injection",
        "Let only trusted networks reach the service, run it under an account with the least rights, and block "
        "connections that it opens to the internet.",
    ),
    "CWE-119": Weakness("Memory fault", _MEMORY),
    "CWE-120": Weakness("Buffer overflow", _MEMORY),
    "CWE-121": Weakness("Stack overflow", _MEMORY),
    "CWE-122": Weakness("Heap overflow", _MEMORY),
    "CWE-125": Weakness("Read beyond a buffer", f"Memory of the service can leak. {_MAY_BE_READ}"),
    "CWE-190": Weakness("Integer overflow", _MEMORY),
    "CWE-191": Weakness("Integer underflow", _MEMORY),
    "CWE-193": Weakness("Off-by-one fault", _MEMORY),
    "CWE-200": Weakness("Disclosure of information", _MAY_BE_READ),
    "CWE-203": Weakness(
        "Disclosure by differing answers",
        "Rate-limit log-ins, so that names cannot be tried in bulk, and log in by key instead of password where it is possible.",
    ),
    "CWE-264": Weakness("Faulty rights", _ACCOUNT),
    "CWE-269": Weakness("Escalation of rights", _ACCOUNT),
    "CWE-276": Weakness(
        "Wrong default rights",
        "Check the rights on the product's files and folders by hand, and tighten them.",
    ),
    "CWE-284": Weakness(
        "Faulty access control", f"Do not rely on the device's own rights until it is fixed. {_REACH}"
    ),
    "CWE-287": Weakness(
        "Faulty authentication",
        "Do not rely on the device's log-in until it is fixed: reach it through a VPN or a jump host that asks for its own.",
    ),
    "CWE-295": Weakness(
        "Certificates not checked",
        "Use the connection on networks that you trust only, or inside a VPN: somebody in between can read and change it.",
    ),
    "CWE-306": Weakness(
        "Missing authentication",
        "Anybody who reaches the function can use it: put it behind a firewall or a VPN that asks for a log-in.",
    ),
    "CWE-307": Weakness(
        "Unlimited guessing of passwords",
        "Rate-limit or block repeated log-ins at the firewall, and use long passwords or keys.",
    ),
    "CWE-319": Weakness(
        "Secrets sent in the clear", f"Use the encrypted variant of the service or a VPN. {_MAY_BE_READ}"
    ),
    "CWE-327": Weakness(
        "Weak cryptography", "Switch the old algorithms and protocol versions off where it can be set."
    ),
    "CWE-352": Weakness("Cross-site request forgery", _BROWSER),
    "CWE-362": Weakness(
        "Race between two actions",
        "Winning the race takes many tries: limit the rate of connections and the number that may wait unauthenticated.",
    ),
    "CWE-364": Weakness(
        "Race in a signal handler",
        "Winning the race takes many tries: limit the rate of connections and how long one may stay without log-in.",
    ),
    "CWE-400": Weakness(
        "Exhaustion of resources",
        "Limit the rate and number of connections in front of the service, and watch memory and processor.",
    ),
    "CWE-401": Weakness(
        "Memory that is never freed", "Watch the memory and restart the service before it runs out."
    ),
    "CWE-416": Weakness("Use of freed memory", _MEMORY),
    "CWE-426": Weakness(
        "Search in untrusted folders", "Start the program from folders that only administrators can write to."
    ),
    "CWE-434": Weakness(
        "Upload of dangerous files",
        "Switch uploading off where it is not needed, and let the web server execute nothing in the folder it writes to.",
    ),
    "CWE-444": Weakness(
        "HTTP request smuggling",
        "Have the proxy in front refuse ambiguous requests, and use one HTTP version on the whole way.",
    ),
    "CWE-476": Weakness(
        "Crash by a null pointer",
        "Have the service restarted automatically, and let only trusted networks reach it.",
    ),
    "CWE-502": Weakness(
        "Deserialisation of untrusted data",
        "Let only trusted networks reach the service, and block connections that it opens to the internet: most attacks load "
        "their code from there.",
    ),
    "CWE-521": Weakness("Weak passwords allowed", _ACCOUNT),
    "CWE-522": Weakness("Secrets not well protected", _MAY_BE_READ),
    "CWE-552": Weakness("Files open to outsiders", _MAY_BE_READ),
    "CWE-601": Weakness("Redirect to any site", _BROWSER),
    "CWE-611": Weakness(
        "External XML entities",
        "Block connections that the service opens itself, and let only trusted networks send it documents.",
    ),
    "CWE-639": Weakness(
        "Access to others' data by its number",
        "Give accounts to people you trust with all of the data, until it is fixed.",
    ),
    "CWE-668": Weakness("Exposure to the wrong network", _REACH),
    "CWE-674": Weakness(
        "Uncontrolled recursion",
        "Have the service restarted automatically, and let only trusted networks reach it.",
    ),
    "CWE-732": Weakness(
        "Wrong rights on something important",
        "Check the rights on the product's files by hand, and tighten them.",
    ),
    "CWE-770": Weakness(
        "Resources without limits",
        "Limit the rate and number of connections in front of the service, and watch memory and processor.",
    ),
    "CWE-787": Weakness("Write beyond a buffer", _MEMORY),
    "CWE-798": Weakness(
        "Built-in password",
        "The password cannot be changed and is known: keep the device off every network from which strangers can reach it.",
    ),
    "CWE-835": Weakness("Endless loop", "Have the service restarted automatically when it stops answering."),
    "CWE-843": Weakness("Confusion of types in memory", _MEMORY),
    "CWE-862": Weakness("Missing check of rights", f"{_ACCOUNT} {_REACH}"),
    "CWE-863": Weakness("Wrong check of rights", f"{_ACCOUNT} {_REACH}"),
    "CWE-912": Weakness(
        "Hidden functionality or backdoor",
        "Take it out of use until it is replaced by a clean version, and treat what it could reach as compromised.",
    ),
    "CWE-506": Weakness(
        "Malicious code in the product",
        "Take it out of use until it is replaced by a clean version, and treat what it could reach as compromised.",
    ),
    "CWE-917": Weakness(
        "Injection of expressions",
        "Block connections that the server itself opens to the internet, most of all LDAP and RMI, and let only trusted "
        "networks send it input.",
    ),
    "CWE-918": Weakness(
        "Requests forged by the server",
        "Block what the server has no business with: the metadata address of clouds, and management networks.",
    ),
    "CWE-1188": Weakness(
        "Insecure default", "Change the setting by hand on every device, and check it after each update."
    ),
    "CWE-1321": Weakness("Pollution of prototypes", _REACH),
}


def advice_for(cwes: Iterable[str]) -> list[tuple[str, Weakness]]:
    """What we know about these weaknesses, each advice once."""
    found: list[tuple[str, Weakness]] = []
    said: set[str] = set()
    for cwe in cwes:
        weakness = WEAKNESSES.get(cwe)
        if weakness is not None and weakness.advice not in said:
            said.add(weakness.advice)
            found.append((cwe, weakness))
    return found


def name_of(cwes: Iterable[str]) -> str | None:
    """What to call a fault of these kinds: the first that we have a word for."""
    return next((WEAKNESSES[cwe].words for cwe in cwes if cwe in WEAKNESSES), None)
