"""Pages of the insurer's staff: functions and jobs with versions, a practice's gate, duties, the support desk."""
