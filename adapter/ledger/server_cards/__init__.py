"""What each hospital's server was measured to do.

In: a card from the doctor. Out: the card in use, and its drift from the one that a person last saw.
"""
