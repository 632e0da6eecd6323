"""What a person may type: a file for each command or group of commands.

In: words and options. Out: what the read side says or the act side did, drawn, and an exit code.
"""
