"""The pages of the project: the parts that `make docs` writes from the code, and the tests that hold them to it."""
