"""Check-ups on the national form, written as XML; a data file says which element is which field."""
