"""The tests' own Postgres: whatever it is taken from, it starts, serves DBOS and goes away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from embedded.waiting import wait_until
from real.postgres import postgres_server, programs_here

pytestmark = pytest.mark.slow

DURABLE = """
import sys
from dbos import DBOS
DBOS(config={"name": "smoke", "system_database_url": sys.argv[1], "run_admin_server": False})

@DBOS.step()
def double(number):
    return number * 2

@DBOS.workflow()
def work(number):
    return double(number)

DBOS.launch()
print(work(21))
DBOS.destroy()
"""

HELD = """
import sys
sys.path.insert(0, sys.argv[1])
from real.postgres import postgres_server
with postgres_server() as server:
    print(server.url(), flush=True)
    sys.stdin.read()
"""


def test_there_is_a_postgres_to_test_with():
    assert programs_here(), "install a Debian postgresql or the wheel of the dev group"


@pytest.mark.parametrize("origin", programs_here())
def test_each_postgres_that_is_here_serves(origin):
    with postgres_server(programs_here()[origin]) as server, server.fresh_database() as url:
        assert _asked(url, "SELECT 1 + 1") == 2
        assert _asked(url, "SHOW fsync") == "off"


def test_dbos_runs_on_it(postgres_url):
    done = subprocess.run(
        [sys.executable, "-c", DURABLE, postgres_url], capture_output=True, text=True, check=False
    )
    assert done.stdout == "42\n", done.stderr


def test_each_test_has_a_database_of_its_own(postgres_server, postgres_url):
    with postgres_server.fresh_database() as other:
        engine = sa.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE kept (number integer)"))
        engine.dispose()
        assert _asked(other, "SELECT to_regclass('kept')") is None
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        _asked(other, "SELECT 1")


def test_it_ends_with_tests_that_were_killed():
    with subprocess.Popen(
        [sys.executable, "-c", HELD, Path(__file__).parents[1]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tests:
        url = tests.stdout.readline().strip()
        data = Path(_asked(url, "SHOW data_directory"))
        os.kill(tests.pid, signal.SIGKILL)
    wait_until(lambda: not data.parent.exists())
    with pytest.raises(psycopg.OperationalError, match="refused"):
        _asked(url, "SELECT 1")


def _asked(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]
