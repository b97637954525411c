"""Between HTTP and the services: the endpoint table, parameters, answers, and who calls."""
