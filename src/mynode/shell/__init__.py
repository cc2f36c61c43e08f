"""`mynode sql`: the shell. It runs statements through the Trio client and shows results and errors to a person or a
program.
"""
