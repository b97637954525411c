"""The inventory page, and the forms with which admins change the inventory and the policies."""
