"""The pages about clusters: the dashboard, one cluster, and the forms that change one."""
