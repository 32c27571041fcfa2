"""PURE: the addresses that a probe may ask, from targets and exclusions."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import TYPE_CHECKING

from netvigil.errors import ProbeFault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

Target = IPv4Network | IPv4Address
_POINT_TO_POINT = 31


def plan_addresses(
    targets: Sequence[Target],
    exclude: Sequence[Target],
    bound: int,
    only: Collection[IPv4Address] | None = None,
) -> dict[IPv4Network, list[IPv4Address]]:
    """The addresses to ask, by network; overlapping targets are asked once. Raises ProbeFault beyond the bound.

    With `only` just these of them, under the network that they lie in.
    """
    networks = list(collapse_addresses(map(as_network, targets)))
    if only is None and sum(network.num_addresses for network in networks) > 2 * bound:
        raise ProbeFault(f"The targets have more than the {bound} addresses that one probe may ask.")
    spared = list(collapse_addresses(map(as_network, exclude)))
    # Their own ends, as given: merging 10.0.0.0/25 and 10.0.0.128/25 must not hide that .127 is a broadcast.
    named = {target for target in targets if isinstance(target, IPv4Address)}
    ends = {end for target in targets if isinstance(target, IPv4Network) for end in _ends(target)} - named
    wanted = sorted(only) if only is not None else None
    plan = {
        network: [
            address
            for address in _members(network, wanted)
            if address not in ends and not any(address in excluded for excluded in without)
        ]
        for network in networks
        # Ranges may have come to thousands of networks, of which few lie here.
        for without in [[one for one in spared if one.overlaps(network)]]
    }
    plan = {network: addresses for network, addresses in plan.items() if addresses}
    if not plan:
        raise ProbeFault("There is no address to ask: the exclusions cover every target.")
    if sum(map(len, plan.values())) > bound:
        raise ProbeFault(f"The targets have more than the {bound} addresses that one probe may ask.")
    return plan


def as_network(target: Target) -> IPv4Network:
    """The network of one target; an address is a network of one."""
    return target if isinstance(target, IPv4Network) else IPv4Network(target)


def _members(network: IPv4Network, wanted: Sequence[IPv4Address] | None) -> Iterable[IPv4Address]:
    return network if wanted is None else (address for address in wanted if address in network)


def _ends(network: IPv4Network) -> tuple[IPv4Address, ...]:
    if network.prefixlen >= _POINT_TO_POINT:
        return ()
    return (network.network_address, network.broadcast_address)
