"""Identity and entitlements for a health insurer's provider portal."""

__version__ = "0.1.0"
