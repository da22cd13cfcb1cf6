"""What lets other programs use Stepwell: each a package that imports the program, which Stepwell itself never does."""
