"""Tell apps and partners what was taken away: security events (Shared Signals 1.0) and back-channel logout.

`fanout` turns each numbered revocation into deliveries, in one transaction with the place it has reached; `delivery`
sends them with tries, pauses and an end; `polling` hands them to who fetches. `streams` is what a receiver may
set. Which events an app may have is the operator's (`signals` of a client); whom it hears about are its own people.
What is announced, and when, is left to `signals`.
"""
