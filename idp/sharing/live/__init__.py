"""The detector at work in the service: fed from the sealed log, remembered in the database, heard by the desk.

`networks` reads where addresses are from the operator's file, `translating` makes events of records, `stored` loads
and saves what the detector remembers, `feeding` is the job, `telling` what follows from a line that was crossed and
what the desk's pages show. The detector itself (idp/sharing/detector.py) knows nothing of all this.
"""
