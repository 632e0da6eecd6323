"""The HTTP endpoint that hospitals call."""
