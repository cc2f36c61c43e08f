"""`python -m mynode` is the command `mynode`."""

from mynode.cli import main

main()
