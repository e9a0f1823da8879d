"""A partner's login in a process of its own: metadata, keys and tokens, so that its time is not ours.

    python -m bench.upstream PORT

The code it takes is `subject~nonce`: whoever measures plays its sign-in page.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "meridian", "upstream-secret-upstream-secret-0"


def server(port: int) -> ThreadingHTTPServer:
    """Return the server, not yet running."""
    issuer = f"http://127.0.0.1:{port}"
    key = ECKey.generate_key("P-256", parameters={"kid": "k1"}, private=True)
    documents = {
        "/.well-known/openid-configuration": {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
        },
        "/jwks": {"keys": [key.as_dict(private=False)]},
    }

    class Partner(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._say(documents[self.path])

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            subject, _, nonce = form["code"][0].partition("~")
            now = int(time.time())
            claims = {"iss": issuer, "sub": subject, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300}
            token = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key)
            self._say({"id_token": token, "access_token": "at", "token_type": "Bearer"})

        def _say(self, value: object) -> None:
            body = orjson.dumps(value)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Partner)


if __name__ == "__main__":
    server(int(sys.argv[1])).serve_forever()
