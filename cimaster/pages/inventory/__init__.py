"""The page of the admins."""
