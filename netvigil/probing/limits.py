"""PURE: how hard a site may be scanned; every bound of a probe in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds of one site's probe; times in seconds.

    `packets_per_second` is per site. 1,500 small packets are below 1 Mbit/s; through a customer's router each
    unanswered one holds a connection-table entry for some seconds (RouterOS: 5), so at most about 7,500 entries,
    which its smallest models bear. `packets_per_second_per_host` keeps a lone host from getting all of it.
    Loopback has no cable to fill and no such bound.
    `addresses` bounds one probe; `ports_per_host` is how many of a host's open ports are spoken to, as a tarpit
    has a thousand; the others are recorded as open.
    There is no host timeout on purpose: nmap's throws away what it already knew of that host.
    """

    packets_per_second: int = 1500
    packets_per_second_per_host: int = 300
    addresses: int = 65_536
    ports_per_host: int = 100
    # The connect sweep's: sockets waiting at once, and how long one waits (one SYN is repeated after a second).
    connects_at_once: int = 512
    connect_timeout: float = 1.5
    # The first look: connections at once per site and per host, waits for a greeting and for an answer.
    looks_at_once: int = 96
    looks_per_host: int = 8
    greeting_wait: float = 1.6
    answer_wait: float = 2.5
    # nmap's version detection: processes at once (about 55 MB each) and the time each run may take.
    nmap_at_once: int = 8
    answering_budget: float = 25.0
    silent_budget: float = 16.0
    single_budget: float = 9.0
    discover_budget: float = 900.0
    sweep_budget: float = 6 * 3600.0

    def sweep_rate(self, hosts: int) -> int:
        """Packets a second for a sweep over this many hosts."""
        return max(1, min(self.packets_per_second, self.packets_per_second_per_host * hosts))


DEFAULT_LIMITS = ScanLimits()
