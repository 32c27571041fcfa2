"""`/metrics` in the text format of Prometheus: this process, and the state and the endings that the database knows."""

from __future__ import annotations

import asyncio
import hmac
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from netvigil.app.measuring import (
    SCAN_ENDINGS,
    SITE_ENDINGS,
    Figures,
    count_other_jobs,
    read_endings,
    read_figures,
)
from netvigil.errors import Unauthenticated
from netvigil.probing.progress import Stage
from netvigil.scans.states import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi import FastAPI
    from prometheus_client import Metric

    from netvigil.app.measuring import Ending
    from netvigil.app.service import Service
    from netvigil.scans.positions import Snapshot

log = structlog.get_logger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DATABASE_PATIENCE_SECONDS = 5.0
OTHER_JOBS_SECONDS = 30.0  # how old the count of planned and failed jobs may be
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STAGE_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


class Metrics:
    """The figures of one application, in a registry of its own.

    What has ended is counted from the first scrape on, by whichever worker it was: of many processes of one
    database each counts all, so take the maximum over them and not the sum.
    """

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self._service = service
        self._scraping = asyncio.Lock()
        self._seen: Snapshot | None = None
        self._other_jobs: dict[tuple[str, str], int] = {}
        self._other_jobs_at: float | None = None
        ProcessCollector(registry=self.registry)
        build = Gauge("netvigil_build_info", "This program.", ["version", "python"], registry=self.registry)
        build.labels(version("netvigil"), platform.python_version()).set(1)
        self._add_requests()
        self._add_endings()

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `seconds` until its answer began, so that a stream is as short as any."""
        method = method if method in METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    async def render(self) -> bytes:
        """The whole page; while the database is away without what it knows."""
        figures = None
        try:
            async with asyncio.timeout(DATABASE_PATIENCE_SECONDS), self._scraping:
                figures = await self._read()
        except (SQLAlchemyError, OSError) as error:  # a TimeoutError is an OSError
            log.warning("metrics without the database", error=str(error)[:200])
        return generate_latest(self.registry) + generate_latest(_Families(self._service, figures))

    async def _read(self) -> Figures:
        async with self._service.database.session() as session:
            now = time.monotonic()
            if self._other_jobs_at is None or now - self._other_jobs_at > OTHER_JOBS_SECONDS:
                self._other_jobs = await count_other_jobs(session)
                self._other_jobs_at = now
            endings, seen = await read_endings(session, self._seen)
            figures = await read_figures(
                session,
                dead_after=self._service.settings.worker_dead_after,
                other_jobs=self._other_jobs,
            )
        self._seen = seen
        for ending in endings:
            self._count(ending)
        return figures

    def _count(self, ending: Ending) -> None:
        if ending.kind in SCAN_ENDINGS:
            self._scans.labels(SCAN_ENDINGS[ending.kind]).inc()
            return
        self._site_scans.labels(SITE_ENDINGS[ending.kind]).inc()
        if ending.failure in _REASONS:
            self._failures.labels(ending.failure).inc()
        self._takeovers.inc(ending.takeovers)
        for stage, seconds in ending.seconds.items():
            if stage in _STAGES:
                self._stages.labels(stage).observe(seconds)

    def _add_requests(self) -> None:
        self._requests = Counter(
            "netvigil_http_requests",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "netvigil_http_request_seconds",
            "Until the answer began.",
            ["method", "route"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )

    def _add_endings(self) -> None:
        self._scans = Counter(
            "netvigil_scans_ended", "Scans that ended, by state.", ["state"], registry=self.registry
        )
        self._site_scans = Counter(
            "netvigil_site_scans_ended", "Site scans that ended, by state.", ["state"], registry=self.registry
        )
        self._failures = Counter(
            "netvigil_site_scan_failures", "Failed site scans, by reason.", ["reason"], registry=self.registry
        )
        self._takeovers = Counter(
            "netvigil_site_scan_takeovers",
            "Runs that another one superseded, of site scans that have ended.",
            registry=self.registry,
        )
        self._stages = Histogram(
            "netvigil_stage_seconds",
            "How long each stage of a site scan took.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        for state in SCAN_ENDINGS.values():
            self._scans.labels(state)
        for state in SITE_ENDINGS.values():
            self._site_scans.labels(state)
        for reason in _REASONS:
            self._failures.labels(reason)
        for stage in _STAGES:
            self._stages.labels(stage)


_REASONS = frozenset(str(kind) for kind in FailureKind)
_STAGES = tuple(str(stage) for stage in Stage if stage is not Stage.DONE)


class _Families:
    """The states of one scrape, as a registry would give them."""

    def __init__(self, service: Service, figures: Figures | None) -> None:
        self.service = service
        self.figures = figures

    def collect(self) -> Iterator[Metric]:
        """Each gauge with its values."""
        figures = self.figures
        yield _gauge(
            "netvigil_database_up", "Whether the database answered.", {(): float(figures is not None)}
        )
        pool = self.service.database.engine.pool
        if isinstance(pool, QueuePool):
            connections = {("used",): pool.checkedout(), ("idle",): pool.checkedin()}
            yield _gauge(
                "netvigil_database_connections", "Connections of this process.", connections, "state"
            )
        if figures is None:
            return
        yield _gauge("netvigil_jobs", "Jobs by queue and state.", figures.jobs, "queue", "state")
        yield _gauge(
            "netvigil_queue_lag_seconds", "Age of the oldest ready job.", _single(figures.lag), "queue"
        )
        yield _gauge("netvigil_scans", "Scans going on, by state.", _single(figures.scans), "state")
        yield _gauge(
            "netvigil_site_scans", "Site scans going on, by state.", _single(figures.site_scans), "state"
        )
        yield _gauge(
            "netvigil_catalogue_cves", "CVE records held, by source.", _single(figures.cves), "source"
        )
        age = _single(figures.catalogue_age)
        yield _gauge("netvigil_catalogue_age_seconds", "Age of a source's newest record.", age, "source")
        if figures.workers is not None:
            workers = _single(figures.workers)
            yield _gauge("netvigil_workers", "Living workers by vantage that they reach.", workers, "vantage")


def add_metrics(app: FastAPI, service: Service) -> Metrics:
    """Serve `/metrics`; with the setting `metrics_token` only to who has it."""
    metrics = Metrics(service)
    token = service.settings.metrics_token

    @app.get("/metrics", include_in_schema=False)
    async def scrape(request: Request) -> Response:
        if token is not None:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                raise Unauthenticated("token_missing", "This page needs the metrics token as a bearer token.")
        return Response(await metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return metrics


def _single(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(key,): value for key, value in values.items()}


def _gauge(name: str, text: str, values: Mapping[Any, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
