"""What hospitals sent: stored before it is acknowledged, then matched and applied."""
