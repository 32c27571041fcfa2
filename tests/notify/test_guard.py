"""What the process that sends may not do, tried in a real one."""

import subprocess
import sys

import pytest

SET_UP = """
import json, os, socket, subprocess
from netvigil.notify.guard import Guard, Refused
from netvigil.notify.targets import read_allowed
guard = Guard(read_allowed([]))
guard.install()
try:
    {attempt}
except Refused as error:
    print("refused", guard.forbidden)
else:
    print("done")
"""


def attempt(code):
    run = subprocess.run(
        [sys.executable, "-c", SET_UP.format(attempt=code)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return run.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "os.open('/etc/shadow', os.O_RDONLY)",
        "open('/tmp/written', 'w')",
        "open('/usr/share/../../etc/passwd')",
        "subprocess.run(['true'])",
        "os.system('true')",
    ],
)
def test_refused(code):
    assert attempt(code) == "refused []"


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.create_connection(('localhost', 9), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('169.254.169.254', 53))",
        "socket.socket(socket.AF_INET6).connect(('::ffff:127.0.0.1', 9))",
        "socket.socket(socket.AF_UNIX).connect('/run/any.sock')",
        "socket.socket().connect(('localhost', 9))",
    ],
)
def test_connections_are_refused_and_kept(code):
    said = attempt(code)
    assert said.startswith("refused [")
    assert said != "refused []"


@pytest.mark.parametrize("code", ["json.loads('1')", "import email.mime.text, ssl; ssl.create_default_context()", "open('/dev/null')"])  # fmt: skip
def test_what_a_message_needs_is_allowed(code):
    assert attempt(code) == "done"
