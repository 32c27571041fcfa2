"""`netvigil scan`: its options for ports and exclusions, as far as they are read before anything is sent."""

import pytest
from typer.testing import CliRunner

from netvigil.cli.main import app
from netvigil.cli.scan import read_exclusions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--exclude", "10.0.0.1/24"], "did you mean 10.0.0.0/24?"),
        (["--exclude", "10.0.0.1", "--exclude", "printer"], "'printer' is no address to exclude"),
        (["--exclude-port", "0"], "'0' is no port to exclude"),
        (["--exclude-port", "9100,515"], "'9100,515' is no port to exclude"),
        (["--exclude-mac", "printer"], "printer"),
        (["--profile", "everything"], "'quick', 'standard', 'full'"),
    ],
)
def test_an_option_that_means_nothing_is_wrong_use(options, said, tmp_path):
    arguments = ["scan", "127.9.9.0/30", "--data-dir", str(tmp_path / "data"), *options]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert not (tmp_path / "data").exists()


def test_repeated_options_add_up():
    exclusions = read_exclusions(
        ["10.0.0.1", "10.0.0.8-10.0.0.9", "10.1.0.0/16"],
        ["80", "8000-8001", "udp/161"],
        ["00-11-32-aa-bb-cc"],
    )
    assert exclusions.to_json() == {
        "addresses": ["10.0.0.1", "10.0.0.8/31", "10.1.0.0/16"],
        "ports": [80, "udp/161", "8000-8001"],
        "macs": ["00:11:32:AA:BB:CC"],
    }
