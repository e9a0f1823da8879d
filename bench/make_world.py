"""Write the world the measurements use: `python bench/make_world.py [people] > bench/bench.yaml`.

Clients as bench_idp's target file for this service names them; one provider; people acc_bench0, acc_bench1, ...
with eligibility.view there, terms and attestation recorded; one person who signs in by password alone.
Development only: ids are chosen, secrets stand in the file, and password throttling is off.
"""

import sys

HEAD = """\
# Made by bench/make_world.py. Development only: ids are chosen and secrets stand here in clear.
settings:
  passwords: {{throttle: false}}
terms:
  - {{kind: site, version: "1", title: Site terms, body: Terms of the site., effective: 2026-01-01}}
  - {{kind: general, version: "1", title: General terms, body: General terms., effective: 2026-01-01}}
clients:
  - client_id: svc-es
    name: Service, ES256
    secret: svc-secret-svc-secret-svc-secret-0
    grants: [client_credentials]
    scopes: ["access:evaluate", "access:simulate", "access:search", "signals:read"]
  - client_id: svc-rs
    name: Service, RS256
    secret: svc-secret-svc-secret-svc-secret-0
    grants: [client_credentials]
    scopes: ["access:evaluate"]
    audiences: ["https://rs.bench.example"]
  - client_id: portal-app
    name: Portal
    secret: portal-secret-portal-secret-portal-0
    grants: [client_credentials]
    scopes: ["access:evaluate"]
    acts_for_provider: false
  - client_id: web
    name: Web app
    secret: web-secret-web-secret-web-secret-0
    redirect_uris: ["http://127.0.0.1:1/cb"]
    grants: [authorization_code, refresh_token]
    scopes: [openid, profile, email, offline_access]
    acts_for_provider: false
resource_servers:
  - {{identifier: "http://127.0.0.1:9010", name: This service, client: portal-app}}
  - {{identifier: "https://rs.bench.example", name: RS256 API, access_token_alg: RS256, scopes: ["access:evaluate"]}}
providers:
  - ref: bench
    id: prv_bench
    name: Bench Clinic
    portals: [{{line: medical, from: 2026-01-01}}]
    participation: [{{line: medical, from: 2026-01-01}}]
    agreements: [{{line: medical, from: 2026-01-01}}]
people:
  - ref: pat
    name: Pat Morgan
    emails: [pat@bench.example]
    user_name: pat
    password: pat-long-password-1
    affiliations: [{{provider: bench, from: 2026-01-01}}]
    terms: accepted
    attested: true
"""
PERSON = (
    "  - {{ref: bench{i}, id: acc_bench{i}, name: Person {i}, terms: accepted, attested: true, "
    "affiliations: [{{provider: bench, from: 2026-01-01}}]}}\n"
)
GRANT = "  - {{person: bench{i}, provider: bench, entitlement: eligibility.view}}\n"
"""Given when the world is applied: grants of long ago that nobody used are warned about and reviewed first thing."""


def world(people: int) -> str:
    """Return the file's text for a number of people."""
    lines = [HEAD.format()]
    lines += [PERSON.format(i=i) for i in range(people)]
    lines.append("grants:\n")
    lines += [GRANT.format(i=i) for i in range(people)]
    return "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(world(int(sys.argv[1]) if sys.argv[1:] else 1000))
