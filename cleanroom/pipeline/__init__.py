"""The only layer that knows every stage: from a call's options to a report and an exit code."""
