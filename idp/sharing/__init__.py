"""Find logins that several people share, from events alone; score takeovers apart.

Owns the event format (`events.py`, `reading.py`), the evidence (`evidence/`, one file per kind), the score
(`score.py`, `weights.json`), the detector that is fed event by event (`detector.py`), the judge (`judge.py`) and
the clinic simulator (`simulator/`). It knows no database and no page: who feeds it and who opens cases is others' work.
Source: domain.md 10.
"""
