"""A hospital to rehearse with."""
