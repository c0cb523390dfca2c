"""`python -m mintage`, which `torchrun -m mintage` needs."""

from mintage.cli.main import main

if __name__ == "__main__":
    main()
