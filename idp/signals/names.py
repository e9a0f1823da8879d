"""The security events there are: short name, as the applied file has it -> event type (CAEP 1.0, RISC 1.0)."""

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
EVENTS = {
    "session-revoked": _CAEP + "session-revoked",
    "token-claims-change": _CAEP + "token-claims-change",
    "credential-change": _CAEP + "credential-change",
    "assurance-level-change": _CAEP + "assurance-level-change",
    "account-disabled": _RISC + "account-disabled",
}
