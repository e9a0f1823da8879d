"""The stated traps of the packages we build on, and the table that names the test of each."""
