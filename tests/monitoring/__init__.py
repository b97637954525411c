"""The overlay for Prometheus and Grafana: its alerts and its board, tried with promtool and a real Prometheus."""
