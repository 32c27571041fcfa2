"""PURE: how hard a site may be scanned; every bound of a probe in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

_SWEEP_SHARE = 0.8  # of the site's rate; a tenth each is for UDP and for addresses that were silent at first


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds of one site's probe; times in seconds.

    `packets_per_second` is per site beyond a router. 1,500 small packets are below 1 Mbit/s; through a customer's router
    each unanswered one holds a connection-table entry for some seconds (RouterOS: 5), so at most about 7,500 entries,
    which its smallest models bear. On our own segment only switches and the hosts themselves carry the packets:
    `packets_per_second_on_link`. `packets_per_second_per_host`, and its twin on our own segment, keep a few hosts from
    getting all of it.
    `connections_per_second` bounds the conversations with open ports. Loopback has no cable to fill and no such bound.
    `addresses` bounds one probe; `ports_per_host` is how many of a host's open ports are spoken to, as a tarpit
    has a thousand; the others are recorded as open.
    There is no host timeout on purpose: nmap's throws away what it already knew of that host.
    """

    packets_per_second: int = 1500
    packets_per_second_on_link: int = 5000
    connections_per_second: int = 200
    packets_per_second_per_host: int = 300
    packets_per_second_per_host_on_link: int = 800
    addresses: int = 65_536
    ports_per_host: int = 100
    # The connect sweep's: sockets waiting at once, and how long one waits (one SYN is repeated after a second).
    connects_at_once: int = 512
    connect_timeout: float = 1.5
    # Conversations: connections being made at once per site and per host; waits for a greeting where nobody knows whether
    # one comes, for one that is sure to come (some servers ask the DNS for our name first), and for an answer.
    looks_at_once: int = 96
    looks_per_host: int = 8
    greeting_wait: float = 1.6
    slow_greeting_wait: float = 6.0
    answer_wait: float = 2.5
    # nmap's version detection: processes at once (about 55 MB each) and the time each run may take.
    nmap_at_once: int = 2
    nmap_budget: float = 8.0
    udp_wait: float = 1.2
    discover_budget: float = 900.0
    sweep_budget: float = 6 * 3600.0

    def site_rate(self, *, on_link: bool) -> int:
        """Packets a second towards the whole site."""
        return self.packets_per_second_on_link if on_link else self.packets_per_second

    def sweep_rate(self, hosts: int, *, on_link: bool) -> int:
        """Packets a second for a sweep over this many hosts."""
        share = int(self.site_rate(on_link=on_link) * _SWEEP_SHARE)
        a_host = self.packets_per_second_per_host_on_link if on_link else self.packets_per_second_per_host
        return max(1, min(share, a_host * hosts))

    def datagram_rate(self, *, on_link: bool) -> int:
        """UDP datagrams a second towards the whole site, while it is swept."""
        return max(1, self.site_rate(on_link=on_link) // 10)

    def retry_rate(self, *, on_link: bool) -> int:
        """Packets a second for asking silent addresses once more, while the others are swept."""
        return max(1, self.site_rate(on_link=on_link) // 10)


DEFAULT_LIMITS = ScanLimits()
