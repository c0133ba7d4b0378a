"""Alert rules and dashboard: played by promtool, asked of a real Prometheus, held to Grafana's types, and drawn."""
