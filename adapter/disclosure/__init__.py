"""What may leave, for whom, in which form."""
