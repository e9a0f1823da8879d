"""Measure this service beside node oidc-provider on PostgreSQL, in one run (performance figures).

Uses the team's driver (`bench_idp`), which stands beside the project in ../shared or where IDP_BENCH
says. Prints CPU milliseconds of server time per request and the ratio of ours to the peer's.
Needs wrk, Node.js with npm, and PostgreSQL's server programs. All traffic stays on 127.0.0.1.
"""

import argparse
import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


def main() -> int:
    """Prepare, measure, stop what was started; the exit status is the driver's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="5")
    parser.add_argument("--secs", default="2")
    parser.add_argument("--only", default="", help="limit the cases, such as evaluate,introspect")
    parser.add_argument("--alone", action="store_true", help="measure only this service, not the peer")
    chosen = parser.parse_args()
    driver = Path(os.environ.get("IDP_BENCH", HOME.parent / "shared" / "bench_idp"))
    if not (driver / "bench_idp.py").exists():
        print(f"The driver was not found in {driver}. Set IDP_BENCH to the folder that holds bench_idp.py.")
        return 2
    perf = Path(os.environ.setdefault("PERF_HOME", "/var/tmp/idp-perf"))
    os.environ["IDP"] = str(HOME)
    perf.mkdir(parents=True, exist_ok=True)
    _keys(perf)
    subprocess.run([driver / "peers" / "pg_start.sh"], check=True)  # noqa: S603 - the team's own script
    try:
        _fresh_database()
        targets = [str(HOME / "bench" / "ours_pg.json")]
        compare: list[str] = []
        if not chosen.alone:
            subprocess.run([driver / "peers" / "setup_oidc_provider.sh"], check=True)  # noqa: S603
            targets.insert(0, str(driver / "targets" / "oidc_provider_pg.json"))
            compare = ["--compare", "2", "1"]
        command = [sys.executable, str(driver / "bench_idp.py"), *targets, "--runs", chosen.runs, "--secs", chosen.secs]
        if chosen.only:
            command += ["--only", chosen.only]
        return subprocess.run([*command, *compare], check=False).returncode  # noqa: S603
    finally:
        subprocess.run([driver / "peers" / "pg_stop.sh"], check=False)  # noqa: S603


def _keys(perf: Path) -> None:
    master = perf / "ours.master"
    if not master.exists():
        master.write_text("bench:" + base64.b64encode(secrets.token_bytes(32)).decode())
        master.chmod(0o600)


def _fresh_database() -> None:
    import psycopg

    with psycopg.connect("postgresql://postgres@127.0.0.1:5499/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS ours WITH (FORCE)")
        connection.execute("CREATE DATABASE ours")


if __name__ == "__main__":
    sys.exit(main())
