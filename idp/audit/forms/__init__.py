"""The forms a record is handed out in: one record in, one line out, whatever a record holds (security.md 77).

Person fields are in none of them: they leave the log as ciphertext, in the JSON lines with proofs alone.
"""

from idp.audit.forms.entry import Entry
from idp.audit.forms.kinds import FORMS, Form

__all__ = ["FORMS", "Entry", "Form"]
"""What an export needs."""
