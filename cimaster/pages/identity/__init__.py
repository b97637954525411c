"""The pages about who the visitor is: signing in and out, their name and roles."""
