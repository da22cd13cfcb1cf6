"""`python -m stepwell`: the command line, of the Python that is named."""

from stepwell.cli import main

if __name__ == "__main__":
    main()
