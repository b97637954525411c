"""The pages about automatic top-up."""
