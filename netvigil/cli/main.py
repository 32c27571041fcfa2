"""The command tree; each command's imports happen when it runs, so that help and quick ones stay quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from netvigil.cli.options import (
    AsJson,
    DataDir,
    Exclude,
    ExcludeMac,
    ExcludePort,
    ScanProfile,
    Vantages,
)
from netvigil.probing.ports import Profile

app = typer.Typer(
    name="netvigil",
    help="Schedules, runs and reports network vulnerability scans of many sites.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
tokens = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True)
feeds = typer.Typer(help="The vulnerability data.", no_args_is_help=True)
app.add_typer(tokens, name="token")
queue = typer.Typer(help="The queue: look, retry, cancel.", invoke_without_command=True)
app.add_typer(feeds, name="feeds")
app.add_typer(queue, name="jobs")

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on.")]


@app.command()
def serve(
    host: Host = "127.0.0.1", port: Port = 8080, vantage: Vantages = None, data_dir: DataDir = None
) -> None:
    """Run the API, the scheduler and one worker in one process."""
    from netvigil.cli.serve import run_serve

    run_serve(host, port, vantage or [], data_dir)


@app.command()
def worker(vantage: Vantages = None, data_dir: DataDir = None) -> None:
    """Run one more worker on the same database."""
    from netvigil.cli.worker import run_worker

    run_worker(vantage or [], data_dir)


@tokens.command("create")
def token_create(
    org: Annotated[str, typer.Option("--org", help="The organisation the token belongs to.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="A right, such as cve:view; may be repeated; * grants all.")
    ],
    more_scopes: Annotated[list[str] | None, typer.Argument(metavar="SCOPE", help="Further rights.")] = None,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is good for: 90s, 30m, 1h, 7d.")] = "24h",
    subject: Annotated[str, typer.Option("--subject", help="Whom the token speaks for.")] = "cli",
    *,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link that signs a browser in, once, within ten minutes.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", help="Where browsers find the service, for --link.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a new token, or a link to sign in with it, and nothing else, on stdout."""
    wanted = [*scope, *(more_scopes or [])]
    if link:
        from netvigil.cli.link import run_link_create

        run_link_create(org, wanted, ttl, subject, data_dir, url=url)
    else:
        from netvigil.cli.token import run_token_create

        run_token_create(org, wanted, ttl, subject, data_dir)


@feeds.command("import")
def feeds_import(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files or folders.")],
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Import vulnerability data; each file's format is recognised by its content."""
    from netvigil.cli.feeds import run_feeds_import

    run_feeds_import(paths, data_dir, as_json=as_json)


@feeds.command("sync")
def feeds_sync(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Only these, such as nvd or kev.")
    ] = None,
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fetch what is new from every source, and import it."""
    from netvigil.cli.feeds import run_feeds_sync

    run_feeds_sync(sources or [], data_dir, as_json=as_json)


@feeds.command("status")
def feeds_status(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show what the catalogue holds and how old it is."""
    from netvigil.cli.feeds import run_feeds_status

    run_feeds_status(data_dir, as_json=as_json)


@app.command()
def match(
    cpes: Annotated[
        list[str], typer.Argument(metavar="CPE", help="CPE names; together one host's inventory.")
    ],
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Name the CVEs of products given as CPEs, with the reason for each."""
    from netvigil.cli.match import answer_match

    raise typer.Exit(answer_match(cpes, data_dir, as_json))


@app.command()
def scan(
    cidrs: Annotated[list[str], typer.Argument(metavar="CIDR", help="Networks /22 to /32, or addresses.")],
    vantage: Annotated[
        str, typer.Option("--vantage", help="From where: local, netns:NAME or vrf:DEVICE.")
    ] = "local",
    *,
    profile: ScanProfile = Profile.STANDARD,
    exclude: Exclude = None,
    exclude_port: ExcludePort = None,
    exclude_mac: ExcludeMac = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Scan private networks once, without a schedule, and print what was found."""
    from netvigil.cli.scan import read_exclusions, run_scan

    exclusions = read_exclusions(exclude or [], exclude_port or [], exclude_mac or [])
    run_scan(cidrs, vantage, data_dir, profile=profile, exclusions=exclusions, as_json=as_json)


@app.command()
def lab(data_dir: DataDir = None) -> None:  # noqa: ARG001 - every command takes it; the lab keeps no data
    """Serve thirteen emulated devices on loopback addresses until Ctrl-C, to try scans on."""
    from netvigil.cli.lab import run_lab

    run_lab()


@app.command()
def quickstart(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    *,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the report instead of serving on.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Start everything, scan the built-in lab through the API, show the findings, and keep serving."""
    from netvigil.cli.quickstart import run_quickstart

    run_quickstart(host, port, data_dir, leave=leave)


@queue.callback()
def jobs(
    context: typer.Context,
    *,
    every_state: Annotated[bool, typer.Option("--all", help="Jobs that ended well, too.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the jobs that wait, run or have failed; or retry or cancel one."""
    from netvigil.cli.jobs import run_list

    if context.invoked_subcommand is None:
        run_list(data_dir, every_state=every_state, as_json=as_json)


@queue.command("retry")
def jobs_retry(job_id: Annotated[int, typer.Argument(metavar="ID")], data_dir: DataDir = None) -> None:
    """Put a failed job back into the queue."""
    from netvigil.cli.jobs import run_retry

    run_retry(job_id, data_dir)


@queue.command("cancel")
def jobs_cancel(job_id: Annotated[int, typer.Argument(metavar="ID")], data_dir: DataDir = None) -> None:
    """Drop a waiting job, or abort a running one."""
    from netvigil.cli.jobs import run_cancel

    run_cancel(job_id, data_dir)


@app.command()
def doctor(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Check what this machine needs for scanning, and say what to do about what is missing."""
    from netvigil.cli.doctor import run_doctor

    run_doctor(data_dir, as_json=as_json)


def main() -> None:
    """The entry point `netvigil`."""
    try:
        app()
    except BrokenPipeError:
        # `netvigil match … | head`: the reader has enough, and Python must not complain at its exit
        sys.stderr.close()
        sys.exit(1)
