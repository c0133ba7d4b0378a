"""A picture of the dashboard with real data: `make dashboard`.

Relays, servers and clients run in a lab while things go wrong; a real Prometheus answers the dashboard's own
expressions; Grafana's own panels (@grafana/ui) draw them, and chromium takes the picture.
"""
