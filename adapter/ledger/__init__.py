"""What each hospital should hold and what it is known to hold."""
