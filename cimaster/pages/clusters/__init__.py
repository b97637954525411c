"""The pages about clusters: the dashboard, the page of one cluster, and the forms about holds."""
