"""What a case of misuse is: its frozen file, how it opens, its clocks, whom it asks and what is said (domain.md 10).

Open one with `opening.open_from_finding` (the detector), `opening.open_case` (a report, a partner, the desk). What
staff decide and do about it is `idp.casework`, which stands above the access manager's rules; this package doesn't.
"""
