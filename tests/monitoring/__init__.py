"""Alert rules and dashboard: played by promtool, asked of a Prometheus, held to Grafana's types, drawn."""
