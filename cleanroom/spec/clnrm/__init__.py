"""The predecessor's `.clnrm.toml`: what of it means something here, and what was never evaluated there."""
