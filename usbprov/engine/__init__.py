"""The job: its steps, the plan, and going on after an interruption."""
