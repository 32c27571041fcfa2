"""The states of scans and site scans, a word on each."""

from __future__ import annotations

from enum import StrEnum


class ScanState(StrEnum):
    """Where a scan is; the last three are final."""

    PENDING = "pending"  # created, no site has begun
    RUNNING = "running"  # at least one site has begun
    PROCESSING = "processing"  # all sites ended; matching and reporting
    COMPLETED = "completed"  # report is frozen
    STOPPED = "stopped"  # a person ended it; what was seen is reported
    FAILED = "failed"  # a site could not be scanned, or the service failed; `error` says why


ACTIVE = (ScanState.PENDING, ScanState.RUNNING, ScanState.PROCESSING)


class SiteScanState(StrEnum):
    """Where one site's part is; the last three are final."""

    PENDING = "pending"  # waits for a worker
    RUNNING = "running"  # a worker probes
    SCANNED = "scanned"  # every target was looked at
    FAILED = "failed"  # could not be scanned; `error` says why
    STOPPED = "stopped"  # a person ended it


SITE_ACTIVE = (SiteScanState.PENDING, SiteScanState.RUNNING)


class FailureKind(StrEnum):
    """Why a site scan failed; a schedule may ignore the first."""

    OFFLINE = "offline"  # nothing at the site answers
    FAULT = "fault"  # probing broke
    NO_WORKER = "no_worker"  # nobody who reaches its vantage was there for too long


class Trigger(StrEnum):
    """What started a scan."""

    SCHEDULE = "schedule"  # its time had come
    MANUAL = "manual"  # someone invoked it
    SINGLE_IP = "single-ip"  # one address on demand
    MULTI_IP = "multi-ip"  # several addresses on demand


WHOLE = (Trigger.SCHEDULE, Trigger.MANUAL)
"""Runs of a whole schedule, of which one at a time may run; scans on demand run beside them."""
